import csv

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
    def load(items=ITEMS, events=EVENTS):
        for name, text in (("items.csv", items), ("events.csv", events)):
            (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        call_command("load_shop", items=tmp_path / "items.csv", events=tmp_path / "events.csv")
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


def test_one_product_and_no_event(load):
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
    found = load(items, events)
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
