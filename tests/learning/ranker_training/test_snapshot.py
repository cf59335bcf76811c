"""What is known at one moment, and nothing that came after."""

from datetime import timedelta

import numpy as np
import pyarrow as pa

from ecomrec_django.learning.interactions import DAY, KINDS, VISITORS, schema
from ecomrec_django.learning.ranker_training.snapshot import (
    Snapshot,
    item_table,
    newest_day,
    split_time,
)
from ecomrec_django.learning.ranking.interests import InterestWeights
from ecomrec_django.learning.ranking.shopper_history import MAX_OTHER_EVENTS, PURCHASE
from tests.support.histories import START, catalog, statistics, training

# Items 1-3 are of need 11, 4-6 of need 12 and an aisle of both, 7 has no category.
ITEMS = [
    *({"item": item, "category": 11, "aisle": 10, "price": 2.0, "brand": "Red"} for item in (1, 2, 3)),
    *({"item": item, "category": 12, "aisle": 10, "price": 0.0} for item in (4, 5, 6)),
    {"item": 7},
]
IDS = np.arange(1, 8)


def at(day: float):
    return START + timedelta(days=day)


def line(visitor: int, item: int, day: float, basket: str = "", **more):
    return {"visitor": visitor, "item": item, "time": at(day), "basket": basket or f"{visitor}-{day}", **more}


def weekly(visitors: int = 8, weeks: int = 6) -> list[dict]:
    """Visitor k buys item 1 + k % 3 and item 4 + k % 3 every week."""
    return [
        line(visitor, item, 7 * week + visitor / 24)
        for week in range(weeks)
        for visitor in range(1, visitors + 1)
        for item in (1 + visitor % 3, 4 + visitor % 3)
    ]


def interactions(events, **options):
    shop = statistics(events, IDS, **options)
    return shop.interactions(shop.purchases())


def knowledge(events, **options) -> Snapshot:
    data = training(events, ITEMS, **options)
    return Snapshot.of(data.statistics, item_table(data.items), InterestWeights())


def joined(*pairs):
    rows = [dict(zip(VISITORS, (visitor, person, None), strict=True)) for visitor, person in pairs]
    return pa.Table.from_pylist(rows, schema=schema(VISITORS))


def same(one: Snapshot, other: Snapshot) -> bool:
    """All arrays of both, whatever they are of."""

    def arrays(value, name="") -> dict[str, np.ndarray]:
        if isinstance(value, np.ndarray):
            return {name: value}
        parts = vars(value).items() if hasattr(value, "__dict__") else ()
        return {key: array for part, inner in parts for key, array in arrays(inner, f"{name}.{part}").items()}

    first, second = arrays(one), arrays(other)
    return first.keys() == second.keys() and all(
        np.array_equal(values, second[name], equal_nan=values.dtype.kind == "f") for name, values in first.items()
    )


class TestInteractions:
    def test_hold_purchases_and_acts_in_the_order_of_time(self):
        found = interactions(
            [
                line(5, 2, 3.0, "o2", price=4.0),
                line(5, 1, 1.0, "o1", price=2.5),
                line(5, 7, 2.0, kind="view_item"),
                line(6, 3, 2.5, kind="review", rating=4.0),
            ]
        )
        assert [KINDS[kind] for kind in found.kind] == ["purchase", "view_item", "review", "purchase"]
        assert found.items.ids[found.item].tolist() == [1, 7, 3, 2]
        assert found.visitors.ids[found.visitor].tolist() == [5, 5, 6, 5]
        assert ((found.time - int(START.timestamp())) / DAY).tolist() == [1.0, 2.0, 2.5, 3.0]
        assert (found.basket >= 0).tolist() == [True, False, False, True]
        assert found.price[[0, 3]].tolist() == [2.5, 4.0]
        assert np.isnan(found.rating).tolist() == [True, True, False, True]

    def test_hold_what_was_kept_of_an_order_alone(self):
        events = [
            line(1, 1, 1.0, "o", quantity=2),
            line(1, 2, 1.0, "o"),
            line(1, 1, 2.0, "o", kind="refund", quantity=1),
            line(1, 2, 2.0, "o", kind="refund", quantity=1),
        ]
        found = interactions(events)
        assert found.items.ids[found.item].tolist() == [1]

    def test_guest_baskets_have_no_visitor(self):
        found = interactions([line(0, 1, 1.0, "g"), line(0, 2, 1.0, "g"), line(0, 3, 2.0, kind="view_item")])
        assert found.visitor.tolist() == [-1, -1]
        assert found.basket.tolist() == [0, 0]
        assert len(found.visitors) == 0

    def test_hold_the_latest_acts_of_each_and_all_purchases(self):
        views = [line(1, 1 + number % 3, number / 100, kind="view_item") for number in range(MAX_OTHER_EVENTS + 50)]
        found = interactions([*views, line(2, 1, 0.0, kind="view_item"), line(1, 4, 0.1)])
        of_one = found.visitor == found.visitors.numbers(np.array([1]))
        acts = of_one & (found.kind != PURCHASE)
        assert acts.sum() == MAX_OTHER_EVENTS
        assert found.time[acts].min() == int(at(0.5).timestamp())
        assert (of_one & (found.kind == PURCHASE)).sum() == 1
        assert (~of_one).sum() == 1

    def test_name_visitors_who_joined_an_account_as_one(self):
        events = [line(1, 1, 1.0), line(2, 2, 2.0), line(3, 3, 3.0), line(2, 4, 2.5, kind="view_item")]
        found = interactions(events, visitors=joined((1, 3), (2, 3)))
        assert found.visitors.ids.tolist() == [3]
        assert found.visitor.tolist() == [0, 0, 0, 0]

    def test_leave_out_what_is_not_in_the_catalog(self):
        assert interactions([line(1, 99, 1.0), line(1, 1, 1.0)]).item.tolist() == [0]


