from __future__ import annotations

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext

from ecomrec_django.catalog.sync import sync
from ecomrec_django.models import Category as ItsCategory
from ecomrec_django.models import Item, OfferList, Publication
from ecomrec_django.pipeline import cold_start
from ecomrec_django.pipeline.cold_start import ColdStartReport, add_new_items
from ecomrec_django.pipeline.publish import publish
from ecomrec_django.serving.offers import offers
from ecomrec_django.strategies.base import LIST_LENGTH, Offer, Reason, decode_offers, encode_offers, evidence_of
from ecomrec_django.strategies.bought_with import COLD_PER_ITEM, COLD_SHARE
from ecomrec_django.tasks import run_sync, run_training
from example_shop.models import Category, Product
from tests.support.image_vectors import paint

pytestmark = pytest.mark.usefixtures("trained_shop")


def arrives(sku: str = "tent-new", category: str = "Tents", title: str = "Trail tent new", price="110.00", **more):
    shelf = Category.objects.get_or_create(name=category, defaults={"slug": category.lower()})[0] if category else None
    return Product.objects.create(sku=sku, title=title, category=shelf, price=price, **more)


def list_of(anchor: str, strategy: str = "bought_with") -> dict[str, Offer]:
    release = Publication.objects.get().release
    stored = OfferList.objects.filter(release=release, strategy=strategy, anchor__external_id=anchor).first()
    return {offer.item: offer for offer in decode_offers(stored.offers)} if stored else {}


def without_the_other_tent() -> None:
    """A block has two offers of one aisle at most."""
    Product.objects.filter(sku="tent-light").delete()


def everything() -> dict[int, str]:
    return dict(OfferList.objects.values_list("pk", "offers"))


def shown(rf, anchor: str) -> list[str]:
    cache.clear()
    return [offer.item for offer in offers(rf.get("/"), "bought_with", [anchor], 10).offers]


def test_a_sync_adds_offers_for_and_of_new_products(rf):
    arrives()
    without_the_other_tent()
    assert "tent-new" not in shown(rf, "pegs")
    run_sync()
    assert "tent-new" in shown(rf, "pegs")
    assert "tent-new" in shown(rf, "lamp")
    assert shown(rf, "tent-new")[:2] == [item for item in shown(rf, "tent") if item in {"pegs", "lamp"}]


def test_a_new_item_is_offered_below_its_nearest_known_item():
    arrives()
    run_sync()
    for anchor in ("pegs", "lamp"):
        twin, new = list_of(anchor)["tent"], list_of(anchor)["tent-new"]
        told = evidence_of(new)
        assert new.reason is Reason.SIMILAR
        assert new.aisle == twin.aisle == Item.objects.get(external_id="tent").category.aisle_id
        assert 0 < told["similarity"] <= 1
        assert told["orders"] == evidence_of(twin)["orders"]
        assert new.score == pytest.approx(COLD_SHARE * told["similarity"] * twin.score, rel=1e-3)
        scores = [offer.score for offer in list_of(anchor).values()]
        assert scores == sorted(scores, reverse=True)
    assert "tent-new" not in list_of("tent")
    assert "tent-new" not in list_of("mug")


def test_its_own_list_is_its_twins_and_claims_no_orders_of_its_own():
    arrives()
    run_sync()
    twin, own = list_of("tent"), list_of("tent-new")
    assert list(own) == list(twin)
    assert twin["pegs"].reason is Reason.TOGETHER
    assert own["pegs"].reason is Reason.SIMILAR
    assert not {offer.reason for offer in own.values()} & {Reason.TOGETHER}


def test_covering_twice_changes_nothing():
    arrives()
    run_sync()
    before = everything()
    assert add_new_items() == ColdStartReport()
    run_sync()
    assert everything() == before


def test_a_sync_without_anything_new_costs_one_query():
    run_sync()
    with CaptureQueriesContext(connection) as queries:
        assert add_new_items() == ColdStartReport()
    assert len(queries) == 1


@pytest.mark.parametrize(
    "arrival",
    [
        {"category": None},
        {"category": "Kayaks"},
        {"category": "Stoves", "title": "Trail stove"},
    ],
    ids=["without a category", "of a new need", "alone in its need"],
)
def test_an_item_without_a_twin_changes_no_list(arrival):
    before = everything()
    arrives("stranger", **arrival)
    run_sync()
    assert Item.objects.filter(external_id="stranger", active=True).exists()
    assert everything() == before


def test_an_item_that_is_gone_again_is_not_covered():
    arrives()
    before = everything()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ecomrec_django.tasks.add_new_items", lambda: None)
        run_sync()
        Product.objects.filter(sku="tent-new").delete()
        run_sync()
    assert not Item.objects.get(external_id="tent-new").active
    assert add_new_items() == ColdStartReport()
    assert everything() == before


