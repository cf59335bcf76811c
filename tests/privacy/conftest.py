"""Three shoppers with a history of three months: anna (account 1), ben (account 2) and a guest called cleo."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pyarrow.parquet as pq
import pytest
from django.utils import timezone

from ecomrec_django.artifacts import history_folder
from ecomrec_django.catalog.adapter import ReviewLine
from ecomrec_django.history.export import export_history
from ecomrec_django.learning.ranking.shopper_history import ShopperHistory
from ecomrec_django.models import Checkpoint, Event, HeldEvent, Impression, Item, Profile, Visitor
from ecomrec_django.tracking.importers.orders import import_purchases, join_guest
from ecomrec_django.tracking.importers.reviews import import_reviews
from ecomrec_django.tracking.visitors import merge, token_key, user_key
from tests.support.planted_shop import facts, line

ANNA, BEN, CLEO = user_key("1"), user_key("2"), token_key("c" * 32)
COOKIE = "a" * 32
JANUARY, MARCH, JUNE = (datetime(2017, month, 1, 12, tzinfo=UTC) for month in (1, 3, 6))


def history() -> list[tuple]:
    """The rows of all files, by event."""
    return sorted(
        tuple(row.values()) for path in history_folder().glob("*/*.parquet") for row in pq.read_table(path).to_pylist()
    )


def files() -> dict[str, tuple[bytes, int]]:
    """What each file holds, and when it was written."""
    return {
        f"{path.parent.name}/{path.name}": (path.read_bytes(), path.stat().st_mtime_ns)
        for path in history_folder().glob("*/*")
    }


def kept(key: str) -> list[tuple]:
    """All rows of one visitor in the database."""
    rows = [list(Visitor.objects.filter(key=key).values_list())]
    for model in (Event, HeldEvent, Impression, Profile):
        rows.append(list(model.objects.filter(visitor__key=key).order_by("pk").values_list()))
    return rows


def view(key: str, item: str = "a", time=MARCH) -> Event:
    visitor, _ = Visitor.objects.get_or_create(key=key)
    return Event.objects.create(
        kind="view_item", item=Item.objects.get(external_id=item), visitor=visitor, time=time, policy="1"
    )


def everything_again() -> None:
    """A full import of all that the shop's own records hold."""
    Checkpoint.objects.filter(name__in=("orders", "reviews")).delete()
    import_purchases()
    import_reviews()


@pytest.fixture
def people(planted_shop, db, monkeypatch):
    """Anna bought in January and March and has looked around, in a browser that joined her account; Ben bought in March
    and June; Cleo, a guest, looked around and ordered in March. All of it is in the history files."""
    for name in "ab":
        Item.objects.create(external_id=name, title=f"Title {name}", fingerprint="")
    planted_shop.facts = [facts("a"), facts("b")]
    planted_shop.lines = [
        line(1, "a", order="o1", user="1", time=JANUARY),
        line(2, "b", order="o1", user="1", time=JANUARY),
        line(3, "a", order="o2", user="1", time=MARCH, refunded=1),
        line(4, "a", order="o3", user="2", time=MARCH),
        line(5, "b", order="o4", user="2", time=JUNE),
        line(6, "b", order="o5", user=None, time=MARCH),
    ]
    written = [
        ReviewLine(review="1", user="1", item="a", rating=5.0, time=MARCH),
        ReviewLine(review="2", user="2", item="a", rating=4.0, time=MARCH),
    ]
    monkeypatch.setattr(planted_shop, "reviews", lambda self, since: iter(written), raising=False)
    view(token_key(COOKIE), "b")
    view(CLEO)
    import_purchases()
    import_reviews()
    export_history()
    # The history already holds these under the cookie, and Cleo's order under nobody.
    merge(COOKIE, "1")
    join_guest("o5", CLEO)
    import_purchases()
    for number, key in enumerate((ANNA, BEN, CLEO)):
        visitor, item = Visitor.objects.get(key=key), Item.objects.get(external_id="a")
        now = timezone.now() - timedelta(minutes=5)
        HeldEvent.objects.create(visitor=visitor, external_id="x", kind="view_item", time=now, key=f"seen:{number}")
        Impression.objects.create(visitor=visitor, item=item, strategy="s", position=1, time=now, key=f"i{number}")
        Profile.objects.create(visitor=visitor, history=ShopperHistory.empty().to_bytes(), until=JUNE)
    export_history()
    return planted_shop
