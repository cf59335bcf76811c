"""Random shops whose orders change in every way: after the last import, what is stored is what the shop's tables say.

HISTORIES is the number of histories; each run of the suite takes the same few.
"""

import os
from collections import defaultdict
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.db import transaction
from django.test import TestCase
from django.utils import timezone
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from ecomrec_django.catalog.guests import guest_hash
from ecomrec_django.errors import DataError
from ecomrec_django.insights.daily_figures import measure
from ecomrec_django.models import DailyTotal, Event, Visitor
from ecomrec_django.tracking.importers.orders import import_order, import_purchases
from ecomrec_django.tracking.importers.reconciliation import reconcile
from ecomrec_django.tracking.visitors import guest_key, user_key
from example_shop.models import Order, OrderLine
from example_shop.recommendations import ShopCatalog

FEW = 8
HISTORIES = int(os.environ.get("HISTORIES", FEW))
START = datetime(2026, 3, 2, 12, tzinfo=UTC)
ITEMS = st.sampled_from("abcd")
PIECES = st.integers(1, 4)
PRICES = st.decimals(0, 20, places=2)
BUYERS = st.sampled_from([0, 1, 2, None, "x@shop.example", "y@shop.example"])
PICK = st.integers(0, 99)

pytestmark = pytest.mark.django_db


