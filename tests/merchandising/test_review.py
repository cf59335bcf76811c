"""What of a release has to be looked at, in which order, and what is kept from pages until it is approved."""

import pytest
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from ecomrec_django.merchandising import decisions, review
from ecomrec_django.merchandising.review import Traffic, priority, queue_for_review
from ecomrec_django.models import Category, Item, OfferList, Override, Publication, Release
from ecomrec_django.pipeline.cold_start import add_new_items
from ecomrec_django.pipeline.publish import publish, rollback
from ecomrec_django.testing import override_ecomrec
from tests.support.releases import Seen, encoded, fields, item, list_of, looked_through, offer, release, seen, visits

FIRST = {"a": "b c", "d": "e", "/Tents": "b", "": "c"}
# Of these, x and y are new, and so is the list of f.
SECOND = {"a": "x c b", "d": "e", "/Tents": "b y", "": "c", "f": "b"}


@pytest.fixture
def published(db) -> Release:
    """The first release, published and looked at."""
    made = release(FIRST)
    publish(made)
    return looked_through(made)


def prepared(lists, mode="auto", **options) -> Release:
    made = release(lists, **options)
    with override_ecomrec(REVIEW=mode):
        queue_for_review(made)
    return made


def waiting(of: Release) -> dict[str, str]:
    """By owner, what nobody has looked at."""
    rows = of.lists.filter(priority__isnull=False).select_related("anchor", "category")
    return {row.anchor.external_id if row.anchor else str(row.category or ""): " ".join(row.unreviewed) for row in rows}


class TestARelease:
    @pytest.mark.parametrize("mode", review.MODES)
    def test_is_to_be_reviewed_where_it_offers_what_the_published_one_does_not(self, published, mode):
        assert waiting(prepared(SECOND, mode)) == {"a": "x", "Tents": "y", "f": "b"}

    def test_keeps_nothing_from_pages_where_nothing_has_to_be_approved(self, published):
        second = prepared(SECOND)
        assert seen(second, "a") == Seen("x c b", "x")
        assert seen(second, "f") == Seen("b", "b")
        assert seen(second, "d") == Seen("e")

    @pytest.mark.parametrize("mode", ["changes", "all"])
    def test_keeps_what_is_new_from_pages_until_it_is_approved(self, published, mode):
        second = prepared(SECOND, mode)
        assert seen(second, "a") == Seen("c b", "x", held=True)
        assert seen(second, "/Tents") == Seen("b", "y", held=True)
        assert seen(second, "f") == Seen("", "b", held=True)
        for owner in ("d", ""):
            assert seen(second, owner) == Seen(FIRST[owner])

    @pytest.mark.parametrize(("mode", "held"), [("auto", False), ("changes", False), ("all", True)])
    def test_the_first_release_is_held_back_only_in_mode_all(self, db, mode, held):
        first = prepared(FIRST, mode)
        for owner, names in FIRST.items():
            assert seen(first, owner) == Seen("" if held else names, names, held)

    def test_whose_offers_only_change_places_need_not_be_reviewed(self, published):
        assert waiting(prepared({**FIRST, "a": "c b"}, "changes")) == {}

    def test_that_is_published_stays_as_it_is(self, published):
        before = fields(published)
        with override_ecomrec(REVIEW="all"):
            queue_for_review(published)
        assert fields(published) == before


@pytest.mark.parametrize("mode", review.MODES)
class TestWhatWasDecidedBefore:
    def test_waits_no_more(self, published, mode):
        for name, action in (("x", "pin"), ("y", "block")):
            Override.objects.create(strategy="bought_with", anchor=item("a"), offer=item(name), action=action)
        with override_ecomrec(REVIEW=mode):
            second = release({"a": "b z", "/Tents": "y"})
            publish(second)
            decisions.approve(None, list_of(second, "a"))
            decisions.approve(None, list_of(second, "/Tents"))
            # All that was decided about is gone for one release, and comes back with v.
            publish(release({"a": "b", "/Tents": "b"}))
        third = prepared({"a": "x y z v", "/Tents": "y v"}, mode)
        assert waiting(third) == {"a": "v", "Tents": "v"}
        held = mode != "auto"
        assert seen(third, "a") == Seen("x y z" if held else "x y z v", "v", held)

    def test_counts_in_that_list_of_that_strategy_alone(self, published, mode):
        Override.objects.create(strategy="bought_with", anchor=item("a"), offer=item("x"), action="pin")
        assert waiting(prepared({"d": "e x"}, mode)) == {"d": "x"}
        assert waiting(prepared({"a": "x"}, mode, strategy="upgrade_to")) == {"a": "x"}

    def test_and_undone_waits_again(self, published, mode):
        second = prepared({"a": "b x"}, mode)
        decision = decisions.approve(None, list_of(second, "a"))
        decisions.undo(None, decision)
        assert waiting(prepared({"a": "b x"}, mode)) == {"a": "x"}


