from datetime import timedelta

import pytest

from ecomrec_django.catalog.adapter import ReviewLine
from ecomrec_django.errors import DataError
from ecomrec_django.models import Checkpoint, Event, Item
from ecomrec_django.tracking.importers.reviews import import_reviews
from ecomrec_django.tracking.visitors import user_key
from tests.support.planted_shop import NOON

pytestmark = pytest.mark.django_db


def line(review="1", user="5", item="a", rating=4.0, time=NOON):
    return ReviewLine(review=review, user=user, item=item, rating=rating, time=time)


def test_a_review_becomes_one_event_with_its_stars(planted_shop):
    planted_shop.review_lines = [line()]
    for _ in range(2):
        import_reviews()
    event = Event.objects.get()
    assert (event.kind, event.rating, event.visitor.key, event.time) == ("review", 4.0, user_key("5"), NOON)
    assert event.item.external_id == "a"


def test_changed_stars_are_brought_up_to_date(planted_shop):
    planted_shop.review_lines = [line(), line("2", rating=None)]
    import_reviews()
    planted_shop.review_lines = [line(rating=1.0), line("2", rating=None)]
    assert import_reviews().changed == 1
    assert sorted(Event.objects.values_list("key", "rating")) == [("review:1", 1.0), ("review:2", None)]


def test_a_guest_has_no_visitor(planted_shop):
    planted_shop.review_lines = [line(user=None)]
    import_reviews()
    assert Event.objects.get().visitor is None


@pytest.mark.parametrize(
    "bad",
    [line("2", item=""), line("2", rating=float("nan")), line("2", rating=-1.0), line("x" * 200)],
    ids=["no item", "no number", "below 0", "long id"],
)
def test_an_invalid_review_is_counted_and_skipped(planted_shop, bad):
    planted_shop.review_lines = [bad, line()]
    report = import_reviews()
    assert (report.skipped, report.created) == (1, 1)


def test_a_review_from_the_future_is_refused(planted_shop):
    planted_shop.review_lines = [line(time=NOON + timedelta(days=36500))]
    assert import_reviews().skipped == 1
    assert not Item.objects.exists()


def test_reviews_read_before_an_import_breaks_off_are_kept(planted_shop):
    def lines():
        yield line("7")
        raise ValueError("no such field")

    planted_shop.review_lines = lines()
    with pytest.raises(DataError, match=r"PlantedCatalog\.reviews failed after 1 records, the last of which was 7:"):
        import_reviews()
    assert Event.objects.get().key == "review:7"
    assert Checkpoint.objects.get(name="reviews").position == {}
