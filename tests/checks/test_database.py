import pytest
from django.core.checks import run_checks
from django.db import connection

from ecomrec_django.checks.database import check_database, table_problems

pytestmark = pytest.mark.django_db


def test_the_tables_of_the_package_pass():
    assert check_database(None, databases=["default"]) == []


def test_no_database_is_asked_that_may_not_be(django_assert_num_queries):
    # From 6.1 on, Django's own checks ask SQLite this once.
    assert connection.features.supports_json_field
    with django_assert_num_queries(0):
        assert check_database(None, databases=[]) == check_database(None) == []
        run_checks()


@pytest.mark.server
@pytest.mark.django_db(transaction=True)
def test_tables_with_a_narrow_character_set_or_without_transactions_are_a_warning():
    options = "ENGINE = Aria CHARACTER SET latin1" if connection.vendor == "mysql" else ""
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE ecomrec_narrow (name VARCHAR(9)) {options}")
        try:
            messages = list(table_problems("default"))
        finally:
            cursor.execute("DROP TABLE ecomrec_narrow")
    assert [message.id for message in messages] == (["ecomrec.W040", "ecomrec.W041"] if options else [])
    assert all(message.msg.startswith("ecomrec_narrow ") for message in messages)


@pytest.mark.postgres
def test_an_old_driver_is_an_error_with_a_remedy(monkeypatch):
    from django.db.backends.postgresql import psycopg_any

    monkeypatch.setattr(psycopg_any, "is_psycopg3", False)
    (message,) = table_problems("default")
    assert message.id == "ecomrec.E043"
    assert "ecomrec-django[postgres]" in message.hint