class TestWhatNobodyLookedAt:
    def test_stays_in_the_queue_of_the_next_release(self, db):
        publish(release(FIRST))
        assert waiting(prepared(FIRST)) == {"a": "b c", "d": "e", "Tents": "b", "": "c"}
        changed = prepared({"a": "c v", "d": "e", "/Tents": "b v"})
        assert waiting(changed) == {"a": "c v", "d": "e", "Tents": "b v"}

    def test_and_was_held_is_held_on(self, published):
        with override_ecomrec(REVIEW="changes"):
            publish(release(SECOND))
        assert seen(prepared(SECOND, "changes"), "a") == Seen("c b", "x", held=True)
        assert seen(prepared({"a": "x v c"}, "changes"), "a") == Seen("c", "x v", held=True)

    def test_but_was_shown_is_not_taken_from_pages(self, db):
        """The first release is published as it is; then only what is new to pages waits."""
        with override_ecomrec(REVIEW="changes"):
            publish(release(FIRST))
        second = prepared({**FIRST, "a": "b c x"}, "changes")
        assert seen(second, "a") == Seen("b c", "x", held=True)
        assert seen(second, "d") == Seen("e", "e")
        assert seen(second, "") == Seen("c", "c")

    def test_and_is_gone_waits_no_more(self, db):
        publish(release({"a": "b", "d": "e"}))
        assert waiting(prepared({"a": "c"})) == {"a": "c"}


@pytest.mark.parametrize("mode", review.MODES)
class TestComparing:
    def test_twice_costs_one_query_and_changes_nothing(self, published, mode, django_assert_num_queries):
        second = prepared(SECOND, mode)
        before = fields(second)
        with override_ecomrec(REVIEW=mode), django_assert_num_queries(1):
            queue_for_review(second)
        assert fields(second) == before

    def test_with_another_release_begins_from_what_was_learned(self, published, mode):
        second, other = prepared(SECOND, mode), release({"a": "x", "f": "b v"})
        with override_ecomrec(REVIEW=mode):
            publish(other)
            looked_through(other)
            queue_for_review(second)
        fresh = prepared(SECOND, mode)
        assert [row[1:] for row in fields(second)] == [row[1:] for row in fields(fresh)]
        assert waiting(second) == {"a": "c b", "d": "e", "Tents": "b y", "": "c"} or mode != "auto"

    def test_anew_where_the_setting_changed_since(self, published, mode):
        second = prepared(SECOND, "auto" if mode != "auto" else "changes")
        with override_ecomrec(REVIEW=mode):
            publish(second)
        assert seen(second, "a") == (Seen("x c b", "x") if mode == "auto" else Seen("c b", "x", held=True))

    def test_a_few_lists_at_a_time_comes_to_the_same(self, published, mode, monkeypatch):
        lists = {**SECOND, **dict.fromkeys(("f1", "f2", "f3", "/Tents/Light"), "b c")}
        at_once = prepared(lists, mode)
        monkeypatch.setattr(review, "LISTS_AT_ONCE", 2)
        bit_by_bit = prepared(lists, mode)
        assert [row[1:] for row in fields(bit_by_bit)] == [row[1:] for row in fields(at_once)]

    def test_many_lists_costs_no_more_queries_than_a_few(self, published, mode):
        counts = []
        for many in (5, 50):
            made = release({f"n{number}": "b" for number in range(many)})
            with override_ecomrec(REVIEW=mode), CaptureQueriesContext(connection) as queries:
                queue_for_review(made)
            assert len(waiting(made)) == many
            counts.append(len(queries))
        assert counts[0] == counts[1]


