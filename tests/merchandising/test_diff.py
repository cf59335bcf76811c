"""The difference of two releases, on planted lists whose differences are known."""

import pytest
from django.core.cache import cache
from hypothesis import given
from hypothesis import strategies as st

from ecomrec_django.merchandising.diff import ListStatus, StrategyDiff, compare_releases, list_change, read_lists
from ecomrec_django.models import Category, Item, OfferList, Release, TrainingRun
from ecomrec_django.strategies.base import Offer, Reason, encode_offers


def text(*keys, score=1.0):
    return encode_offers([Offer(item=key, score=score, reason=Reason.POPULAR, aisle=0, evidence=(3,)) for key in keys])


def release(lists, complete=True):
    """A release of ``{(strategy, item, category or None): text}``."""
    made = Release.objects.create(run=TrainingRun.objects.create(), complete=complete)
    for (strategy, owner), offers in lists.items():
        key = {"anchor" if isinstance(owner, Item) else "category": owner} if owner else {}
        OfferList.objects.create(release=made, strategy=strategy, offers=offers, **key)
    return made


@pytest.fixture
def shop(db):
    cache.clear()
    items = [Item.objects.create(external_id=f"P{n}", title=f"P{n}", fingerprint="") for n in range(5)]
    category = Category.objects.create(name="C", path="C", digest="c")
    old = release(
        {
            ("a", items[0]): text("x", "y"),
            ("a", items[1]): text("x"),
            ("a", items[2]): text("x"),
            ("a", category): text("z"),
            ("gone", items[0]): text("x"),
        }
    )
    new = release(
        {
            ("a", items[0]): text("x", "y"),
            ("a", items[1]): text("y"),
            ("a", items[3]): text("x"),
            ("a", items[4]): text("x"),
            ("a", category): text("w"),
            ("fresh", items[0]): text("x"),
        }
    )
    return old, new, items, category


def test_lists_are_counted_as_gained_lost_changed_and_unchanged(shop):
    old, new, _items, _category = shop
    found = compare_releases(new, old)
    assert (found.release, found.previous) == (new, old)
    assert found.strategies == [
        StrategyDiff(strategy="a", gained=2, lost=1, changed=2, unchanged=1),
        StrategyDiff(strategy="fresh", gained=1, lost=0, changed=0, unchanged=0),
        StrategyDiff(strategy="gone", gained=0, lost=1, changed=0, unchanged=0),
    ]


def test_the_way_back_loses_what_the_way_there_gained(shop):
    old, new, _items, _category = shop
    there, back = compare_releases(new, old).strategies, compare_releases(old, new).strategies
    assert [(row.gained, row.lost, row.changed) for row in there] == [
        (row.lost, row.gained, row.changed) for row in back
    ]


def test_a_release_does_not_differ_from_itself(shop):
    old = shop[0]
    assert all(row.gained == row.lost == row.changed == 0 for row in compare_releases(old, old).strategies)


def test_the_lists_behind_each_count_can_be_looked_at(shop):
    old, new, items, category = shop
    owners = {
        change: [row.anchor or row.category for row in read_lists(new, old, "a", change)] for change in ListStatus
    }
    assert owners[ListStatus.GAINED] == items[3:5]
    assert owners[ListStatus.LOST] == [items[2]]
    assert set(owners[ListStatus.CHANGED]) == {items[1], category}


def test_a_changed_list_carries_its_former_text(shop):
    old, new, items, category = shop
    before = {row.anchor or row.category: row.before for row in read_lists(new, old, "a", ListStatus.CHANGED)}
    assert before == {items[1]: text("x"), category: text("z")}


@pytest.mark.parametrize(("after", "changed"), [("x", 0), ("y", 1)])
def test_lists_for_everybody_are_compared_with_each_other(db, after, changed):
    cache.clear()
    old, new = release({("a", None): text("x")}), release({("a", None): text(after)})
    assert compare_releases(new, old).strategies == [
        StrategyDiff(strategy="a", gained=0, lost=0, changed=changed, unchanged=1 - changed)
    ]
    found = read_lists(new, old, "a", ListStatus.CHANGED)
    assert [(one.owner, one.before) for one in found] == [("the whole shop", text("x"))] * changed
    for change in (ListStatus.GAINED, ListStatus.LOST):
        assert not read_lists(new, old, "a", change)


def test_a_complete_release_is_compared_once(shop, django_assert_num_queries):
    old, new, _items, _category = shop
    first = compare_releases(new, old)
    with django_assert_num_queries(0):
        assert compare_releases(new, old) == first


def test_a_release_still_being_written_is_compared_anew(shop):
    old, _new, items, _category = shop
    growing = release({("a", items[0]): text("x", "y")}, complete=False)
    assert compare_releases(growing, old).strategies[0].gained == 0
    OfferList.objects.create(release=growing, strategy="a", anchor=items[4], offers=text("x"))
    assert compare_releases(growing, old).strategies[0].gained == 1


def test_the_number_of_queries_does_not_grow_with_the_lists(shop, django_assert_num_queries):
    old, _new, items, _category = shop
    empty = release({})
    old_again = Release.objects.get(pk=old.pk)
    with django_assert_num_queries(5):
        compare_releases(empty, old_again)
    bigger = release({(name, item): text("x") for name in ("a", "b") for item in items})
    with django_assert_num_queries(5):
        compare_releases(bigger, old)


def test_new_figures_alone_move_nothing():
    change = list_change(text("x", "y", score=0.5), text("x", "y", score=0.4))
    assert (change.added, change.removed, change.remaining, change.reordered) == ([], [], ["x", "y"], False)


def test_a_new_order_is_a_move():
    assert list_change(text("x", "y"), text("y", "x")).reordered


keys = st.lists(st.sampled_from("abcdefgh"), unique=True)


@given(keys, keys)
def test_added_removed_and_remaining_offers_make_up_both_lists(old, new):
    change = list_change(text(*old), text(*new))
    assert sorted(change.added + change.remaining) == sorted(new)
    assert sorted(change.removed + change.remaining) == sorted(old)
    assert not set(change.added) & set(change.removed)