class TestItemTable:
    def test_have_needs_aisles_brands_and_prices(self):
        table = item_table(catalog(ITEMS))
        assert table.need.tolist() == [1, 1, 1, 2, 2, 2, 0]
        assert table.aisle.tolist() == [1, 1, 1, 1, 1, 1, 0]
        assert table.brand.tolist() == [1, 1, 1, -1, -1, -1, -1]
        assert np.isnan(table.price).tolist() == [False, False, False, True, True, True, True]

    def test_items_without_a_category_are_needs_of_their_own(self):
        table = catalog([{"item": 1}, {"item": 2}, {"item": 3, "category": 5, "aisle": 5}])
        assert len(set(item_table(table).need.tolist())) == 3


class TestTime:
    def test_is_split_where_a_share_of_the_lines_was_bought(self):
        events = interactions([line(1, 1, day) for day in range(10)] + [line(1, 2, 9.5, kind="view_item")] * 5)
        assert split_time(events, 0.8) == int(at(8).timestamp())
        assert split_time(events, 0.0) == int(at(0).timestamp())
        assert split_time(events, 1.0) == int(at(9).timestamp())

    def test_ends_with_the_newest_event_of_any_kind(self):
        events = interactions([line(1, 1, 3.0), line(1, 2, 5.5, kind="view_item")])
        assert newest_day(events) == START.timestamp() / DAY + 5.5
        assert newest_day(events.where(np.zeros(len(events), bool))) == 0.0

    def test_hides_what_came_after_the_moment(self):
        """Later purchases, views, refunds and visitors change nothing of what was known."""
        moment = at(7 * 5)
        later = [
            *(line(1, 7, 36 + number) for number in range(20)),
            line(99, 1, 40.0),
            line(2, 7, 36.0, kind="view_item"),
            line(1, 2, 36.0, basket="1-0.0", kind="refund"),
        ]
        assert same(knowledge(weekly(), until=moment), knowledge([*weekly(weeks=5)], until=moment))
        assert same(knowledge([*weekly(), *later], until=moment), knowledge(weekly(), until=moment))
        assert not same(knowledge([*weekly(), *later]), knowledge(weekly()))

    def test_shows_a_purchase_of_just_before(self):
        known = knowledge([*weekly(), line(1, 7, 34.99)], until=at(35))
        assert known.item_features.baskets[6] == 1


class TestASlice:
    def sliced(self, with_anchor: bool, extra=()):
        moment = int(at(35).timestamp())
        events = [*weekly(), *extra]
        known = knowledge(events, until=at(35))
        after = interactions(events)
        return known, known.evaluation_slice(
            after.where(after.time >= moment).of_kind("purchase"), with_anchor=with_anchor
        )

    def test_holds_a_case_per_basket_after_all_that_is_known(self):
        _, found = self.sliced(False)
        assert len(found.cases) == 8
        assert (found.cases.day >= START.timestamp() / DAY + 35).all()
        for place, targets in zip(found.cases.shopper, found.cases.targets, strict=True):
            shopper = found.shoppers[place]
            assert shopper.baskets == 5
            assert set(targets.tolist()) == set(shopper.items.things.tolist())
            assert shopper.basket_days.max() < START.timestamp() / DAY + 35

    def test_beside_an_anchor_holds_targets_of_other_aisles(self):
        day = 35 + 1 / 24
        _, found = self.sliced(True, [line(1, 7, day, f"1-{day}")])
        # Items 1-6 share an aisle: only the basket with item 7 has anything beside.
        beside = {
            int(anchor): targets.tolist()
            for anchor, targets in zip(found.cases.anchor, found.cases.targets, strict=True)
        }
        assert beside == {1: [6], 4: [6], 6: [1, 4]}

    def test_knows_nothing_of_who_came_first_afterwards(self):
        _, found = self.sliced(False, [line(50, 1, 36.0), line(0, 2, 36.0, "guest")])
        assert sorted(found.cases.shopper.tolist())[:3] == [-1, -1, 0]


def test_the_past_of_a_visitor_is_theirs_alone():
    known = knowledge([*weekly(), line(3, 6, 1.5, kind="view_item")])
    number = known.events.visitors.numbers(np.array([3, 4]))
    one, other = known.histories(number)
    assert sorted(set(one.item.tolist())) == [0, 3, 5]
    assert sorted(set(other.item.tolist())) == [1, 4]
    assert (len(one), len(other)) == (13, 12)
    assert one.basket.max() == 5


def test_a_cookie_and_its_account_have_one_past():
    events = weekly(visitors=6)
    apart, together = knowledge(events), knowledge(events, visitors=joined((2, 1)))
    assert len(together.events.visitors) == len(apart.events.visitors) - 1
    (past,) = together.histories(together.events.visitors.numbers(np.array([1])))
    assert len(past) == 24
    assert past.basket.max() == 11
    assert len(together.segments.labels) == 5


def test_a_history_without_purchases_is_known_too():
    known = knowledge([line(1, 1, 1.0, kind="view_item"), line(1, 2, 1.0, kind="view_item")])
    assert known.item_features.baskets.tolist() == [0] * 7
    (past,) = known.histories(np.array([0]))
    assert past.item.tolist() == [0, 1]
    assert past.segment == 0
