import pytest

from ecomrec_django.doctor.findings import Level
from ecomrec_django.doctor.pages import block, tags
from ecomrec_django.models import Publication
from ecomrec_django.serving.offer_store import invalidate
from ecomrec_django.testing import override_ecomrec, publish_offers
from example_shop.models import Product
from example_shop.recommendations import ShopCatalog


@pytest.fixture
def templates(settings, tmp_path):
    """Gives the project these templates alone."""

    def use(**texts):
        settings.INSTALLED_APPS = [name for name in settings.INSTALLED_APPS if name != "example_shop"]
        for name, text in texts.items():
            (tmp_path / f"{name}.html").write_text(text)
        settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]

    return use


def test_templates_with_tags_are_named():
    findings = list(tags())
    assert [finding.level for finding in findings] == [Level.OK]
    assert "shop/product.html" in findings[0].message or "shop/cart.html" in findings[0].message


LOAD = "{% load i18n ecomrec %}"


@pytest.mark.parametrize(
    ("text", "warnings"),
    [
        ("<h1>Shop</h1>", ["no template of the shop shows offers", "no page reports product views"]),
        # Of another library.
        ("{% load web_components %}{% slot 'x' %}", ["no template of the shop shows", "no page reports product views"]),
        (LOAD + "{% bought_with product %}", ["no template has the script", "no page reports product views"]),
        (LOAD + "{%slot 'product' product %}{% ecomrec_scripts %}", ["no page reports product views"]),
        (LOAD + "{% for_you %}{% ecomrec_scripts view=product %}", []),
        (LOAD + "{% for_you %}{% ecomrec_scripts %}<p {% ecomrec_view product %}>", []),
    ],
)
def test_what_templates_lack_is_a_warning_with_a_remedy(templates, text, warnings):
    templates(page=text)
    with override_ecomrec(TRACK_VIEWS={}):
        findings = [finding for finding in tags() if finding.level is Level.WARNING]
    assert all(finding.remedy for finding in findings)
    assert [finding.message[: len(text)] for finding, text in zip(findings, warnings, strict=True)] == warnings


def test_tags_are_found_where_the_library_is_a_builtin(settings, templates):
    templates(page="{% bought_with product %}{% ecomrec_scripts %}")
    options = {**settings.TEMPLATES[0]["OPTIONS"], "builtins": ["ecomrec_django.templatetags.ecomrec"]}
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "OPTIONS": options}]
    assert [finding.level for finding in tags()] == [Level.OK]


def block_findings():
    invalidate()
    findings = list(block(ShopCatalog()))
    assert len({finding.subject for finding in findings}) == len(findings)
    return {finding.subject: finding for finding in findings}


@pytest.mark.usefixtures("trained_shop")
class TestABlockOfATrainedShop:
    def test_is_seen_on_the_page_of_a_product(self):
        findings = block_findings()
        assert findings["block"].message == "bought_with of product tent has 2 offers"
        assert findings["page"].message == "/product/tent/ shows a block"

    def test_is_not_looked_for_without_a_release(self):
        Publication.objects.all().delete()
        assert block_findings() == {}

    def test_that_holds_no_offer_to_show_says_why(self):
        Product.objects.update(stock=0)
        finding = block_findings()["block"]
        assert finding.level is Level.FAILURE
        assert "Not available right now (" in finding.message

    def test_is_missed_on_a_page_without_the_tag(self, monkeypatch):
        monkeypatch.setattr(Product, "get_absolute_url", lambda self: "/account/login/")
        finding = block_findings()["page"]
        assert finding.level is Level.WARNING
        assert "Add {% bought_with product %}" in finding.remedy

    @pytest.mark.parametrize(
        ("address", "message"),
        [("/nowhere/", "answers 404"), ("https://shop.example/x", "is not on this site: https://shop.example/x")],
    )
    def test_is_not_seen_on_a_page_that_there_is_not(self, monkeypatch, address, message):
        monkeypatch.setattr(Product, "get_absolute_url", lambda self: address)
        finding = block_findings()["page"]
        assert finding.level is Level.WARNING
        assert message in finding.message

    def test_is_not_looked_for_on_the_page_of_a_product_without_an_address(self, monkeypatch):
        monkeypatch.setattr(Product, "get_absolute_url", lambda self: "")
        assert list(block_findings()) == ["block"]

    def test_that_fails_on_its_page_says_why_and_where(self, settings):
        class FailingCatalog(ShopCatalog):
            def format_price(self, price, request):
                raise LookupError("no currency")

        settings.ECOMREC = {**settings.ECOMREC, "CATALOG": FailingCatalog}
        finding = block_findings()["page"]
        assert finding.level is Level.FAILURE
        assert finding.message.startswith("An offer is omitted (")
        assert "LookupError: no currency" in finding.message
        assert finding.remedy.startswith(f"See {__file__}:")

    def test_whose_page_raises_is_a_failure(self, monkeypatch):
        monkeypatch.setattr("example_shop.views.catalog.render", None)
        finding = block_findings()["page"]
        assert finding.level is Level.FAILURE
        assert finding.message.startswith("/product/tent/ fails: TypeError")


@pytest.mark.django_db
def test_a_release_whose_products_have_no_lists_is_a_warning():
    publish_offers({"for_you": {"": ["A"]}})
    finding = block_findings()["block"]
    assert (finding.level, finding.message) == (Level.WARNING, "no product has a list of its own")
