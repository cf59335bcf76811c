import logging

import pytest

from ecomrec_django.errors import DataError, suggestion
from ecomrec_django.failures import (
    LOG_SECONDS,
    PACKAGE,
    RecordLog,
    failure_counts,
    note_failure,
    place_of,
    reset_failures,
    watch_failures,
)

HERE = __file__


@pytest.fixture(autouse=True)
def _fresh_log():
    reset_failures()
    yield
    reset_failures()


def raised(error=None):
    try:
        raise error or ValueError("secret of a customer")
    except Exception as caught:
        return caught


def raised_elsewhere():
    try:
        int("secret of a customer")
    except ValueError as caught:
        return caught


def errors(caplog):
    return [record for record in caplog.records if record.levelno == logging.ERROR]


def test_a_failure_is_logged_with_its_name_and_place_and_not_its_message(caplog):
    note_failure("bought_with", raised())
    (record,) = errors(caplog)
    assert "ValueError at " in record.getMessage()
    assert f"{HERE}:" in record.getMessage()
    assert "secret" not in caplog.text
    assert record.exc_info is None


def test_a_failure_is_logged_with_message_and_traceback_in_debug(settings, caplog):
    settings.DEBUG = True
    for _ in range(2):
        note_failure("bought_with", raised())
    assert len(errors(caplog)) == 2
    assert "secret of a customer" in caplog.text
    assert "Traceback" in caplog.text


def test_a_place_is_logged_as_an_error_once_an_hour(caplog, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr("ecomrec_django.failures.monotonic", lambda: now[0])
    for _ in range(3):
        note_failure("bought_with", raised())
    note_failure("bought_with", raised_elsewhere())
    assert len(errors(caplog)) == 2
    now[0] += LOG_SECONDS
    note_failure("bought_with", raised())
    assert len(errors(caplog)) == 3
    assert "5 so far" in errors(caplog)[-1].getMessage()
    assert failure_counts["bought_with", "ValueError"] == 5


def test_repeated_failures_are_logged_for_debugging(caplog):
    caplog.set_level(logging.DEBUG)
    for _ in range(2):
        note_failure("bought_with", raised())
    assert [record.levelname for record in caplog.records] == ["ERROR", "DEBUG"]
    assert "secret" not in caplog.text


def test_the_place_is_in_the_shops_own_code_where_there_is_some():
    def in_the_shop(value):
        from ecomrec_django.tracking.validation import clean_item

        return clean_item(value)

    with pytest.raises(DataError) as caught:
        in_the_shop("")
    assert place_of(caught.value).startswith(HERE)


def test_the_place_is_in_the_package_where_the_shop_has_no_part():
    error = None
    try:
        exec(compile("raise ValueError", f"{PACKAGE}/serving/offers.py", "exec"), {})
    except ValueError as caught:
        error = caught.with_traceback(caught.__traceback__.tb_next)
    assert place_of(error) == f"{PACKAGE}/serving/offers.py:1"
    assert place_of(ValueError()) == ""


def test_failures_can_be_watched():
    with watch_failures() as outer, watch_failures() as inner:
        note_failure("cache", raised(), "Slow")
    note_failure("cache", raised())
    assert [(failure.area, failure.consequence) for failure in inner] == [("cache", "Slow")]
    assert outer == inner


def test_skipped_records_are_counted_by_reason_with_an_example():
    records = RecordLog("Product")
    for number in range(5):
        records.skip(str(number), raised(DataError(f"its price -{number} is not a price")))
    records.skip("5", raised_elsewhere())
    first, second = records.reasons
    assert (records.skipped, first.count, first.example) == (6, 5, "0")
    assert str(first) == "5, such as 0: its price -0 is not a price."
    assert second.message.startswith("ValueError: invalid literal for int()")
    assert f"(at {HERE}:" in second.message


def test_reasons_of_skipped_records_are_bounded(caplog):
    records = RecordLog("Product")
    for number in range(200):
        records.skip(str(number), ValueError(f"{number}"))
    assert len(records.reasons) == 50
    assert sum(reason.count for reason in records.reasons) == records.skipped == 200


def test_the_first_records_of_a_reason_are_logged(caplog):
    records = RecordLog("Product")
    for number in range(9):
        records.skip(str(number), raised(DataError("it has no id")))
    assert [record.getMessage() for record in caplog.records] == [
        f"Product {number} was skipped: it has no id" for number in range(3)
    ]


def test_a_similar_name_is_suggested_and_no_other():
    assert suggestion("titel", ["price", "title"]) == 'Did you mean "title"?'
    assert suggestion("xyz", ["price", "title"]) == ""


def test_what_is_odd_about_records_is_counted_and_its_first_record_logged(caplog):
    records = RecordLog("Order line")
    for number in range(3):
        records.remark(str(number), "its time has no time zone")
    (remark,) = records.remarks
    assert (remark.count, remark.example, records.skipped) == (3, "0", 0)
    assert [record.getMessage() for record in caplog.records] == ["Order line 0: its time has no time zone"]
