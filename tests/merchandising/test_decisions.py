"""What a merchant decides: what comes of it, what is written down, and that an undo leaves no trace of it."""

import pytest
from django.contrib.auth.models import User
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ecomrec_django.catalog.categories import CategoryTree
from ecomrec_django.errors import DataError
from ecomrec_django.merchandising import decisions
from ecomrec_django.merchandising.review import Traffic, hold_back
from ecomrec_django.models import Category, Decision, Item, OfferList, Override, Rule, Segment
from ecomrec_django.pipeline.publish import publish
from ecomrec_django.strategies.base import decode_offers
from ecomrec_django.testing import override_ecomrec
from tests.support.releases import Seen, item, list_of, looked_through, offer, release, seen

OFFERS = "b c d e f"


@pytest.fixture
def held(db):
    """A published release that holds d and e beside a, f in a category, and g on pages of the whole shop."""
    with override_ecomrec(REVIEW="changes"):
        publish(looked_through(release({"a": "b c f", "/Tents": "b", "": "b"})))
        made = release({"a": OFFERS, "/Tents": "b f", "": "g b"})
        publish(made)
    Item.objects.filter(external_id="d").update(category=Category.objects.get(path="Tents"))
    assert seen(made, "a") == Seen("b c f", "d e", held=True)
    return made


@pytest.fixture
def row(held) -> OfferList:
    return list_of(held, "a")


@pytest.fixture
def anna(db) -> User:
    return User.objects.create_user("anna")


@pytest.fixture
def ben(db) -> User:
    return User.objects.create_user("ben")


def words() -> list[tuple]:
    """The pins and blocks there are, in the order of their places."""
    found = Override.objects.order_by("action", "position", "pk")
    return list(found.values_list("offer__external_id", "action", "position", "created_by__username"))


def state() -> dict[str, list]:
    """All that a decision may change."""
    kept = ("strategy", "anchor", "offer", "action", "position", "segment", "note", "created_by")
    return {
        "overrides": list(Override.objects.order_by("anchor", "offer").values_list(*kept)),
        "rules": list(Rule.objects.order_by("pk").values_list("pk", "item", "category", "anchor_category")),
        "lists": list(
            OfferList.objects.order_by("pk").values_list("pk", "offers", "proposed", "unreviewed", "priority")
        ),
    }


class TestADecision:
    @pytest.mark.parametrize("verb", ["pin", "block"])
    def test_about_a_pair_says_who_why_and_what(self, row, anna, verb):
        made = getattr(decisions, verb)(anna, row, item("d"), "It fits.")
        made.refresh_from_db()
        assert words() == [("d", verb, 1, "anna")]
        assert (made.action, made.user, made.note, made.strategy) == (verb, anna, "It fits.", "bought_with")
        assert (made.anchor, made.category, made.offer, made.items) == (item("a"), None, item("d"), ["d"])
        assert (made.undone_at, made.undone_by) == (None, None)

    def test_may_be_taken_back_by_following_the_list_again(self, row, anna, ben):
        decisions.pin(anna, row, item("c"))
        made = decisions.follow(ben, row, item("c"), "Out of season.")
        assert words() == []
        assert (made.action, made.user, made.note, made.offer, made.items) == (
            "follow",
            ben,
            "Out of season.",
            item("c"),
            [],
        )

    def test_to_pin_comes_behind_the_pins_there_are(self, row, anna):
        for name in "dbx":
            decisions.pin(anna, row, item(name))
        decisions.block(anna, row, item("d"))
        decisions.pin(anna, row, item("d"))
        assert words() == [("b", "pin", 2, "anna"), ("x", "pin", 3, "anna"), ("d", "pin", 4, "anna")]

    def test_to_turn_a_pin_into_a_block_keeps_who_began(self, row, anna, ben):
        decisions.pin(anna, row, item("b"))
        decisions.block(ben, row, item("b"))
        assert words() == [("b", "block", 1, "anna")]

    def test_ordering_pins_offers_before_other_pins(self, row, anna):
        decisions.pin(anna, row, item("b"))
        decisions.pin(anna, row, item("c"))
        made = decisions.order(anna, row, ["e", "c", "e"], "As asked.")
        assert [(name, place) for name, _, place, _ in words()] == [("e", 1), ("c", 2), ("b", 3)]
        assert (made.action, made.offer, made.items, made.note) == ("order", None, ["e", "c"], "As asked.")

    def test_to_hide_an_item_is_a_rule_about_it_everywhere(self, held, anna):
        made = decisions.hide_item(anna, item("d"), "Recalled.")
        rule = Rule.objects.get()
        assert (rule.item, rule.action, rule.active, rule.strategy) == (item("d"), "hide", True, "")
        assert (rule.created_by, rule.note, rule.name) == (anna, "Recalled.", "Never Title d")
        assert (made.action, made.user, made.note, made.offer, made.items) == (
            "hide_item",
            anna,
            "Recalled.",
            item("d"),
            ["d"],
        )
        assert (made.strategy, made.anchor, made.category) == ("", None, None)

    def test_to_limit_an_item_is_a_rule_that_an_undo_removes(self, held, anna):
        made = decisions.limit_item(anna, item("d"), 0.05, "Too often.")
        rule = Rule.objects.get()
        assert (rule.item, rule.action, rule.max_share, rule.name) == (item("d"), "limit", 0.05, "Less of Title d")
        assert (made.action, made.offer, made.note) == ("limit", item("d"), "Too often.")
        with pytest.raises(DataError, match="already limited"):
            decisions.limit_item(anna, item("d"), 0.5)
        decisions.undo(anna, made)
        assert not Rule.objects.exists()

    def test_hiding_a_category_pair_creates_a_rule(self, held, anna):
        tents = Category.objects.get(path="Tents")
        pegs = Category.objects.get(pk=CategoryTree().pk(("Pegs",)))
        made = decisions.hide_pair(anna, "bought_with", tents, pegs, "Never.")
        rule = Rule.objects.get()
        assert (rule.anchor_category, rule.category, rule.strategy, rule.item) == (tents, pegs, "bought_with", None)
        assert (rule.action, rule.name, rule.note, rule.created_by) == ("hide", "No Pegs with Tents", "Never.", anna)
        assert (made.action, made.strategy, made.category, made.items) == ("hide_pair", "bought_with", pegs, [])
        decisions.undo(anna, made)
        assert not Rule.objects.exists()