class TestTheQueue:
    def test_has_the_lists_of_what_is_visited_most_first(self, published):
        visits(item("d"), 1, "purchase")
        visits(item("g"), 5)
        visits(item("h"), 3, "add_to_cart")
        visits(item("a"), 9, "review")
        second = prepared(dict.fromkeys("adgh", "n"))
        assert [row.anchor.external_id for row in second.lists.order_by(F("priority").desc(nulls_last=True))] == list(
            "ghda"
        )
        # Of its one place all is new, which eight customers leave in doubt by a third.
        assert list_of(second, "g").priority == pytest.approx((1 + 5) * 1 / 3)

    def test_traffic_of_categories_is_the_mean_of_their_items(self, published):
        tents, other = Category.objects.get(path="Tents"), item("o")
        for name, count in (("t1", 3), ("t2", 6)):
            Item.objects.filter(pk=item(name).pk).update(category=tents)
            visits(item(name), count)
        visits(other, 10)
        traffic = Traffic.latest()
        assert [
            traffic.of(OfferList(category=tents)),
            traffic.of(OfferList()),
            traffic.of(OfferList(anchor=other)),
        ] == [
            1 + (3 + 6) // 2,
            1 + 3 + 6 + 10,
            1 + 10,
        ]

    def test_forgets_visits_of_long_ago(self, published, monkeypatch):
        monkeypatch.setattr(review, "LATEST_EVENTS", 3)
        visits(item("d"), 2)
        visits(item("a"), 2)
        assert Traffic.latest().items == {item("d").pk: 1, item("a").pk: 2}

    def test_is_bounded_where_nothing_has_to_be_approved(self, published, monkeypatch):
        monkeypatch.setattr(review, "MAX_QUEUE", 2)
        visits(item("h"), 5)
        visits(item("g"), 3)
        lists = dict.fromkeys("fghi", "n")
        assert waiting(prepared(lists)).keys() == {"g", "h"}
        assert waiting(prepared(lists, "changes")).keys() == set(lists)

    @pytest.mark.parametrize("busy", [True, False])
    def test_the_queue_considers_the_busiest_lists_and_all_categories(self, published, monkeypatch, busy):
        monkeypatch.setattr(review, "MAX_CANDIDATES", 2)
        lists = dict.fromkeys(("f", "g", "h", "/Tents/Light"), "n")
        if busy:
            visits(item("h"), 5)
            visits(item("g"), 3)
            visits(item("f"), 1)
            assert waiting(prepared(lists)).keys() == {"g", "h", "Tents > Light"}
        else:
            listed = waiting(prepared(lists))
            assert "Tents > Light" in listed
            assert len(listed) == 2
        assert len(waiting(prepared(lists, "changes"))) == 4


LENGTHS = st.integers(1, 12)


@st.composite
def lists(draw):
    """The length of a list, its customers, those of its places that wait, and the visits beside it."""
    length = draw(LENGTHS)
    places = draw(st.sets(st.integers(0, length - 1), min_size=1))
    return length, draw(st.integers(0, 1000)), places, draw(st.integers(0, 10_000))


def needed(length, customers, places, visited) -> float:
    offers = [offer(str(place), customers) for place in range(length)]
    row = OfferList(anchor_id=1, unreviewed=[str(place) for place in sorted(places)])
    return priority(row, offers, Traffic({1: visited}))


class TestAttention:
    @given(lists(), st.integers(1, 1000))
    def test_grows_with_visits(self, drawn, more):
        *others, visited = drawn
        assert needed(*others, visited + more) > needed(*others, visited) > 0

    @given(lists(), st.integers(0, 11))
    def test_grows_with_the_places_that_are_taken(self, drawn, place):
        length, customers, places, visited = drawn
        more = needed(length, customers, places | {place % length}, visited)
        assert more >= needed(length, customers, places, visited)

    @given(lists(), st.integers(1, 11))
    def test_grows_with_how_high_a_place_is_taken(self, drawn, up):
        length, customers, places, visited = drawn
        last = max(places)
        higher = places - {last} | {next(place for place in range(last + 1) if place not in places - {last})}
        assert needed(length, customers, higher, visited) >= needed(length, customers, places, visited)

    @given(lists(), st.integers(1, 1000))
    def test_grows_with_doubt(self, drawn, more):
        length, customers, places, visited = drawn
        assert needed(length, customers, places, visited) > needed(length, customers + more, places, visited)

    def test_is_none_where_nothing_waits(self):
        assert priority(OfferList(anchor_id=1, unreviewed=["gone"]), [offer("a")], Traffic()) == 0.0