class ShopHistory(RuleBasedStateMachine):
    """A shop, its clock, and imports at random moments. The shop's clock is right; that of an import may be wrong."""

    def __init__(self):
        super().__init__()
        self.all = transaction.atomic()
        self.all.__enter__()
        self.clock = time_machine.travel(START, tick=False)
        self.traveller = self.clock.start()
        self.placed = 0
        self.names = count(3)
        self.was_right = False
        # Orders that changed without a trace, which a reconciliation alone finds.
        self.untraced = set()
        # Orders of deleted accounts, with the time of it: what was placed until then does not come back.
        self.erased = {}
        self.totals_stay = False

    def teardown(self):
        try:
            self.check()
        finally:
            self.clock.stop()
            transaction.set_rollback(True)
            self.all.__exit__(None, None, None)

    @initialize()
    def open_shop(self):
        users = get_user_model().objects
        self.users = [users.create_user(f"customer {n}") for n in range(3)]
        # Two orders that are imported and counted, so that whatever comes first changes something known.
        for buyer in (0, "x@shop.example"):
            self.placed += 1
            order = Order(number=f"N{self.placed}", placed=timezone.now())
            self.give(order, buyer)
            OrderLine.objects.create(order=order, sku="a", title="a", quantity=3, unit_price=2, refunded=1)
        import_purchases()
        measure()
        self.was_right = True

    # -- the shop ----------------------------------------------------------------------------------------------------

    @rule(hours=st.sampled_from([0, 1, 5, 30, 24 * 12]))
    def time_passes(self, hours):
        self.traveller.shift(timedelta(hours=hours, minutes=7))

    @rule(
        buyer=BUYERS,
        lines=st.lists(st.tuples(ITEMS, PIECES, PRICES), min_size=1, max_size=3),
        ahead=st.sampled_from([0, 0, 0, 8]),
    )
    def place(self, buyer, lines, ahead):
        self.placed += 1
        order = Order(number=f"N{self.placed}", placed=timezone.now() + timedelta(hours=ahead))
        self.give(order, buyer)
        for sku, quantity, price in lines:
            OrderLine.objects.create(order=order, sku=sku, title=sku, quantity=quantity, unit_price=price)

    @rule(pick=PICK, buyer=BUYERS)
    def change_owner(self, pick, buyer):
        if order := self.order(pick):
            self.give(order, buyer)

    @rule(pick=PICK, item=ITEMS, quantity=PIECES, price=PRICES, traced=st.booleans())
    def edit(self, pick, item, quantity, price, traced):
        if line := self.line(pick):
            line.sku, line.quantity, line.unit_price = item, quantity, price
            self.save(line, traced=traced)

    @rule(pick=PICK, refunded=st.integers(0, 5))
    def refund(self, pick, refunded):
        if line := self.line(pick):
            line.refunded = refunded
            self.save(line)

    @rule(pick=PICK, item=ITEMS, quantity=PIECES)
    def add_line(self, pick, item, quantity):
        if order := self.order(pick):
            self.save(OrderLine(order=order, sku=item, title=item, quantity=quantity, unit_price=Decimal("1.50")))

    @rule(pick=PICK)
    def remove_line(self, pick):
        if line := self.line(pick):
            line.delete()
            if line.order.lines.exists():
                line.order.save()
            else:
                # Nothing is yielded of it any more.
                self.untraced.add(line.order.number)

    @rule(pick=PICK)
    def make_lines_anew(self, pick):
        if order := self.order(pick):
            lines = list(order.lines.all())
            order.lines.all().delete()
            for line in lines:
                line.pk = None
                line.save(force_insert=True)
            order.save()

    @rule(pick=PICK, other=PICK)
    def move_line(self, pick, other):
        """Splits an order, or merges a part of it into another."""
        line, order = self.line(pick), self.order(other)
        if line and line.order.lines.count() > 1:
            before, line.order = line.order, order
            self.save(line)
            before.save()

    @rule(pick=PICK, status=st.sampled_from(Order.Status.values))
    def change_status(self, pick, status):
        if order := self.order(pick):
            order.status = status
            order.save()

    @rule(pick=PICK)
    def delete_order(self, pick):
        if order := self.order(pick):
            self.untraced.add(order.number)
            order.delete()

    @rule(who=st.integers(0, 2), before=st.booleans())
    def delete_account(self, who, before):
        """Its orders stay without an owner; somebody opens an account in its place."""
        if before:
            self.import_changes()
        user = self.users[who]
        key = user_key(user.pk)
        known = Visitor.objects.filter(key=key).first()
        orders = set(self.orders_of(known)) if known else set()
        with TestCase.captureOnCommitCallbacks(execute=True):
            user.delete()
        lost = orders - set(Event.objects.filter(basket__in=orders).values_list("basket", flat=True))
        self.erased |= dict.fromkeys(lost, timezone.now())
        self.totals_stay |= bool(lost)
        # What the shop has given to another account is that one's, if anything tells so by now.
        given = Order.objects.filter(number__in=lost, user__isnull=False, lines__isnull=False)
        assert not given.filter(placed__lte=timezone.now()).exists()
        self.users[who] = get_user_model().objects.create_user(f"customer {next(self.names)}")

    @staticmethod
    def orders_of(visitor):
        return Event.objects.filter(visitor=visitor).values_list("basket", flat=True).distinct()

    @rule(who=st.integers(0, 2), into=st.integers(0, 2), before=st.booleans())
    def merge_accounts(self, who, into, before):
        """The shop gives one account's orders to another, and deletes it."""
        if who != into:
            for order in Order.objects.filter(user=self.users[who]):
                order.user = self.users[into]
                order.save()
            self.delete_account(who, before)

    # -- imports -----------------------------------------------------------------------------------------------------

    @rule()
    def import_changes(self):
        # A first import that may import nothing yet is an error.
        with suppress(DataError):
            import_purchases()
            self.was_right = True

    @precondition(lambda self: self.was_right)
    @rule(days=st.sampled_from([-400, -2, 1, 10, 800]))
    def import_with_a_wrong_clock(self, days):
        # With a clock far behind, all lines are refused, which is an error.
        with time_machine.travel(timezone.now() + timedelta(days=days), tick=False), suppress(DataError):
            import_purchases()
        self.was_right = False

    @rule(after=st.integers(0, 5))
    def import_breaks_off(self, after):
        def some(catalog, since, read=ShopCatalog.purchases):
            for number, line in enumerate(read(catalog, since)):
                if number == after:
                    raise OSError("planted")
                yield line

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ShopCatalog, "purchases", some)
            with suppress(DataError):
                import_purchases()
                self.was_right = True

    @rule(pick=PICK)
    def import_one_order(self, pick):
        if order := self.order(pick):
            import_order(order)

    @rule()
    def measure_what_is_imported(self):
        self.import_changes()
        measure()

    # -- what must hold ----------------------------------------------------------------------------------------------

    def check(self):
        # The last orders placed ahead of their time are due, and so is what was refused.
        self.traveller.shift(timedelta(days=2))
        if Order.objects.exists():
            import_purchases()
            assert self.ours(without=self.untraced) == self.shops(without=self.untraced)
            result = reconcile(accept_removals=True)
            assert not result.remaining
            assert self.ours() == self.shops()
            again = reconcile()
            assert (again.stored, again.report.changed, again.report.removed) == ({}, 0, 0)
            measure()
            # What was erased still counts in the totals of its days.
            if not self.totals_stay:
                assert self.daily() == self.shops_daily()

    def ours(self, without=()):
        """Pieces and revenue by order, item, owner and day, as stored."""
        sums = defaultdict(lambda: [0, Decimal(0)])
        for event in Event.objects.exclude(basket__in=without).select_related("item", "visitor"):
            key = (
                event.basket,
                event.item.external_id,
                event.visitor and event.visitor.key,
                timezone.localdate(event.time),
            )
            sign = 1 if event.kind == "purchase" else -1
            sums[key][0] += sign * event.quantity
            sums[key][1] += sign * event.quantity * event.price
        return dict(sums)

    def shops(self, without=()):
        """The same from the shop's own tables."""
        sums = defaultdict(lambda: [0, Decimal(0)])
        for line in OrderLine.objects.exclude(order__number__in=without).select_related("order"):
            order, left = line.order, self.left(line)
            if order.number in self.erased and order.placed <= self.erased[order.number]:
                continue
            owner = user_key(order.user_id) if order.user_id else None
            if order.email and not order.user_id:
                owner = guest_key(guest_hash(order.email))
            key = order.number, line.sku, owner, timezone.localdate(order.placed)
            sums[key][0] += left
            sums[key][1] += left * line.unit_price
        return dict(sums)

    def daily(self):
        rows = DailyTotal.objects.values_list("day", "orders", "revenue")
        return {day: (orders, revenue) for day, orders, revenue in rows if orders or revenue}

    def shops_daily(self):
        orders, revenue = defaultdict(set), defaultdict(Decimal)
        for line in OrderLine.objects.select_related("order"):
            day = timezone.localdate(line.order.placed)
            orders[day].add(line.order_id)
            revenue[day] += self.left(line) * line.unit_price
        return {day: (len(orders[day]), revenue[day]) for day in orders}

    @staticmethod
    def left(line):
        cancelled = line.order.status == Order.Status.CANCELLED
        return 0 if cancelled else line.quantity - min(line.refunded, line.quantity)

    # -- helpers -----------------------------------------------------------------------------------------------------

    def order(self, pick):
        orders = list(Order.objects.order_by("pk"))
        return orders[pick % len(orders)] if orders else None

    def line(self, pick):
        lines = list(OrderLine.objects.select_related("order").order_by("pk"))
        return lines[pick % len(lines)] if lines else None

    def give(self, order, buyer):
        order.user = self.users[buyer] if isinstance(buyer, int) else None
        order.email = buyer if isinstance(buyer, str) else ""
        order.save()

    def save(self, line, *, traced=True):
        line.save()
        if traced:
            line.order.save()
        else:
            self.untraced.add(line.order.number)


def test_after_any_history_the_shop_and_what_is_stored_agree(settings_of_the_shop):
    run_state_machine_as_test(
        ShopHistory,
        settings=settings(
            max_examples=HISTORIES,
            phases=[Phase.generate],
            stateful_step_count=30,
            deadline=None,
            derandomize=HISTORIES <= FEW,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.fixture
def settings_of_the_shop(settings, tmp_path):
    settings.ECOMREC = {"CATALOG": "example_shop.recommendations.ShopCatalog", "ARTIFACTS": tmp_path}
