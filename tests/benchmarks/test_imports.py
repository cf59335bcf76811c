"""The benchmark of imports, in miniature."""

import pytest

from benchmarks import _import_steps
from ecomrec_django.models import Event
from tests.support.planted_shop import facts, line

pytestmark = [pytest.mark.django_db, pytest.mark.once]


def test_orders_are_imported_once_and_again(planted_shop):
    planted_shop.facts = [facts("a"), facts("b")]
    planted_shop.lines = [line(number, "ab"[number % 2]) for number in range(7)]
    rows = _import_steps.orders()
    assert {row["name"]: row["rows"] for row in rows} == {
        "ecomrec:catalog": 2,
        "ecomrec:orders": 7,
        "ecomrec:orders:again": 7,
    }
    assert all(row["seconds"] >= 0 <= row["cpu_seconds"] for row in rows)
    assert Event.objects.count() == 7


def test_all_rows_of_the_file_are_imported(planted_shop, tmp_path):
    planted_shop.facts = [facts("a"), facts("b")]
    _import_steps.orders()
    rows = _import_steps.file(50, tmp_path)
    assert [row["rows"] for row in rows] == [50, 50]
    assert Event.objects.filter(kind="view_item").count() == 50