def test_a_twin_that_is_gone_stands_in_for_nothing():
    arrives()
    Product.objects.filter(sku="tent").delete()
    before = everything()
    run_sync()
    assert everything() == before


def test_without_a_published_release_nothing_is_added():
    Publication.objects.all().delete()
    before = everything()
    arrives()
    run_sync()
    assert everything() == before


def test_a_release_that_is_replaced_meanwhile_stays_as_it_is(monkeypatch):
    arrives()
    other = run_training().release
    before = everything()
    arrives("tent-newer")
    found = cold_start._with_nearest

    def published_meanwhile(*args):
        newcomers = found(*args)
        publish(other)
        return newcomers

    monkeypatch.setattr(cold_start, "_with_nearest", published_meanwhile)
    run_sync()
    assert everything() == before


def test_after_the_next_training_the_trained_lists_stand():
    arrives()
    run_sync()
    release = run_training(publish=True).release
    assert release.newest_item == Item.objects.get(external_id="tent-new").pk
    assert add_new_items() == ColdStartReport()
    assert list_of("pegs")["tent-new"].reason is Reason.SIMILAR


def stand_ins(anchor: str) -> list[str]:
    return [item for item, offer in list_of(anchor).items() if offer.reason is Reason.SIMILAR]


def test_many_new_items_get_lists_and_the_most_similar_are_offered():
    # Nobody bought these two tents, so that the training has let them stand in.
    assert stand_ins("pegs") == ["tent-light", "tent-storm"]
    for number in reversed(range(4)):
        arrives(f"new-{number}", title="Trail tent new" + " another word" * number, price=110 + number)
    run_sync()
    assert all(list_of(f"new-{number}") for number in range(4))
    assert stand_ins("pegs")[0] == "new-0"
    assert len(stand_ins("pegs")) == COLD_PER_ITEM
    # A later sync neither makes room for more nor keeps out what is more alike.
    before = list_of("pegs")
    arrives("worse", title="Quite something else")
    run_sync()
    assert list_of("worse")
    assert list_of("pegs") == before
    arrives("better", title="Trail tent", price="100.00")
    run_sync()
    assert stand_ins("pegs") == ["better", "new-0"]


def test_an_item_without_a_price_gets_offers_but_is_not_offered():
    arrives(price=None)
    run_sync()
    assert list_of("tent-new")
    assert "tent-new" not in list_of("pegs")


@pytest.mark.parametrize(("lowest", "taken"), [(0.9, False), (1e-9, True)])
def test_a_full_list_keeps_its_length_and_its_better_offers(lowest, taken):
    stored = OfferList.objects.get(strategy="bought_with", anchor__external_id="pegs")
    twin = list_of("pegs")["tent"]._replace(score=1.0)
    others = [
        Offer(item=f"x{n}", score=lowest, reason=Reason.AISLE, aisle=0, evidence=(3, 0.1))
        for n in range(LIST_LENGTH - 1)
    ]
    stored.offers = encode_offers([twin, *others])
    stored.save()
    arrives()
    run_sync()
    found = list(list_of("pegs"))
    assert len(found) == LIST_LENGTH
    assert ("tent-new" in found) is taken
    assert found[0] == "tent"


def test_pages_hear_of_it_at_once(rf, django_capture_on_commit_callbacks):
    arrives()
    without_the_other_tent()
    offers(rf.get("/"), "bought_with", ["pegs"], 10)
    with django_capture_on_commit_callbacks(execute=True):
        run_sync()
    assert "tent-new" in [offer.item for offer in offers(rf.get("/"), "bought_with", ["pegs"], 10).offers]


def test_images_choose_the_nearest_known_item():
    arrives(title="Something new", price="115.00")
    sync()
    paint({"tent": (1, 0), "tent-light": (0, 1), "tent-storm": (0, 1), "tent-new": (1, 0.1)})
    add_new_items()
    twin = list_of("tent")["pegs"]
    assert evidence_of(list_of("tent-new")["pegs"])["orders"] == evidence_of(twin)["orders"]
    assert "tent-new" in list_of("pegs")


def test_a_suggested_category_is_used_for_offers(rf):
    arrives(category="", title="Thing")
    sync()
    assert add_new_items() == ColdStartReport()
    paint({"tent": (1, 0)})
    paint({"tent-new": (1, 0)}, category=ItsCategory.objects.get(path__endswith="Tents"))
    add_new_items()
    assert "tent-new" in shown(rf, "pegs")
    assert "pegs" in shown(rf, "tent-new")


def test_suggested_categories_never_replace_the_shops(rf):
    arrives(category="Mugs", title="Thing", price="6.50")
    sync()
    paint({"tent": (1, 0)})
    paint({"tent-new": (1, 0)}, category=ItsCategory.objects.get(path__endswith="Tents"))
    add_new_items()
    assert "tent-new" not in shown(rf, "pegs")
