"""The page of what offers earned."""

from datetime import timedelta

import pytest
from django.utils import timezone

from ecomrec_django.models import DailyExposure, DailyFigure, DailyTotal, Experiment, Impression, Visitor

pytestmark = pytest.mark.urls("tests.admin.urls")
URL = "/admin/ecomrec/dailyfigure/"


@pytest.fixture
def figures(noon, planted):
    today = timezone.localdate()
    for ago in range(10):
        DailyFigure.objects.create(
            day=today - timedelta(days=ago),
            strategy="bought_with",
            impressions=1_000,
            clicks=30,
            orders=3,
            revenue=50,
            order_value=90,
        )
        DailyTotal.objects.create(
            day=today - timedelta(days=ago), orders=20, revenue=400, touched_orders=3, touched_value=90
        )
    for dimension, value, many in (
        ("category", "Pasta", 9_000),
        ("price", "2", 1),
        ("price", "", 2),
        ("gini", "", 4_200),
    ):
        DailyExposure.objects.create(day=today, dimension=dimension, value=value, impressions=many)


def test_the_page_sums_a_period_by_a_dimension(superuser_client, figures):
    page = superuser_client.get(URL, {"days": "7"}).content.decode()
    for text in (
        "7,000",
        "3.00%",
        "Bought with",
        "$350.00",
        "12.5%",
        "$30.00 / $18.24",
        "Pasta",
        "$2.00–$5.00",
        "0.42",
    ):
        assert text in page
    assert "No offers have been seen yet" not in page
    page = superuser_client.get(URL, {"by": "day", "days": "nonsense"}).content.decode()
    assert page.count('scope="row"') >= 20


def test_the_page_explains_attributed_and_incremental_revenue(superuser_client, figures):
    page = superuser_client.get(URL).content.decode()
    assert "many would have been bought anyway" in page
    assert "Start an experiment with a holdout" in page
    Experiment.objects.create(
        name="Beside or not",
        slot="product",
        status="running",
        results={"incremental": {"mean": 1234.5, "low": 200.0, "high": 2000.0}},
    )
    page = superuser_client.get(URL).content.decode()
    assert "Beside or not" in page
    assert "Offers added revenue: $1,234.50" in page


def test_the_file_holds_the_same_lines(superuser_client, figures):
    answer = superuser_client.get(URL + "csv/", {"days": "7"})
    assert answer["Content-Disposition"].startswith('attachment; filename="strategy-')
    assert "bought_with,Bought with,7000,210,0.03" in answer.content.decode()


def test_an_empty_page_says_what_to_do_next(superuser_client, planted):
    assert "Add {% ecomrec_scripts %} to your pages" in superuser_client.get(URL).content.decode()
    Impression.objects.create(
        visitor=Visitor.objects.create(key="v"),
        item=planted.items[0],
        strategy="bought_with",
        position=1,
        time=timezone.now(),
        key="k",
    )
    assert "Run “manage.py ecomrec_measure”" in superuser_client.get(URL).content.decode()


@pytest.mark.parametrize("page", ["", "csv/"])
def test_figures_need_the_right_to_view_them(client, client_with, figures, page):
    assert "/admin/login/" in client.get(URL + page)["Location"]
    assert client_with().get(URL + page).status_code == 403
    assert client_with("view_dailyfigure").get(URL + page).status_code == 200


def test_the_page_makes_a_constant_number_of_queries(superuser_client, figures, django_assert_max_num_queries):
    with django_assert_max_num_queries(11):
        superuser_client.get(URL, {"days": "365"})
