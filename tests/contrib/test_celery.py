import pytest

from ecomrec_django.contrib import celery
from ecomrec_django.errors import ConfigurationError


@pytest.fixture
def task(monkeypatch):
    monkeypatch.setattr(celery, "shared_task", None)

    @celery.task("ecomrec.double", time_limit=60)
    def double_task(number):
        """Twice the number."""
        return 2 * number

    return double_task


def test_without_celery_a_task_is_a_function(task):
    assert task(21) == 42
    assert task(number=4) == 8
    assert (task.name, task.__name__, task.__doc__) == ("ecomrec.double", "double_task", "Twice the number.")


def test_without_celery_queueing_names_the_remedy(task):
    for queue in (lambda: task.delay(21), lambda: task.apply_async((21,), countdown=5)):
        with pytest.raises(ConfigurationError, match=r"ecomrec\.double.*ecomrec-django\[celery\].*cron"):
            queue()
