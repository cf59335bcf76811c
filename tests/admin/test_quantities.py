"""Quantities are shown as people write them."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.urls import reverse

from ecomrec_django.models import Event, HeldEvent, Item, Visitor

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.admin.urls")]
NOON = datetime(2026, 6, 10, 12, tzinfo=UTC)


@pytest.mark.parametrize(("quantity", "shown"), [(2, "2"), (Decimal("0.350"), "0.35")])
def test_a_quantity_has_no_decimal_places_that_say_nothing(admin_client, quantity, shown):
    item = Item.objects.create(external_id="a", title="A", fingerprint="")
    event = Event.objects.create(kind="purchase", item=item, quantity=quantity, time=NOON)
    visitor = Visitor.objects.create(key="v")
    held = HeldEvent.objects.create(
        external_id="b", visitor=visitor, kind="add_to_cart", quantity=quantity, time=NOON, key="k"
    )
    page = admin_client.get(reverse("admin:ecomrec_event_changelist")).content.decode()
    assert f'<td class="field-pieces">{shown}</td>' in page
    for row in (event, held):
        page = admin_client.get(reverse(f"admin:ecomrec_{row._meta.model_name}_change", args=[row.pk]))
        assert f'<div class="readonly">{shown}</div>' in page.content.decode()
