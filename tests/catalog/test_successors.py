import pytest

from ecomrec_django.catalog.successors import heirs, successors_of
from ecomrec_django.catalog.sync import sync
from ecomrec_django.errors import DataError
from ecomrec_django.models import Item, OfferList, Override, Publication, Rule
from ecomrec_django.serving.rulebook import read_rulebook
from ecomrec_django.strategies.base import decode_offers
from ecomrec_django.tasks import run_sync, run_training
from example_shop.models import Category, Product
from example_shop.recommendations import ShopCatalog
from tests.support.planted_shop import facts


def shop_of(planted_shop, **replaces):
    """A shop of these products, the old ones included, of which the next sync finds only those with a dot."""
    names = {name: name.rstrip("_") for name in replaces}
    planted_shop.facts = [facts(names[name], replaces=old) for name, old in replaces.items()]
    sync()
    planted_shop.facts = [each for each in planted_shop.facts if f"{each.external_id}_" not in replaces]
    sync()


def named_heirs():
    names = dict(Item.objects.values_list("pk", "external_id"))
    return {names[old]: names[new] for old, new in heirs().items()}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("replaces", "expected"),
    [
        ({"old_": "", "new": "old"}, {"old": "new"}),
        ({"old": "", "new": "old"}, {}),
        ({"a_": "", "b_": "a", "c": "b"}, {"a": "c", "b": "c"}),
        ({"a_": "", "b_": "", "c": "a"}, {"a": "c"}),
        ({"a_": "", "b": "a", "c": "a"}, {"a": "b"}),
        ({"a_": "b", "b_": "a", "c": ""}, {}),
        ({"a_": "b", "b": "a"}, {"a": "b"}),
        ({"a": "a", "b": "unknown"}, {}),
    ],
    ids=str,
)
def test_the_history_of_what_is_gone_belongs_to_what_is_sold_in_its_place(planted_shop, replaces, expected):
    shop_of(planted_shop, **replaces)
    assert named_heirs() == expected


@pytest.mark.django_db
def test_successors_include_those_of_successors(planted_shop):
    shop_of(planted_shop, a="", b="a", c="b", d="a")
    assert successors_of(["a", "c"]) == {"a": ["b", "d", "c"]}


@pytest.mark.django_db
def test_what_staff_decided_holds_for_the_successor(planted_shop):
    shop_of(planted_shop, a="", x="")
    a, x = Item.objects.get(external_id="a"), Item.objects.get(external_id="x")
    Override.objects.create(strategy="bought_with", anchor=a, offer=x, action="pin", position=2)
    Override.objects.create(strategy="bought_with", anchor=x, offer=a, action="block")
    Rule.objects.create(name="r", action="hide", item=a)
    planted_shop.facts = [facts("x"), facts("b", replaces="a")]
    run_sync()
    run_sync()
    overrides = Override.objects.values_list("anchor__external_id", "offer__external_id", "action", "position")
    assert set(overrides) == {
        ("a", "x", "pin", 2),
        ("b", "x", "pin", 2),
        ("x", "a", "block", 1),
        ("x", "b", "block", 1),
    }
    active = read_rulebook().active_rules("bought_with")
    assert [name for name in "abx" if active.violation(name)] == ["a", "b"]


@pytest.mark.django_db
def test_a_product_without_an_id_is_skipped_and_none_is_no_product(monkeypatch):
    Product.objects.create(sku="a", title="A", price=1)
    monkeypatch.setattr(ShopCatalog, "key", "brand")
    monkeypatch.setattr(Product, "brand", None, raising=False)
    report = sync()
    assert not Item.objects.exists()
    with pytest.raises(DataError, match="it has no id"):
        report.check()
    assert ShopCatalog().id_of(None) == ""


def list_of(anchor):
    release = Publication.objects.get().release
    stored = OfferList.objects.get(release=release, strategy="bought_with", anchor__external_id=anchor)
    return [(offer.item, offer.reason, round(offer.score, 6)) for offer in decode_offers(stored.offers)]


@pytest.mark.usefixtures("trained_shop")
def test_a_new_sku_inherits_the_list_the_places_and_the_evidence(monkeypatch):
    before, places = list_of("tent"), [name for name, *_ in list_of("pegs")]
    assert "tent" in places
    Product.objects.filter(sku="tent").delete()
    Product.objects.create(sku="tent-2", title="T 2", category=Category.objects.get(name="Tents"), price="99.00")
    monkeypatch.setattr(
        ShopCatalog, "replaced_id", lambda self, product: "tent" if product.sku == "tent-2" else "", raising=False
    )
    run_sync()
    renamed = [name if name != "tent" else "tent-2" for name in places]
    assert list_of("tent-2") == before
    assert [name for name, *_ in list_of("pegs")] == renamed
    run_training(publish=True)
    assert list_of("tent-2") == before
    assert [name for name, *_ in list_of("pegs")] == renamed
