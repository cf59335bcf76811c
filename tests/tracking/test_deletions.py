"""Orders and accounts that the shop deletes."""

import pytest
from django.contrib.auth import get_user_model
from django.db import transaction

from ecomrec_django.failures import failure_counts
from ecomrec_django.history.export import export_history
from ecomrec_django.models import Erasure, Event, GuestOrder, Visitor
from ecomrec_django.privacy.erasure import erase_order, finish_erasures
from ecomrec_django.tracking.importers.orders import import_purchases, join_guest
from ecomrec_django.tracking.visitors import token_key, user_key
from example_shop.models import Order, OrderLine

pytestmark = pytest.mark.django_db


@pytest.fixture
def ann():
    return get_user_model().objects.create_user("ann")


def place(number, user=None, email="", items="ab"):
    order = Order.objects.create(number=number, user=user, email=email)
    for item in items:
        OrderLine.objects.create(order=order, sku=item, title=item, unit_price=1)
    return order


def orders():
    return set(Event.objects.values_list("basket", flat=True))


def test_a_deleted_order_is_removed_after_the_commit(ann, django_capture_on_commit_callbacks):
    place("1", ann)
    place("2", ann)
    import_purchases()
    with django_capture_on_commit_callbacks(execute=True):
        Order.objects.filter(number="1").delete()
        assert orders() == {"1", "2"}
    assert orders() == {"2"}


def test_an_order_that_is_saved_and_deleted_at_once_leaves_nothing(ann, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        place("1", ann).delete()
    assert not orders()
    assert not failure_counts


def test_a_deletion_that_is_rolled_back_removes_nothing(ann, django_capture_on_commit_callbacks):
    order = place("1", ann)
    import_purchases()
    with django_capture_on_commit_callbacks(execute=True):
        try:
            with transaction.atomic():
                order.delete()
                raise RuntimeError
        except RuntimeError:
            pass
    import_purchases()
    assert orders() == {"1"}


def test_a_deleted_account_is_erased_and_its_orders_do_not_come_back(ann, django_capture_on_commit_callbacks):
    place("1", ann, email="ann@shop.example")
    place("2", None)
    import_purchases()
    key = user_key(ann.pk)
    with django_capture_on_commit_callbacks(execute=True):
        ann.delete()
    assert not Visitor.objects.filter(key=key).exists()
    Order.objects.get(number="1").save()
    import_purchases()
    assert orders() == {"2"}
    place("3", None, email="ann@shop.example")
    import_purchases()
    assert orders() == {"2", "3"}


@pytest.mark.parametrize("owner", ["ben", "ann", None])
def test_orders_that_were_given_to_another_account_are_that_ones(ann, owner, django_capture_on_commit_callbacks):
    ben = get_user_model().objects.create_user("ben")
    for number in "123":
        place(number, ann)
    import_purchases()
    with django_capture_on_commit_callbacks(execute=True):
        # Without a trace, as a shop that merges accounts may do it.
        Order.objects.filter(number__in="12").update(user={"ben": ben, "ann": ann, None: None}[owner])
        ann.delete()
    import_purchases(everything=True)
    assert orders() == ({"1", "2"} if owner == "ben" else set())
    assert set(Event.objects.values_list("visitor__key", flat=True)) <= {user_key(ben.pk)}


def test_an_account_that_nothing_is_stored_about_leaves_no_receipt(ann, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        ann.delete()
    assert not Erasure.objects.exists()


def test_an_erased_order_of_a_guest_leaves_the_history_too_and_stays_away(ann):
    place("1")
    place("2", ann)
    import_purchases()
    join_guest("1", token_key("cookie"))
    export_history()
    receipt = erase_order("1")
    assert (receipt.removed_rows["events"], receipt.removed_rows["guest_orders"]) == (2, 1)
    assert finish_erasures() == 1
    receipt.refresh_from_db()
    assert receipt.removed_rows["history"] == 2
    assert not export_history().rebuilt
    Order.objects.filter(number="1").update(user=ann)
    import_purchases(everything=True)
    assert orders() == {"2"}
    assert not GuestOrder.objects.exists()