class TestWhatWaits:
    def test_is_shown_in_its_place_once_it_is_approved(self, held, row, anna):
        needed = row.priority
        made = decisions.approve(anna, row, ["e", "b", "e"], "Fine.")
        assert seen(held, "a") == Seen("b c e f", "d", held=True)
        assert list_of(held, "a").priority == pytest.approx(needed / 2)
        assert (made.action, made.user, made.note, made.items) == ("approve", anna, "Fine.", ["e"])
        assert (made.strategy, made.anchor, made.offer) == ("bought_with", item("a"), None)
        assert decisions.approve(anna, row).items == ["d"]
        assert seen(held, "a") == Seen(OFFERS)

    @pytest.mark.parametrize("decide", [decisions.pin, decisions.block])
    def test_waits_no_more_once_something_is_decided_about_it(self, held, row, anna, decide):
        decide(anna, row, item("d"))
        assert seen(held, "a") == Seen("b c d f", "e", held=True)
        assert decisions.approve(anna, row).items == ["e"]

    def test_waits_no_more_once_it_is_placed(self, held, row, anna):
        decisions.order(anna, row, ["e", "d"])
        assert seen(held, "a") == Seen(OFFERS)

    def test_waits_on_while_something_is_decided_about_others(self, held, row, anna):
        decisions.pin(anna, row, item("b"))
        decisions.block(anna, row, item("x"))
        decisions.hide_item(anna, item("d"))
        assert seen(held, "a") == Seen("b c f", "d e", held=True)

    @pytest.mark.parametrize(("owner", "text"), [("/Tents", "b f"), ("", "g b")])
    def test_offers_of_a_category_list_can_be_approved(self, held, anna, owner, text):
        made = decisions.approve(anna, list_of(held, owner))
        assert seen(held, owner) == Seen(text)
        assert made.anchor is None
        assert (made.category is None) == (owner == "")
        decisions.undo(anna, made)
        assert seen(held, owner).held

    def test_without_being_held_is_only_marked(self, db, anna):
        made = release({"a": "b c"})
        publish(made)
        assert seen(made, "a") == Seen("b c", "b c")
        decision = decisions.approve(anna, list_of(made, "a"), ["b"])
        assert seen(made, "a") == Seen("b c", "c")
        decisions.undo(anna, decision)
        assert seen(made, "a") == Seen("b c", "b c")


