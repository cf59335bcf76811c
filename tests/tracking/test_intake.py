from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ecomrec_django.catalog.sync import sync
from ecomrec_django.models import Event, HeldEvent, Impression, Item, Kind, Visitor
from ecomrec_django.tracking.consent import exclude
from ecomrec_django.tracking.intake import HELD_FOR, OLDEST, release_held, store
from ecomrec_django.tracking.observation import Observation, ShownOffer
from ecomrec_django.tracking.omissions import Reason, flush_omissions, omitted_count
from ecomrec_django.tracking.validation import BURST, DUPLICATE, SKEW
from ecomrec_django.tracking.visitors import token_key
from tests.support.planted_shop import facts

pytestmark = pytest.mark.django_db
ANNA, BERT = token_key("anna"), token_key("bert")
BLOCK = ShownOffer(nonce="n1", strategy="bought_with", release=7, arm="", anchor="a", position=2)


@pytest.fixture(autouse=True)
def items():
    return [Item.objects.create(external_id=name, title=name.upper(), fingerprint="") for name in "abc"]


def seen(item="a", kind=Kind.VIEW_ITEM, visitor=ANNA, ago=0.0, **more):
    """Something that happened ``ago`` seconds before now."""
    time = datetime.now(UTC) - timedelta(seconds=ago)
    return Observation(kind=kind, item=item, visitor=visitor, time=time, policy="3", **more)


def events():
    return list(Event.objects.order_by("time", "pk").values_list("kind", "item__external_id", "visitor__key"))


def test_observations_become_events_with_their_policy_version():
    store([seen("a"), seen("b", Kind.ADD_TO_CART, BERT, quantity=3), seen("c", Kind.REVIEW, rating=4.5)])
    assert sorted(events()) == sorted(
        [("view_item", "a", ANNA), ("add_to_cart", "b", BERT), ("review", "c", ANNA)],
    )
    assert set(Event.objects.values_list("policy", flat=True)) == {"3"}
    assert Event.objects.get(item__external_id="b").quantity == 3
    assert Event.objects.get(item__external_id="c").rating == 4.5
    assert set(Event.objects.values_list("price", flat=True)) == {None}


def test_storing_the_same_again_changes_nothing():
    some = [seen("a"), seen("b", Kind.ADD_TO_CART), seen("c", Kind.VIEW_ITEM_LIST, shown=BLOCK)]
    for _ in range(3):
        store(some)
    assert len(events()) == 2
    assert Impression.objects.count() == 1
    assert omitted_count(Reason.DUPLICATE) == 6


@pytest.mark.parametrize("kind", [Kind.VIEW_ITEM, Kind.SELECT_ITEM])
def test_the_same_view_or_click_within_moments_is_one(kind):
    store([seen(kind=kind, ago=20)])
    store([seen(kind=kind), seen("b", kind), seen(kind=kind, visitor=BERT)])
    assert len(events()) == 3
    assert omitted_count(Reason.DUPLICATE) == 1


def test_moments_later_it_is_a_new_view():
    store([seen(ago=DUPLICATE.seconds + 1), seen()])
    assert len(events()) == 2


def test_a_cart_filled_piece_by_piece_is_kept():
    store([seen(kind=Kind.ADD_TO_CART, ago=2), seen(kind=Kind.ADD_TO_CART, ago=1)])
    assert len(events()) == 2


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 90)), max_size=12), st.integers(0, 12))
def test_storage_does_not_depend_on_the_chunks(items, cut):
    now = datetime.now(UTC)
    some = [
        Observation(kind=Kind.VIEW_ITEM, item=name, visitor=ANNA, time=now - timedelta(seconds=ago))
        for name, ago in items
    ]
    some.sort(key=lambda one: one.time)
    Event.objects.all().delete()
    store(some[:cut])
    store(some[cut:])
    in_two = sorted(Event.objects.values_list("item", "time"))
    Event.objects.all().delete()
    store(some)
    assert sorted(Event.objects.values_list("item", "time")) == in_two


