from datetime import timedelta

import pytest

from ecomrec_django.catalog.adapter import ReviewLine
from ecomrec_django.models import Event, Item
from ecomrec_django.tracking.reviews import import_reviews
from ecomrec_django.tracking.visitors import user_key
from tests.planted import NOON

pytestmark = pytest.mark.django_db


def line(review="1", user="5", item="a", rating=4.0, time=NOON):
    return ReviewLine(review, user, item, rating, time)


def test_a_review_becomes_one_event_with_its_stars(shop):
    shop.review_lines = [line()]
    for _ in range(2):
        import_reviews()
    event = Event.objects.get()
    assert (event.kind, event.rating, event.visitor.key, event.time) == ("review", 4.0, user_key("5"), NOON)
    assert event.item.external_id == "a"


def test_changed_stars_are_brought_up_to_date(shop):
    shop.review_lines = [line(), line("2", rating=None)]
    import_reviews()
    shop.review_lines = [line(rating=1.0), line("2", rating=None)]
    assert import_reviews().changed == 1
    assert sorted(Event.objects.values_list("key", "rating")) == [("review:1", 1.0), ("review:2", None)]


def test_a_guest_has_no_visitor(shop):
    shop.review_lines = [line(user=None)]
    import_reviews()
    assert Event.objects.get().visitor is None


@pytest.mark.parametrize(
    "bad",
    [line("2", item=""), line("2", rating=float("nan")), line("2", rating=-1.0), line("x" * 200)],
    ids=["no item", "no number", "below 0", "long id"],
)
def test_a_review_that_makes_no_sense_is_counted_and_the_rest_imported(shop, bad):
    shop.review_lines = [bad, line()]
    report = import_reviews()
    assert (report.skipped, report.created) == (1, 1)


def test_a_review_from_the_future_is_refused(shop):
    shop.review_lines = [line(time=NOON + timedelta(days=36500))]
    assert import_reviews().skipped == 1
    assert not Item.objects.exists()
