"""Ids and keys are compared and sorted byte by byte, whatever the database does with other text."""

import pytest
from django.apps import apps
from django.db import connection

from ecomrec_django.models import Item
from ecomrec_django.models.fields import ExactCharField

pytestmark = pytest.mark.django_db
COLLATIONS = {"sqlite": {None}, "mysql": {"utf8mb4_nopad_bin", "utf8mb4_bin"}, "postgresql": {"C"}}
COLUMNS = [
    (model, field)
    for model in apps.get_app_config("ecomrec").get_models()
    for field in model._meta.local_fields
    if isinstance(field, ExactCharField)
]


def test_ids_that_differ_by_case_accent_or_a_space_are_different():
    ids = ["abc", "ABC", "abc ", "ábc"]
    Item.objects.bulk_create(Item(external_id=name, title=name) for name in ids)
    for name in ids:
        assert Item.objects.get(external_id=name).title == name
    assert Item.objects.filter(external_id__in=["Abc", "abc  "]).count() == 0


def test_ids_are_sorted_by_their_bytes():
    ids = ["a", "a-b", "a:1", "a;", "aa", "ab", "B", "ä"]
    Item.objects.bulk_create(Item(external_id=name, title=name) for name in ids)
    rows = Item.objects.order_by("external_id").values_list("external_id", flat=True)
    assert list(rows) == sorted(ids)
    assert set(rows.filter(external_id__gte="a:", external_id__lt="a;")) == {"a:1"}


@pytest.mark.parametrize(
    ("model", "field"), COLUMNS, ids=lambda value: value.__name__ if isinstance(value, type) else value.name
)
def test_each_column_has_a_binary_collation_and_no_second_index(model, field):
    with connection.cursor() as cursor:
        description = connection.introspection.get_table_description(cursor, model._meta.db_table)
        constraints = connection.introspection.get_constraints(cursor, model._meta.db_table)
    (collation,) = [column.collation for column in description if column.name == field.column]
    assert collation in COLLATIONS[connection.vendor]
    indexed = [parts for parts in constraints.values() if parts["columns"] == [field.column]]
    indexes = [parts for parts in indexed if parts["index"] or parts["unique"]]
    assert len(indexes) == (
        field.unique or field.db_index or [field.name] in [index.fields for index in model._meta.indexes]
    )
