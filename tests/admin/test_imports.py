"""Imports and refused order lines in the admin."""

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse

from ecomrec_django.models import Checkpoint, Event, WaitingLine
from ecomrec_django.tracking.importers.orders import import_purchases
from tests.support.planted_shop import line

pytestmark = pytest.mark.django_db
IMPORTS = reverse("admin:ecomrec_checkpoint_changelist")
LINES = reverse("admin:ecomrec_waitingline_changelist")


@pytest.fixture
def clerk(client, django_user_model):
    """Logs in a member of the staff with these permissions."""

    def login(*codenames):
        user = django_user_model.objects.create_user("clerk", is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
        client.force_login(user)
        return client

    return login


@pytest.fixture
def imported(planted_shop):
    planted_shop.lines = [line(1, "a"), line(2, "a", quantity=0)]
    import_purchases()
    Checkpoint.objects.create(name="attribution", position={"done": 5})
    return planted_shop


def run(client, page, action, rows):
    return client.post(page, {"action": action, "_selected_action": [row.pk for row in rows]}, follow=True)


def test_the_page_shows_how_the_last_import_ended(imported, admin_client):
    page = admin_client.get(IMPORTS).content.decode()
    assert "2 lines read, 1 refused" in page
    assert "attribution" not in page
    row = Checkpoint.objects.get(name="orders")
    assert "purchases" in admin_client.get(reverse("admin:ecomrec_checkpoint_change", args=[row.pk])).content.decode()


def test_who_may_change_imports_starts_one_again(imported, clerk):
    client = clerk("view_checkpoint", "change_checkpoint")
    import_purchases()
    assert imported.asked[-1] is not None
    WaitingLine.objects.all().delete()
    answer = run(client, IMPORTS, "start_again", Checkpoint.objects.filter(name__in=("orders", "attribution")))
    assert "The next run of 1 import reads everything again." in answer.content.decode()
    import_purchases()
    assert imported.asked[-1] is None
    assert Checkpoint.objects.get(name="attribution").position == {"done": 5}


def test_who_may_only_see_imports_changes_nothing(imported, clerk):
    client = clerk("view_checkpoint", "view_waitingline")
    before = Checkpoint.objects.get(name="orders").position
    run(client, IMPORTS, "start_again", Checkpoint.objects.all())
    assert Checkpoint.objects.get(name="orders").position == before != {}
    due = WaitingLine.objects.get().due
    run(client, LINES, "ask_again", WaitingLine.objects.all())
    assert WaitingLine.objects.get().due == due


def test_a_line_that_was_given_up_is_asked_for_again(imported, clerk):
    client = clerk("view_waitingline", "change_waitingline")
    WaitingLine.objects.update(given_up=True)
    assert "quantity 0 is not a number above 0" in client.get(LINES).content.decode()
    imported.lines = [line(1, "a"), line(2, "a", user=None, quantity=4)]
    answer = run(client, LINES, "ask_again", WaitingLine.objects.all())
    assert "The next import asks for 1 line again." in answer.content.decode()
    import_purchases()
    assert Event.objects.count() == 2
    assert not WaitingLine.objects.exists()


@pytest.mark.parametrize("page", [IMPORTS, LINES])
def test_nobody_adds_or_deletes_rows(imported, admin_client, page):
    assert admin_client.get(page + "add/").status_code == 403
    assert "delete_selected" not in admin_client.get(page).content.decode()
