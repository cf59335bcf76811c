"""What is tried again, and what an error says about the database."""

import pytest
from django.db import DataError, IntegrityError, OperationalError, connection, connections

from ecomrec_django.models import Checkpoint
from ecomrec_django.tracking.transactions import ATTEMPTS, is_data_error, is_unavailable, retry_transaction

# Of PostgreSQL: a lock that did not come free in time, a deadlock, a conflict of serializable transactions.
STATES = ("55P03", "40P01", "40001")


def failure(code: int | str) -> OperationalError:
    """As Django raises it for an error number of MySQL, or for an SQLSTATE of PostgreSQL."""
    if isinstance(code, int):
        return OperationalError(code, "planted")
    error = OperationalError("planted")
    error.__cause__ = type("DriverError", (Exception,), {"sqlstate": code})()
    return error


class Work:
    """Writes a row and fails so many times before it succeeds."""

    def __init__(self, error: Exception, failures: int) -> None:
        self.error, self.failures, self.attempts = error, failures, 0

    def __call__(self) -> str:
        self.attempts += 1
        Checkpoint.objects.create(name=f"attempt {self.attempts}")
        if self.attempts <= self.failures:
            raise self.error
        return "done"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("code", [1205, 1213, *STATES])
def test_what_gave_way_to_another_transaction_is_tried_again(code):
    work = Work(failure(code), failures=ATTEMPTS - 1)
    assert retry_transaction(work) == "done"
    assert Checkpoint.objects.get().name == f"attempt {ATTEMPTS}"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("code", [1205, 1213, *STATES])
def test_it_is_given_up_after_the_last_attempt_and_leaves_nothing(code):
    hopeless = Work(failure(code), failures=ATTEMPTS)
    with pytest.raises(OperationalError):
        retry_transaction(hopeless)
    assert hopeless.attempts == ATTEMPTS
    assert not Checkpoint.objects.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("error", [DataError("planted"), IntegrityError("planted"), failure("53300")])
def test_what_would_fail_again_is_tried_once(error):
    work = Work(error, failures=1)
    with pytest.raises(type(error)):
        retry_transaction(work)
    assert work.attempts == 1
    assert not Checkpoint.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("code", STATES)
def test_within_a_transaction_of_the_shop_there_is_one_attempt(code):
    work = Work(failure(code), failures=1)
    with pytest.raises(OperationalError):
        retry_transaction(work)
    assert work.attempts == 1


@pytest.mark.server
@pytest.mark.django_db(transaction=True)
def test_a_connection_that_the_server_ended_is_replaced_once():
    kill, own = {
        "mysql": ("KILL %s", "SELECT CONNECTION_ID()"),
        "postgresql": ("SELECT pg_terminate_backend(%s)", "SELECT pg_backend_pid()"),
    }[connection.vendor]
    with connection.cursor() as cursor:
        cursor.execute(own)
        (number,) = cursor.fetchone()
    other = connections.create_connection("default")
    with other.cursor() as cursor:
        cursor.execute(kill, [number])
    other.close()
    assert retry_transaction(Work(failure(0), failures=0)) == "done"
    assert Checkpoint.objects.count() == 1


@pytest.mark.parametrize(
    ("error", "data", "unavailable"),
    [
        (DataError("planted"), True, False),
        (IntegrityError("planted"), True, False),
        (ValueError("planted"), True, False),
        (failure("40P01"), False, False),
        (failure(1213), False, False),
        (failure("57P01"), False, True),
        (failure("08006"), False, True),
        (failure(2006), False, True),
        (OperationalError("server closed the connection unexpectedly"), False, True),
    ],
)
def test_an_error_lies_in_the_data_or_in_the_database(error, data, unavailable):
    assert (is_data_error(error), is_unavailable(error)) == (data, unavailable)
