"""Reports for staff, as JSON and as a file."""

import csv
import io
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.urls import reverse
from django.utils import timezone

from ecomrec_django.models import Arm, DailyFigure, DailyTotal, Experiment

URL = reverse("ecomrec:reports")
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _figures(noon, integer_key_shop):
    today = timezone.localdate()
    DailyFigure.objects.create(
        day=today,
        strategy="bought_with",
        slot="product",
        impressions=100,
        clicks=5,
        orders=2,
        revenue=30,
        order_value=50,
    )
    DailyFigure.objects.create(day=today - timedelta(days=40), strategy="for_you", impressions=7)
    DailyTotal.objects.create(day=today, orders=4, revenue=90, touched_orders=2, touched_value=50)


@pytest.fixture
def staff(client):
    user = User.objects.create_user("staff", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_dailyfigure"))
    client.force_login(user)
    return client


def test_figures_of_the_last_weeks_come_by_strategy(staff):
    answer = staff.get(URL).json()
    assert answer["by"] == "strategy"
    assert answer["lines"] == [
        {
            "value": "bought_with",
            "label": "bought_with",
            "impressions": 100,
            "clicks": 5,
            "ctr": 0.05,
            "cart_adds": 0,
            "orders": 2,
            "attributed_revenue": 30.0,
            "attributed_margin": 0.0,
            "average_order": 25.0,
        }
    ]
    assert answer["shop"] == {
        "orders": 4,
        "revenue": 90.0,
        "average_order_with_offers": 25.0,
        "average_order_without": 20.0,
    }


@pytest.mark.parametrize("form", ["json", "csv"])
def test_reports_are_not_cached(staff, form):
    assert staff.get(URL, {"form": form})["Cache-Control"] == "private, no-store"


def test_a_period_and_what_to_keep_to_may_be_asked(staff):
    since = timezone.localdate() - timedelta(days=60)
    answer = staff.get(URL, {"since": since.isoformat(), "by": "day"}).json()
    assert [line["impressions"] for line in answer["lines"]] == [7, 100]
    assert staff.get(URL, {"slot": "cart"}).json()["lines"] == []


def test_a_file_runs_nothing_in_a_spreadsheet(staff):
    experiment = Experiment.objects.create(name="=cmd|'/c calc'!A1", slot="product")
    arm = Arm.objects.create(experiment=experiment, name="+b")
    DailyFigure.objects.update(arm=str(arm.pk))
    answer = staff.get(URL, {"by": "arm", "form": "csv"})
    assert answer["Content-Type"].startswith("text/csv")
    assert "attachment" in answer["Content-Disposition"]
    header, row = csv.reader(io.StringIO(answer.content.decode("utf-8-sig")))
    assert header[:3] == ["value", "label", "impressions"]
    assert row[:3] == [str(arm.pk), "'=cmd|'/c calc'!A1: +b", "100"]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"by": "visitor"}, "by"),
        ({"since": "yesterday"}, "since"),
        ({"since": "2001-01-01"}, "at most"),
        ({"until": "2001-01-01"}, "is before"),
        ({"segment": "x"}, "segment"),
        ({"visitor": "1"}, "visitor"),
    ],
    ids=str,
)
def test_invalid_parameters_are_rejected_by_name(staff, query, said):
    answer = staff.get(URL, query)
    assert answer.status_code == 400
    assert said in answer.content.decode()


def test_reports_need_permission_to_view_figures(client):
    assert client.get(URL).status_code == 403
    user = User.objects.create_user("staff", is_staff=True)
    client.force_login(user)
    assert client.get(URL).status_code == 403
    user.user_permissions.add(Permission.objects.get(codename="view_dailyfigure"))
    User.objects.filter(pk=user.pk).update(is_staff=False)
    assert client.get(URL).status_code == 403
    User.objects.filter(pk=user.pk).update(is_staff=True)
    assert client.get(URL).status_code == 200
    assert client.post(URL).status_code in (403, 405)
