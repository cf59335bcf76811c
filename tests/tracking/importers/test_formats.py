import json
from collections import Counter
from decimal import Decimal
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db.models import F, Sum

from ecomrec_django.catalog.guests import guest_hash
from ecomrec_django.errors import DataError
from ecomrec_django.models import Event, Item, Visitor
from ecomrec_django.tracking.importers.files import import_events
from ecomrec_django.tracking.importers.formats import FORMATS, open_file
from ecomrec_django.tracking.importers.formats.spec import EVENTS
from ecomrec_django.tracking.visitors import guest_key, token_key
from tests.support.planted_shop import PlantedCatalog
from tests.support.shop_files import ROWS, SAMPLES, START, planted, write_delimited, write_ga4

pytestmark = pytest.mark.django_db
WRITTEN = [
    ("utf-8", ",", "é Й"),
    ("utf-8-sig", ";", "é Й"),
    ("utf-16", "\t", "é Й"),
    ("cp1251", "|", "Й"),
    ("cp1252", ",", "é"),
]


@pytest.fixture(autouse=True)
def _shop(planted_shop, monkeypatch):
    """Of any currency, at par."""
    monkeypatch.setattr(PlantedCatalog, "in_base_currency", lambda self, price, currency, time: price)


def load(path, encoding="", **options):
    """The report and the rows that were refused."""
    table, format = open_file(path, EVENTS, encoding=encoding)
    refused = []
    report = import_events(table, format, lambda *row: refused.append(row), with_purchases=True, **options)
    return report, refused, format


def net():
    """Money that was paid and not given back."""

    def money(kind):
        return Event.objects.filter(kind=kind).aggregate(sum=Sum(F("price") * F("quantity")))["sum"] or Decimal(0)

    return round(Decimal(money("purchase")) - Decimal(money("refund")), 2)


def expected(name, rows):
    """What a reader of the planted rows by hand would say."""
    kinds = Counter()
    total = Decimal(0)
    for one in rows:
        kind = SAMPLES[name].kind(one)
        quantity = 1 if name in ("olist", "retailrocket", "rees46") else one.quantity
        price = Decimal(0) if name == "retailrocket" else one.price
        if kind == "purchase":
            total += price * quantity
        elif kind == "back":
            total -= price * quantity
        kinds["refund" if kind in ("back", "cancelled") else kind] += 1
        kinds["purchase"] += kind == "cancelled"
    return {kind: count for kind, count in kinds.items() if count}, total


@pytest.mark.parametrize(("encoding", "delimiter", "mark"), WRITTEN)
@pytest.mark.parametrize("name", SAMPLES)
def test_a_file_of_each_format_loads_with_the_right_totals(tmp_path, name, encoding, delimiter, mark):
    rows = write_delimited(tmp_path / "file.csv", name, mark, encoding, delimiter)
    items = {one.item for one in rows}
    Item.objects.bulk_create(Item(external_id=item, title=item, fingerprint="") for item in items)
    report, refused, format = load(tmp_path / "file.csv", encoding if encoding.startswith("cp") else "")
    assert format.name == name
    assert refused == []
    assert (report.rows, report.created) == (ROWS, ROWS)
    kinds, total = expected(name, rows)
    assert Counter(Event.objects.values_list("kind", flat=True)) == kinds
    assert net() == total
    assert set(Item.objects.values_list("external_id", flat=True)) == items
    offset = {"olist": 3}.get(name, 0)
    assert Event.objects.order_by("time").first().time.timestamp() == START.timestamp() + offset * 3600
    before = list(Event.objects.order_by("pk").values_list())
    again, _, _ = load(tmp_path / "file.csv", encoding if encoding.startswith("cp") else "")
    assert (again.created, again.present) == (0, ROWS)
    assert list(Event.objects.order_by("pk").values_list()) == before


@pytest.mark.parametrize("name", SAMPLES)
def test_with_a_stray_quote_in_row_3_every_line_is_accounted_for(tmp_path, name):
    rows = write_delimited(tmp_path / "file.csv", name, stray=2)
    Item.objects.bulk_create(Item(external_id=one, title=one, fingerprint="") for one in {row.item for row in rows})
    report, refused, _ = load(tmp_path / "file.csv")
    # The first row of an order of Shopify alone has its time.
    lost = [4, 5] if name == "shopify-orders" else [4]
    assert [line for line, *_ in refused] == lost
    assert (report.rows, report.created, report.rejected) == (ROWS, ROWS - len(lost), len(lost))


def test_events_of_google_analytics_have_a_row_for_each_item(tmp_path):
    rows = write_ga4(tmp_path / "events.json")
    Item.objects.bulk_create(Item(external_id=f"i{n}", title="I", fingerprint="") for n in range(17))
    with (tmp_path / "events.json").open("a") as file:
        file.write('{"event_name": "view_it\n\n[1]\n')
    report, refused, format = load(tmp_path / "events.json")
    assert format.name == "ga4"
    assert [line for line, *_ in refused] == [102, 104]
    assert (report.rows, report.created, report.other, report.blank) == (ROWS + 4, ROWS, 1, 1)
    bought = [one for one in rows if one.n % 4 < 2]
    assert net() == sum(one.price * one.quantity for one in bought)
    assert set(Event.objects.values_list("session", flat=True)) == {"77"}
    assert Event.objects.filter(kind="purchase").values("basket").distinct().count() == len(bought) / 2
    assert set(Visitor.objects.values_list("key", flat=True)) == {token_key(one.customer) for one in rows}