class TestIsRefused:
    """With the reason in words, and nothing changes."""

    @pytest.fixture(autouse=True)
    def _nothing_changes(self, held, anna):
        decisions.pin(anna, list_of(held, "a"), item("b"))
        decisions.pin(anna, list_of(held, "a"), item("c"))
        decisions.block(anna, list_of(held, "a"), item("x"))
        decisions.hide_item(anna, item("x"))
        before, decided = state(), Decision.objects.count()
        yield
        assert state() == before
        assert Decision.objects.count() == decided

    @pytest.mark.parametrize(
        ("verb", "what"),
        [
            *(("pin", "b"), ("block", "x"), ("follow", "d")),
            *(("order", ["b", "c"]), ("order", ["b"]), ("approve", ["b"]), ("approve", ["zzz"]), ("approve", [])),
        ],
    )
    def test_what_was_decided_already(self, row, ben, verb, what):
        what = item(what) if isinstance(what, str) else what
        with pytest.raises(DataError, match="decided"):
            getattr(decisions, verb)(ben, row, what)

    def test_hiding_twice(self, held, ben):
        with pytest.raises(DataError, match="“Title x” is already hidden"):
            decisions.hide_item(ben, item("x"))

    @pytest.mark.parametrize("verb", ["pin", "block", "follow", "order"])
    def test_an_item_beside_itself(self, row, ben, verb):
        with pytest.raises(DataError, match="with itself"):
            getattr(decisions, verb)(ben, row, ["a"] if verb == "order" else item("a"))

    @pytest.mark.parametrize("verb", ["pin", "block", "follow", "order"])
    @pytest.mark.parametrize("owner", ["/Tents", ""])
    def test_a_word_on_a_pair_in_a_list_of_no_item(self, held, ben, verb, owner):
        with pytest.raises(DataError, match="only be pinned or blocked in the list of an item"):
            getattr(decisions, verb)(ben, list_of(held, owner), ["b"] if verb == "order" else item("b"))

    @pytest.mark.parametrize(
        ("names", "why"),
        [
            ([], "from 1 to 20"),
            (["b", "zzz"], "“zzz” is not in the catalog"),
            ([str(n) for n in range(21)], "from 1 to 20"),
        ],
    )
    def test_an_order_of_none_of_too_many_or_of_what_there_is_not(self, row, ben, names, why):
        with pytest.raises(DataError, match=why):
            decisions.order(ben, row, names)

    @pytest.mark.parametrize("verb", ["pin", "block", "follow", "order", "approve", "hide_item", "hide_pair"])
    def test_a_note_that_is_too_long_to_be_kept(self, row, ben, verb):
        tents = Category.objects.get(path="Tents")
        what = {
            "order": (row, ["e"]),
            "approve": (row, None),
            "follow": (row, item("b")),
            "hide_item": (item("d"),),
            "hide_pair": ("bought_with", tents, tents),
        }
        with pytest.raises(DataError, match="limit is 255"):
            getattr(decisions, verb)(ben, *what.get(verb, (row, item("d"))), note="x" * 256)


class TestHiding:
    @pytest.mark.parametrize(
        "narrowed",
        [
            {"strategy": "for_you"},
            {"slot": "home"},
            {"highest_price": 3},
            {"ends": "2020-01-01T00:00Z"},
            {"brand": "x"},
        ],
        ids=str,
    )
    def test_an_item_hidden_only_somewhere_can_be_hidden_everywhere(self, held, anna, narrowed):
        Rule.objects.create(name="narrow", action="hide", item=item("d"), **narrowed)
        decisions.hide_item(anna, item("d"))
        with pytest.raises(DataError, match="already"):
            decisions.hide_item(anna, item("d"))

    def test_a_category_beside_another_twice_is_refused(self, held, anna):
        tents, pegs = Category.objects.get(path="Tents"), Category.objects.get(pk=CategoryTree().pk(("Pegs",)))
        Rule.objects.create(
            name="narrow", action="hide", anchor_category=tents, category=pegs, strategy="bought_with", slot="x"
        )
        decisions.hide_pair(anna, "bought_with", tents, pegs)
        with pytest.raises(DataError, match="already"):
            decisions.hide_pair(anna, "bought_with", tents, pegs)
        decisions.hide_pair(anna, "upgrade_to", tents, pegs)
        decisions.hide_pair(anna, "bought_with", pegs, tents)


