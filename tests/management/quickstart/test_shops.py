"""What ecomrec_quickstart writes and prints for shops of other shapes gives them their first block as it is."""

import json
import re
import shutil
import time
from pathlib import Path

import pytest

from tests.support.host_projects import HOSTS, bare_project, printed_steps

pytestmark = pytest.mark.once

PRODUCTS = {"bikes": "store.Product", "grocer": "catalogue.Product", "bazaar": "market.Product"}
SHOWN = {
    "bikes": ["Krypt folding lock", "59.90", "Velox City 7 with lights", "ecomrec.css", 'action="/cart/add/5/"'],
    "grocer": ["Oro Tomatensoße 400 ml", "1.89"],
    "bazaar": ["Clay teapot", "€48.00", "Sencha, first harvest", 'action="/cart/add/"'],
}
LONGEST_SECONDS = 300
# All that a sync and an import bring, by names that outlive a second import, of the written adapter and of another.
MIRRORS = """
import json
from datetime import timedelta
from django.core.management import call_command
from django.utils import timezone
from ecomrec_django.catalog.paths import model_named
from ecomrec_django.catalog.sync import sync
from ecomrec_django.conf import conf
from ecomrec_django.models import Event, Item
from ecomrec_django.testing import override_ecomrec
from ecomrec_django.tracking.importers.orders import import_purchases
ITEM = ("external_id", "title", "category__path", "price", "brand", "image", "description", "available", "active")
EVENT = ("kind", "item__external_id", "visitor__key", "time", "quantity", "price", "basket", "key")
def mirror():
    call_command("migrate", "ecomrec", "zero", verbosity=0)
    call_command("migrate", verbosity=0)
    sync()
    report = import_purchases()
    catalog = conf.CATALOG()
    orders = model_named(catalog.order_model).objects.order_by("pk")[:20]
    return {
        "items": sorted(Item.objects.values_list(*ITEM), key=str),
        "events": sorted(Event.objects.values_list(*EVENT), key=str),
        "since": sorted(map(str, catalog.purchases(timezone.now() - timedelta(minutes=5)))),
        "order lines": sorted(str(line) for order in orders for line in catalog.order_lines(order)),
        "unknown": [report.unknown_prices, report.unknown_items, report.skipped],
    }
mirrors = [mirror()]
with override_ecomrec(CATALOG="BY_HAND"):
    mirrors.append(mirror())
print(json.dumps(mirrors, default=str))
"""


@pytest.fixture(scope="module", params=PRODUCTS)
def pasted(request, tmp_path_factory):
    """A shop with the app and all that the command prints; the seconds that took, its name, its steps."""
    name, folder = request.param, tmp_path_factory.mktemp("bare")
    shop = bare_project(name, folder, f"sqlite:///{folder / 'shop.sqlite3'}")
    shop.manage("migrate", "--verbosity", "0")
    shop.manage("seed")
    began = time.monotonic()
    settings = shop.project / name / "settings.py"
    append(settings, 'INSTALLED_APPS = [*INSTALLED_APPS, "ecomrec_django"]\n')
    shop.reload()
    steps = printed_steps(shop.manage("ecomrec_quickstart", PRODUCTS[name]))
    paste_settings(settings, steps["Settings"])
    paste_urls(shop.project / name / "urls.py", steps["URLs"])
    if "Template" in steps:
        paste_template(shop.project, steps["Template"])
        paste_form(shop.project, steps["Add"])
    shop.reload()
    return shop, name, steps, time.monotonic() - began


def test_the_first_block_shows_within_minutes(pasted):
    shop, name, steps, seconds = pasted
    began = time.monotonic()
    shop.manage("check", "--fail-level", "WARNING")
    for command in filter(None, steps["Train"]):
        shop.manage(*command.removeprefix("python manage.py ").split())
    page = shop.ask("import journey; print(journey.product_page())")
    assert [text for text in SHOWN[name] if text not in page] == []
    assert seconds + time.monotonic() - began < LONGEST_SECONDS


def test_the_written_adapter_syncs_and_imports_as_the_hand_written_one(pasted):
    shop, name, *_ = pasted
    (by_hand,) = (HOSTS / name).rglob("recommendations.py")
    app = by_hand.parent.name
    shutil.copyfile(by_hand, shop.project / app / "by_hand.py")
    written, expected = json.loads(shop.ask(MIRRORS.replace("BY_HAND", f"{app}.by_hand.ShopCatalog")))
    assert expected["items"]
    assert expected["events"]
    for part in expected:
        assert written[part] == expected[part], part


def append(path: Path, text: str) -> None:
    path.write_text(path.read_text() + text)


def paste_settings(path: Path, lines: list[str]) -> None:
    text = "\n".join(lines)
    for title, name in (("In INSTALLED_APPS:", "INSTALLED_APPS"), ("At the end of MIDDLEWARE:", "MIDDLEWARE")):
        if title in lines:
            append(path, f"{name} = [*{name}, {lines[lines.index(title) + 2]}]\n")
    append(path, re.search(r"^ECOMREC = \{.*^\}", text, re.DOTALL | re.MULTILINE)[0] + "\n")


def paste_urls(path: Path, lines: list[str]) -> None:
    imported, included = [line for line in lines if line]
    path.write_text(f"{imported}\n{path.read_text().replace('urlpatterns = [', f'urlpatterns = [{included}')}")


def paste_template(project: Path, lines: list[str]) -> None:
    load, _, *rest = [line for line in lines if line]
    head, tags = rest[: rest.index("Below the product:")], rest[rest.index("Below the product:") + 1 :]
    (product,) = [path for path in project.rglob("product*.html") if "list" not in path.name]
    base = product.with_name("base.html")
    # The view of the product is reported from its own page, the rest of the head belongs to all.
    base.write_text(base.read_text().replace("</head>", "".join([load, head[0], "</head>"])))
    body = product.read_text()
    place = body.rindex("{% endblock %}")
    product.write_text("".join([body[:place], load, head[1], *tags, body[place:]]))


def paste_form(project: Path, lines: list[str]) -> None:
    (templates,) = project.glob("*/templates")
    path = templates / "ecomrec/add_to_cart.html"
    path.parent.mkdir()
    start = next(number for number, line in enumerate(lines) if line.startswith("<form"))
    path.write_text("\n".join(lines[start:]))
