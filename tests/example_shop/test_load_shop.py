import csv
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from PIL import Image

from ecomrec_django.models import Event
from example_shop.models import Order, OrderLine, Product, Review

pytestmark = pytest.mark.django_db
ITEMS = """item,title,category,brand,price,rating,available,image,description
a,"Tent, two persons",Camping > Tents,Peak,199.90,4.5,true,,Dry.
b,Lamp,Camping,,,,false,,
"""
EVENTS = """event,visitor,item,quantity,price,time,basket,session,rating
purchase,ann,a,2,180,2025-01-01T10:00:00Z,o1,,
purchase,ann,b,1,5,2025-01-01T12:00:00+02:00,o1,,
purchase,,a,1,,2025-01-02T10:00:00Z,,,
view_item,ben,a,,,2025-01-03T10:00:00Z,,s1,
review,ben,b,,,2025-01-04T10:00:00Z,,,4
refund,ann,b,1,,2025-01-05T10:00:00Z,o1,,
"""


@pytest.fixture
def load(tmp_path):
    def load(items=ITEMS, events=EVENTS, **options):
        for name, text in (("items.csv", items), ("events.csv", events)):
            (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        call_command("load_shop", items=tmp_path / "items.csv", events=tmp_path / "events.csv", **options)
        rejects = tmp_path / "events.rejects.csv"
        if not rejects.exists():
            return []
        with rejects.open(newline="") as file:
            return [(row[2], int(row[0]), row[1]) for row in list(csv.reader(file))[1:]]

    return load


def everything():
    products = list(Product.objects.values_list("sku", "title", "price", "rating", "stock", "sold", "updated"))
    lines = list(OrderLine.objects.values_list("order__number", "sku", "quantity", "unit_price", "refunded"))
    return products, lines, list(Order.objects.values()), Event.objects.count(), list(Review.objects.values())


def test_purchases_become_orders_and_the_rest_events(load):
    assert load() == []
    order = Order.objects.get(number="o1")
    assert (order.user.username, order.placed.isoformat()) == ("ann", "2025-01-01T10:00:00+00:00")
    assert [(line.sku, line.quantity, line.refunded) for line in order.lines.all()] == [("a", 2, 0), ("b", 1, 1)]
    guest = Order.objects.get(user=None)
    assert str(guest.lines.get().unit_price) == "199.90"
    # The review is the shop's own now, and comes with the next import.
    assert set(Event.objects.values_list("kind", "item__external_id")) == {("view_item", "a")}
    assert Review.objects.get().product.sku == "b"
    assert Review.objects.get().rating == 4
    lamp = Product.objects.get(sku="b")
    assert (lamp.price, lamp.stock, lamp.rating) == (None, 0, 4.0)
    assert Product.objects.get(sku="a").category.parent.name == "Camping"


def test_a_second_load_changes_nothing(load):
    load()
    before = everything()
    load()
    assert everything() == before


def test_bom_and_windows_line_ends_are_read(load):
    assert load("\ufeff".encode() + ITEMS.replace("\n", "\r\n").encode(), EVENTS.replace("\n", "\r\n")) == []
    assert Product.objects.get(sku="a").title == "Tent, two persons"


def test_a_shop_with_one_product_and_no_event(load):
    assert load("item,title,category,price\nx,Thing,,1\n", "event,item,time\n") == []
    assert Product.objects.count() == 1


def test_bad_rows_are_reported_and_good_ones_kept(load):
    items = (
        ITEMS
        + "a,Again,,,1\n,No item,,,1,,,,\nc,,,,1,,,,\nd,D,,,NaN,,,,\ne,E,,,-1,,,,\nf,F,,,1,,maybe,,\ng,G,,,2,,,,\n"
    )
    events = EVENTS + (
        "stare,ann,a,,,2025-01-01,,,\n"
        "view_item,ann,zz,,,2025-01-01,,,\n"
        "view_item,ann,a,,,yesterday,,,\n"
        "purchase,ann,a,0,1,2025-01-01,o2,,\n"
        "purchase,ben,a,1,1,2025-01-01,o1,,\n"
        "purchase,ann,a,1,inf,2025-01-01,o2,,\n"
        "refund,ann,a,9,,2025-01-01,o1,,\n"
        "purchase,ann,g,1,1,2025-01-01,o2,,\n"
    )
    found = load(items, events, min_share=30)
    assert [(file, line) for file, line, _ in found] == [
        *(("items.csv", line) for line in range(4, 10)),
        *(("events.csv", line) for line in range(8, 15)),
    ]
    reasons = " | ".join(reason for *_, reason in found)
    for words in ("5 cells", "item has to", "title is missing", "'NaN'", "'-1'", "'maybe'", "unknown event 'stare'"):
        assert words in reasons
    for words in ("no item 'zz'", "'yesterday'", "quantity '0'", "another visitor", "'inf'", "fewer than 9"):
        assert words in reasons
    assert set(Product.objects.values_list("sku", flat=True)) == {"a", "b", "g"}
    assert Order.objects.filter(number="o2").exists()


def test_a_mended_row_joins_its_order_at_the_next_load(load):
    load(events=EVENTS + "purchase,ann,a,x,1,2025-01-01,o1,,\n")
    assert load(events=EVENTS + "purchase,ann,a,3,1,2025-01-01,o1,,\n") == []
    assert sorted(Order.objects.get(number="o1").lines.values_list("sku", "quantity")) == [("a", 2), ("a", 3), ("b", 1)]


@pytest.mark.parametrize(
    ("items", "events", "words"),
    [
        ("item,title\na,A\n", EVENTS, "no column category, price"),
        (ITEMS, "event,visitor\n", "no column item, time"),
        (ITEMS, b"", "is empty"),
        (ITEMS, "timestamp,visitorid,event,itemid\n", "run ecomrec_import"),
        ("timestamp,visitorid,event,itemid\n", EVENTS, "no products"),
        (ITEMS, EVENTS.encode() + "view_item,zoë,a".encode("latin-1"), "UTF-8"),
        (b"\x89PNG\r\n\x1a\n\x00", EVENTS, "UTF-8"),
    ],
)
def test_an_unusable_file_is_refused_and_nothing_is_written(load, items, events, words):
    with pytest.raises(CommandError, match=words):
        load(items, events)
    assert not Product.objects.exists()


def test_pictures_are_copied_but_never_from_outside(load, media, tmp_path):
    Image.new("RGB", (4, 4), "red").save(tmp_path / "a.png")
    (tmp_path / "b.png").write_text("no picture")
    found = load(
        "item,title,category,price,image\na,A,,1,a.png\nb,B,,1,b.png\nc,C,,1,../secret.png\nd,D,,1,gone.png\n",
        "event,item,time\n",
    )
    assert [line for _, line, _ in found] == [3, 4, 5]
    assert Product.objects.count() == 4
    assert (media / Product.objects.get(sku="a").image.name).exists()
    assert not Product.objects.get(sku="c").image


@pytest.mark.parametrize("rows", [200, 5000])
def test_a_quote_that_is_never_closed_costs_one_row(load, capsys, rows):
    lines = [f"S{n},{chr(34) if n == 10 else ''}Mug {n},Home > Kitchen,{n % 50 + 1}.00" for n in range(1, rows + 1)]
    found = load("\n".join(["item,title,category,price", *lines, ""]), "event,item,time\n")
    assert [(file, line) for file, line, _ in found] == [("items.csv", 11)]
    assert Product.objects.count() == rows - 1
    assert f"items.csv: {rows:,} rows, {rows - 1:,} imported, 1 refused, 0 blank" in capsys.readouterr().out


def test_events_that_are_handed_over_and_refunds_are_accounted_for(load, capsys):
    refunds = "refund,ann,a,2,,2025-01-05,o1,,\nrefund,ann,a,1,,2025-01-06,o1,,\n"
    future = "view_item,ann,a,,,2999-01-01,,,\n"
    found = load(events=EVENTS + refunds + future + "\n")
    assert [(file, line) for file, line, _ in found] == [("events.csv", line) for line in (8, 9, 10)]
    assert "events.csv: 10 rows, 6 imported, 3 refused, 1 blank" in capsys.readouterr().out


def test_a_file_of_which_too_little_was_loaded_fails(load):
    with pytest.raises(CommandError, match=r"Only 1 of 3 rows of items\.csv"):
        load("item,title,category,price\na,A,,1\nb,B,,x\nc,,,1\n")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1251"])
def test_items_are_read_in_the_encoding_that_is_told(load, encoding):
    items = "item;title;category;price\nк1;Чашка;Дом > Кухня;1\n".encode(encoding)
    load(items, "event,item,time\n", encoding=encoding if encoding == "cp1251" else "")
    assert Product.objects.get(sku="к1").title == "Чашка"


SHOPIFY = """Handle,Title,Body (HTML),Vendor,Type,Published,Option1 Name,Option1 Value,Variant SKU,Variant Price,\
Image Src,Status
{}
"""
WOO = """ID,Type,SKU,Name,Published,In stock?,Regular price,Sale price,Categories,Brands,Description
{}
"""
TSV = "id\ttitle\tdescription\tlink\tprice\tavailability\tproduct type\tbrand\n{}\n"
XML = """<?xml version="1.0"?><rss xmlns:g="http://base.google.com/ns/1.0" version="2.0"><channel><title>Shop</title>
{}
</channel></rss>"""


def products_of(name, count=200):
    """A file of each format with planted products; every other one costs 5.50 more."""
    rows = []
    for n in range(count):
        price = f"{n + 1 + n % 2 * 5.5:.2f}"
        stock = n % 10 != 0
        if name == "shopify":
            first = n % 4 == 0
            shared = f"Mug {n // 4},<p>Fine,Maker,Home,true" if first else ",,,,"
            status = "active" if first and n % 40 else "draft" if first else ""
            rows.append(f"mug-{n // 4},{shared},Colour,{n},S{n},{price},x.jpg,{status}")
            if n % 4 == 3:
                rows.append(f"mug-{n // 4},,,,,,,,,,more.jpg,")
        elif name == "woo":
            if n % 4 == 0:
                rows.append(f"{9000 + n},variable,P{n},Mug,1,1,,,Home,,")
            rows.append(f'{n},variation,S{n},Mug {n},1,{int(stock)},{price},,"Home > Kitchen, Sale",Maker,"Two\nlines"')
        elif name == "tsv":
            available = "in_stock" if stock else "out of stock"
            rows.append(f"S{n}\tMug {n}\tFine\thttp://x\t{price} USD\t{available}\tHome > Kitchen\tMaker")
        else:
            rows.append(
                f"<item><g:id>S{n}</g:id><title>Mug {n}</title><g:price>{price} USD</g:price><g:brand>Maker</g:brand>"
                f"<g:availability>{'in_stock' if stock else 'out_of_stock'}</g:availability>"
                "<g:product_type>Home &gt; Kitchen</g:product_type></item>"
            )
    return {"shopify": SHOPIFY, "woo": WOO, "tsv": TSV, "xml": XML}[name].format("\n".join(rows))


@pytest.mark.parametrize("name", ["shopify", "woo", "tsv", "xml"])
def test_products_of_other_systems_are_loaded_with_their_prices(load, capsys, name):
    assert load(products_of(name), "event,item,time\n") == []
    products = Product.objects.all()
    assert set(products.values_list("sku", flat=True)) == {f"S{n}" for n in range(200)}
    assert sum(product.price for product in products) == 200 * 201 / 2 + 100 * 5.5
    assert set(products.values_list("brand", flat=True)) == {"Maker"}
    assert products.filter(stock=0).count() == 20
    one = Product.objects.get(sku="S5")
    assert one.title == ("Mug 1" if name == "shopify" else "Mug 5")
    assert one.category.name == ("Home" if name == "shopify" else "Kitchen")
    rest = {"shopify": ", 50 without an item", "woo": ", 50 without an item"}.get(name, "")
    rows = 250 if rest else 200
    assert f"items.csv: {rows} rows, 200 imported, 0 refused, 0 blank{rest}\n" in capsys.readouterr().out
    before = everything()
    load(products_of(name), "event,item,time\n")
    assert everything() == before


WRITTEN = [
    ("utf-8", ",", "é Й"),
    ("utf-8-sig", ";", "é Й"),
    ("utf-16", "\t", "é Й"),
    ("cp1251", "|", "Й"),
    ("cp1252", ";", "é"),
]


@pytest.mark.parametrize(("encoding", "delimiter", "mark"), WRITTEN)
@pytest.mark.parametrize("name", ["shopify", "woo", "tsv"])
def test_products_are_read_in_every_encoding_and_with_every_delimiter(load, name, encoding, delimiter, mark):
    text = StringIO(products_of(name, 12), newline="")
    written = StringIO(newline="")
    csv.writer(written, delimiter=delimiter, lineterminator="\n").writerows(
        [cell.replace("Mug", f"Mug {mark}") for cell in row]
        for row in csv.reader(text, delimiter="\t" if name == "tsv" else ",")
    )
    declared = encoding if encoding.startswith("cp") else ""
    assert load(written.getvalue().encode(encoding), "event,item,time\n", encoding=declared) == []
    titles = dict(Product.objects.values_list("sku", "title"))
    assert titles == {f"S{n}": f"Mug {mark} {n // 4 if name == 'shopify' else n}" for n in range(12)}
    assert sum(Product.objects.values_list("price", flat=True)) == 78 + 6 * 5.5


@pytest.mark.parametrize("name", ["shopify", "woo", "tsv"])
def test_a_stray_quote_in_row_3_of_products_costs_one_row(load, name):
    lines = products_of(name).replace("Two\nlines", "Two lines").split("\n")
    at = 3 if name != "woo" else 4
    lines[at] = lines[at].replace("S2", '"S2', 1)
    assert [line for _, line, _ in load("\n".join(lines), "event,item,time\n")] == [at + 1]
    assert set(Product.objects.values_list("sku", flat=True)) == {f"S{n}" for n in range(200)} - {"S2"}


def test_a_feed_that_breaks_off_and_a_foreign_currency_are_said(load):
    feed = products_of("xml", 4)
    found = load(
        feed[: feed.index("<g:id>S3")].replace("2.00 USD", "2.00 EUR").replace("7.50 USD", "7.50 EUR"),
        "event,item,time\n",
    )
    reasons = [reason for *_, reason in found]
    assert "not in USD" in reasons[0]
    assert "the XML cannot be read from here on" in reasons[1]
    assert set(Product.objects.values_list("sku", flat=True)) == {"S0", "S2"}
