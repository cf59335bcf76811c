import pytest

from ecomrec_django.errors import TrainingError
from ecomrec_django.models import TrainingRun
from ecomrec_django.pipeline.runs import recorded_run

pytestmark = pytest.mark.django_db


def message_of(missing: str) -> str:
    """What a run says that cannot import this module; its record says the same."""

    def import_it():
        with recorded_run(TrainingRun.Kind.RELEASE) as run:
            run.stage = "history"
            raise ModuleNotFoundError(f"No module named {missing!r}", name=missing)

    with pytest.raises(TrainingError) as raised:
        import_it()
    assert TrainingRun.objects.get().message.removeprefix("history: ") in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize(
    ("missing", "extra"), [("pyarrow.parquet", "learn"), ("duckdb", "learn"), ("tensorflow", "deep"), ("keras", "deep")]
)
def test_a_run_without_a_library_names_the_extra_that_installs_it(missing, extra):
    library = missing.partition(".")[0]
    assert f'{library} is not installed: pip install "ecomrec-django[{extra}]"' in message_of(missing)


def test_a_module_that_the_shop_lacks_is_named_as_python_does():
    assert "ModuleNotFoundError: No module named 'shop.wishes'" in message_of("shop.wishes")