STEP = st.tuples(
    st.sampled_from(["pin", "block", "follow", "order", "approve", "approve_all", "hide_item"]),
    st.sampled_from(["a", "/Tents", ""]) | st.just("a"),
    st.lists(st.sampled_from("bcdefx"), min_size=1, max_size=3),
)


def decided(user, owner, verb, names, made) -> Decision:
    row = list_of(made, owner)
    if verb == "hide_item":
        return decisions.hide_item(user, item(names[0]))
    if verb in ("order", "approve"):
        return getattr(decisions, verb)(user, row, names)
    if verb == "approve_all":
        return decisions.approve(user, row)
    return getattr(decisions, verb)(user, row, item(names[0]))


class TestAnUndo:
    @settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.lists(STEP, max_size=6))
    def test_undoing_all_in_reverse_order_restores_everything(self, held, anna, ben, steps):
        Override.objects.get_or_create(
            strategy="bought_with",
            anchor=item("a"),
            offer=item("e"),
            defaults={"action": "pin", "position": 7, "note": "Long ago.", "created_by": ben},
        )
        states, made = [], []
        for verb, owner, names in steps:
            before = state()
            try:
                made.append(decided(anna, owner, verb, names, held))
            except DataError:
                # What is refused changes nothing.
                assert state() == before
            else:
                states.append(before)
        for before, decision in zip(reversed(states), reversed(made), strict=True):
            decisions.undo(ben, decision)
            assert state() == before

    def test_says_who_and_when(self, row, anna, ben):
        made = decisions.pin(anna, row, item("b"))
        decisions.undo(ben, made)
        made.refresh_from_db()
        assert (made.user, made.undone_by) == (anna, ben)
        assert made.undone_at >= made.time

    def test_twice_is_refused(self, row, anna):
        made = decisions.pin(anna, row, item("b"))
        decisions.undo(anna, made)
        with pytest.raises(DataError, match="already been undone"):
            decisions.undo(anna, made)

    def test_is_refused_while_a_later_decision_about_the_same_list_stands(self, held, row, anna):
        first, second = decisions.pin(anna, row, item("b")), decisions.block(anna, row, item("c"))
        with pytest.raises(DataError, match="There is a later decision about this list"):
            decisions.undo(anna, first)
        assert len(words()) == 2
        decisions.undo(anna, second)
        decisions.undo(anna, first)
        assert words() == []

    def test_is_possible_while_later_ones_are_about_other_lists_or_all_of_the_shop(self, held, row, anna):
        tents = Category.objects.get(path="Tents")
        first = decisions.approve(anna, list_of(held, "/Tents"))
        decisions.approve(anna, list_of(held, ""))
        decisions.pin(anna, row, item("b"))
        decisions.hide_item(anna, item("b"))
        decisions.hide_pair(anna, "bought_with", tents, tents)
        decisions.undo(anna, first)
        assert seen(held, "/Tents").held

    def test_leaves_alone_what_came_into_the_list_since(self, held, row, anna):
        approved = decisions.approve(anna, row, ["d"])
        pinned = decisions.pin(anna, row, item("b"))
        with override_ecomrec(REVIEW="changes"):
            grown = list_of(held, "a")
            hold_back(grown, [*decode_offers(grown.proposed), offer("new")], ["new"], Traffic())
            grown.save()
        assert seen(held, "a") == Seen("b c d f", "e new", held=True)
        decisions.undo(anna, pinned)
        assert seen(held, "a") == Seen("b c d f", "e new", held=True)
        decisions.undo(anna, approved)
        assert seen(held, "a") == Seen("b c f", "d e new", held=True)

    def test_undo_does_not_restore_deleted_references(self, row, anna, ben):
        segment = Segment.objects.create(label=1, description="gourmets")
        pair = {"strategy": "bought_with", "anchor": item("a"), "action": "pin"}
        for name, more in (("b", {"segment": segment}), ("c", {}), ("d", {"created_by": ben})):
            Override.objects.create(offer=item(name), **pair, **more)
        made = decisions.order(anna, row, ["d", "c", "b"])
        segment.delete()
        item("c").delete()
        ben.delete()
        decisions.undo(anna, made)
        assert words() == [("d", "pin", 1, None)]

    def test_is_possible_once_the_release_is_gone(self, held, row, anna):
        made = decisions.pin(anna, row, item("d"))
        OfferList.objects.all().delete()
        decisions.undo(anna, made)
        assert words() == []