def test_customers_known_by_e_mail_are_kept_as_a_hash_alone(tmp_path):
    write_delimited(tmp_path / "file.csv", "shopify-orders")
    load(tmp_path / "file.csv")
    keys = set(Visitor.objects.values_list("key", flat=True))
    assert keys == {guest_key(guest_hash(f"{one.customer}@shop.example")) for one in planted()}


def test_what_a_later_export_says_is_cancelled_is_taken_back(tmp_path):
    path = tmp_path / "file.csv"
    write_delimited(path, "woocommerce-orders")
    path.write_text(path.read_text().replace("Cancelled", "Completed"))
    load(path)
    assert not Event.objects.filter(kind="refund").exists()
    rows = write_delimited(path, "woocommerce-orders")
    report, _, _ = load(path)
    assert (report.created, report.present) == (0, ROWS)
    assert net() == expected("woocommerce-orders", rows)[1]


def test_each_format_is_recognised_as_itself_alone():
    for format in FORMATS:
        header = [sources[0] for sources in format.columns.values()] + list(format.signature)
        assert next(known for known in FORMATS if known.fits(header)) is format


def test_an_order_file_needs_the_word_that_its_orders_are_not_the_shops_own(tmp_path):
    write_delimited(tmp_path / "file.csv", "online-retail")
    with pytest.raises(CommandError, match="Give --purchases"):
        call_command("ecomrec_import", tmp_path / "file.csv", stdout=StringIO())
    assert not Event.objects.exists()
    out = StringIO()
    call_command("ecomrec_import", tmp_path / "file.csv", purchases=True, stdout=out)
    assert "Read as invoices of Online Retail (II).\n200 rows: 200 imported" in out.getvalue()


MAPPING = """
decimal = ","
times = ["%d/%m/%Y %H:%M"]
zone = "Europe/Berlin"
[columns]
event = "Aktion"
item = ["Artikel", "Artikel_Nr"]
visitor = "Kunde"
quantity = "Menge"
price = "Preis"
time = "Zeit"
[constants]
session = "till"
[events]
Kauf = "purchase"
Blick = "view_item"
"""
TILL = """Aktion;Kunde;Artikel;Artikel Nr;Menge;Preis;Zeit
Kauf;k1;;Käse;0,350;1.299,00 €;01/02/2024 12:00
Blick;k1;Wein;;;;01/02/2024 11:00
Kauf;k1;;Käse;-0,150;1.299,00 €;02/02/2024 12:00
"""


def test_a_mapping_file_tells_any_other_format(tmp_path):
    Item.objects.create(external_id="Wein", title="W", fingerprint="")
    (tmp_path / "till.csv").write_text(TILL, encoding="cp1252")
    (tmp_path / "till.toml").write_text(MAPPING)
    options = {"mapping": tmp_path / "till.toml", "encoding": "cp1252", "purchases": True, "stdout": StringIO()}
    call_command("ecomrec_import", tmp_path / "till.csv", **options)
    rows = Event.objects.order_by("kind").values_list("kind", "item__external_id", "quantity", "price", "session")
    assert list(rows) == [
        ("purchase", "Käse", Decimal("0.35"), Decimal(1299), "till"),
        ("refund", "Käse", Decimal("0.15"), Decimal(1299), ""),
        ("view_item", "Wein", 1, None, "till"),
    ]
    assert Event.objects.get(kind="view_item").time.isoformat() == "2024-02-01T10:00:00+00:00"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[columns", "is not TOML"),
        ("colums = 1", "it has colums, where only decimal"),
        ('[columns]\narticle = "A"', "it names the columns article"),
        ('decimal = "x"', 'decimal is "." or ","'),
        ('zone = "Mars/Olympus"', "Mars/Olympus"),
        ("columns = 3", "cannot be used"),
    ],
)
def test_a_mapping_that_cannot_be_meant_is_refused(tmp_path, text, words):
    (tmp_path / "file.csv").write_text("event,item,time\n")
    (tmp_path / "file.toml").write_text(text)
    with pytest.raises(DataError) as caught:
        open_file(tmp_path / "file.csv", EVENTS, mapping=tmp_path / "file.toml")
    assert words in str(caught.value)


def test_unknown_formats_and_products_are_refused_with_the_way_out(tmp_path):
    (tmp_path / "file.csv").write_text("Handle,Title,Vendor,Variant Price\n")
    with pytest.raises(CommandError, match=r"There is no format 'magento'. Known are events, items, shopify-orders"):
        call_command("ecomrec_import", tmp_path / "file.csv", format="magento")
    with pytest.raises(CommandError, match=r"holds products of Shopify. The catalog comes from"):
        call_command("ecomrec_import", tmp_path / "file.csv")
    (tmp_path / "file.json").write_text(json.dumps({"a": 1}))
    with pytest.raises(CommandError, match="XML or JSON, which is no form of events of REES46"):
        call_command("ecomrec_import", tmp_path / "file.json", format="rees46")


def test_the_mapping_of_the_documentation_is_one(tmp_path):
    page = (Path(__file__).parents[3] / "docs/files.md").read_text()
    (tmp_path / "file.toml").write_text(page.partition("```toml\n")[2].partition("```")[0])
    (tmp_path / "file.csv").write_text("Aktion;Artikel;Zeit\nBlick;a;31/12/2024 12:00\nKlick;a;31/12/2024 12:00\n")
    Item.objects.create(external_id="a", title="A", fingerprint="")
    table, format = open_file(tmp_path / "file.csv", EVENTS, mapping=tmp_path / "file.toml")
    report = import_events(table, format, lambda *row: pytest.fail(str(row)))
    assert (report.created, report.other) == (1, 1)
    assert Event.objects.get().time.isoformat() == "2024-12-31T11:00:00+00:00"