@pytest.mark.parametrize("mode", ["changes", "all"])
def test_publishing_holds_and_rolling_back_shows_the_former_lists(published, mode):
    second = release(SECOND)
    with override_ecomrec(REVIEW=mode):
        publish(second)
        assert Publication.objects.get().release == second
        assert seen(second, "a") == Seen("c b", "x", held=True)
        assert rollback() == published
        assert seen(published, "a") == Seen("b c")
        # What was held stays held, and what is approved meanwhile is not.
        decisions.approve(None, list_of(second, "/Tents"))
        publish(second)
        assert seen(second, "a") == Seen("c b", "x", held=True)
        assert seen(second, "/Tents") == Seen("b y")


def test_approved_offers_are_not_pending_in_the_next_release(published):
    with override_ecomrec(REVIEW="changes"):
        second, third = release(SECOND), release({**SECOND, "a": "x c b v"})
        publish(second)
        queue_for_review(third)
        decisions.approve(None, list_of(second, "a"), ["x"])
        publish(third)
    assert seen(third, "a") == Seen("x c b", "v", held=True)


class TestANewProduct:
    """``tent-new`` came after the release was trained; it is like ``tent``, which is bought with ``pegs``."""

    @pytest.fixture
    def trained(self, db):
        made = release({"tent": "pegs", "pegs": "tent"})
        tents = Category.objects.create(name="Tents", path="Tents", digest="t")
        Item.objects.filter(external_id="tent").update(category=tents)
        made.newest_item = Item.objects.latest("pk").pk
        made.save()
        return made

    def arrives(self):
        category = Category.objects.get()
        Item.objects.create(external_id="tent-new", title="Title tent", category=category, price=5)
        assert add_new_items().items == 1

    def test_waits_where_changes_have_to_be_approved(self, trained):
        with override_ecomrec(REVIEW="changes"):
            publish(trained)
            looked_through(trained)
            self.arrives()
        assert seen(trained, "pegs") == Seen("tent", "tent-new", held=True)
        assert seen(trained, "tent-new") == Seen("", "pegs", held=True)
        decisions.approve(None, list_of(trained, "pegs"))
        assert seen(trained, "pegs") == Seen("tent tent-new")

    def test_unreviewed_offers_already_shown_stay_on_pages(self, trained):
        with override_ecomrec(REVIEW="changes"):
            publish(trained)
            self.arrives()
        assert seen(trained, "pegs") == Seen("tent", "tent-new", held=True)

    def test_joins_what_is_held_in_its_place(self, trained):
        with override_ecomrec(REVIEW="all"):
            publish(trained)
            decisions.approve(None, list_of(trained, "tent"))
            self.arrives()
        assert seen(trained, "pegs") == Seen("", "tent tent-new", held=True)

    def test_is_shown_where_nothing_has_to_be_approved(self, trained):
        with override_ecomrec(REVIEW="changes"):
            publish(trained)
            row = list_of(trained, "pegs")
            review.hold_back(row, [offer("tent"), offer("mat")], ["mat"], Traffic())
            row.save()
        self.arrives()
        assert seen(trained, "pegs").shown == "tent mat tent-new"
        assert seen(trained, "tent-new") == Seen("pegs")


def test_texts_are_kept_as_they_were_learned(published):
    second = prepared({"a": "x c b"}, "changes")
    row = list_of(second, "a")
    assert row.proposed == encoded("x c b")
    decisions.approve(None, row)
    row.refresh_from_db()
    assert (row.offers, row.proposed, row.unreviewed, row.priority) == (encoded("x c b"), None, None, None)