def test_a_burst_by_one_visitor_is_capped_and_others_are_not():
    burst = [seen("abc"[n % 3], Kind.ADD_TO_CART, ago=30 - n / 10) for n in range(BURST + 30)]
    store([*burst, seen(visitor=BERT)])
    assert Event.objects.filter(visitor__key=ANNA).count() == BURST
    assert Event.objects.filter(visitor__key=BERT).count() == 1
    assert omitted_count(Reason.BURST) == 30


def test_future_and_ancient_times_are_refused():
    store([seen(ago=-SKEW.seconds - 60), seen(ago=OLDEST.total_seconds() + 60), seen("b", ago=-SKEW.seconds + 60)])
    assert [item for _, item, _ in events()] == ["b"]
    assert (omitted_count(Reason.FUTURE), omitted_count(Reason.STALE)) == (1, 1)


def test_an_unknown_item_waits_for_the_next_sync(planted_shop):
    store([seen("new"), seen("new", Kind.ADD_TO_CART, quantity=2), seen("never")])
    assert events() == []
    assert omitted_count(Reason.HELD) == 3
    planted_shop.facts = [facts("new")]
    sync()
    assert release_held() == 2
    assert sorted(kind for kind, *_ in events()) == ["add_to_cart", "view_item"]
    assert Event.objects.get(kind="add_to_cart").quantity == 2
    assert HeldEvent.objects.get().external_id == "never"
    assert release_held() == 0


def test_an_item_that_never_comes_is_given_up():
    store([seen("never")])
    HeldEvent.objects.update(time=datetime.now(UTC) - HELD_FOR - timedelta(days=1))
    release_held()
    assert not HeldEvent.objects.exists()
    assert omitted_count(Reason.UNKNOWN) == 1


def test_visitors_who_withdrew_are_not_recorded():
    exclude(ANNA)
    store([seen(), seen(visitor=BERT), seen(kind=Kind.VIEW_ITEM_LIST, shown=BLOCK)])
    assert events() == [("view_item", "a", BERT)]
    assert not Impression.objects.exists()
    assert omitted_count(Reason.WITHDRAWN) == 2


def test_an_impression_knows_its_block():
    store([seen("c", Kind.VIEW_ITEM_LIST, shown=BLOCK)])
    shown = Impression.objects.get()
    assert (shown.item.external_id, shown.anchor.external_id, shown.strategy, shown.release, shown.position) == (
        "c",
        "a",
        "bought_with",
        7,
        2,
    )
    assert shown.clicked is None


@pytest.mark.parametrize("seen_before", [True, False])
def test_a_click_marks_its_impression_once_and_is_an_event(seen_before):
    if seen_before:
        store([seen("c", Kind.VIEW_ITEM_LIST, shown=BLOCK, ago=50)])
    first, again = seen("c", Kind.SELECT_ITEM, shown=BLOCK, ago=40), seen("c", Kind.SELECT_ITEM, shown=BLOCK)
    store([first])
    store([again])
    assert Impression.objects.get().clicked == first.time
    assert [kind for kind, *_ in events()] == ["select_item", "select_item"]


def test_an_observation_survives_a_queue():
    for one in (
        seen("é", Kind.ADD_TO_CART, quantity=2),
        seen("c", Kind.SELECT_ITEM, shown=BLOCK, rating=1.5),
        seen("c", Kind.ADD_TO_CART, quantity=Decimal("0.35")),
    ):
        assert Observation.from_json(one.to_json()) == one


def test_counts_are_written_in_the_end():
    store([seen("never")])
    flush_omissions(now=True)
    flush_omissions(now=True)
    assert omitted_count(Reason.HELD) == 1


def test_visitors_are_made_once():
    store([seen(), seen("b"), seen(visitor=BERT)])
    store([seen("c")])
    assert Visitor.objects.count() == 2
