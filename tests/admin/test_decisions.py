"""The list of what was decided, with who and why, and its undoing."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from ecomrec_django.merchandising import decisions
from ecomrec_django.models import Category, Decision, Item, Override, Rule

pytestmark = pytest.mark.urls("tests.admin.urls")

DECISIONS = "/admin/ecomrec/decision/"


@pytest.fixture
def decided(planted, admin_user):
    """A pin, a block of the same list, an item hidden and a category hidden, in this order."""
    row, items = planted.offer_list, planted.items
    pasta = Category.objects.get()
    return [
        decisions.pin(admin_user, row, items[1], "Because <b>."),
        decisions.block(admin_user, row, items[2]),
        decisions.hide_item(admin_user, items[3]),
        decisions.hide_pair(admin_user, "bought_with", pasta, pasta),
    ]


def undo(client, *chosen):
    what = {"action": "undo", "_selected_action": [one.pk for one in chosen]}
    return client.post(DECISIONS, what, follow=True)


def standing() -> list[str]:
    return list(Decision.objects.filter(undone_at=None).order_by("pk").values_list("action", flat=True))


def test_the_list_is_closed_to_who_may_not_look(client, client_with, decided):
    for url in (DECISIONS, f"{DECISIONS}{decided[0].pk}/change/"):
        assert "/admin/login/" in client.get(url)["Location"]
        assert client_with().get(url).status_code == 403
        assert client_with("view_decision").get(url).status_code == 200


def test_the_log_shows_action_subject_user_and_note(client_with, decided):
    html = client_with("view_decision").get(DECISIONS).content.decode()
    for text in ("pinned", "hidden everywhere", "Product 1", "Bought with", "admin", "Because &lt;b&gt;.", "Pasta ↛"):
        assert text in html
    page = client_with("view_decision").get(f"{DECISIONS}{decided[0].pk}/change/").content.decode()
    for text in ("pinned", "Because &lt;b&gt;.", "admin"):
        assert text in page


def test_decisions_are_read_only(superuser_client, decided):
    page = f"{DECISIONS}{decided[0].pk}/"
    for url in (f"{DECISIONS}add/", f"{page}delete/"):
        assert superuser_client.post(url).status_code == 403
    assert superuser_client.post(f"{page}change/", {"note": "Other."}).status_code == 403
    assert superuser_client.get(DECISIONS).context["cl"].result_count == 4


def test_chosen_ones_are_undone_the_latest_first(client_with, decided):
    client = client_with("view_decision", "review_offers")
    response = undo(client, *decided[:3])
    assert "Undone: 3." in response.content.decode()
    assert standing() == ["hide_pair"]
    assert not Override.objects.exists()
    assert [rule.category.name for rule in Rule.objects.all()] == ["Pasta"]
    assert set(Decision.objects.exclude(undone_at=None).values_list("undone_by__username", flat=True)) == {"staff1"}


def test_decisions_that_cannot_be_undone_are_reported(superuser_client, decided):
    decisions.undo(None, decided[2])
    response = undo(superuser_client, decided[0], decided[2], decided[3])
    levels = [message.level_tag for message in response.context["messages"]]
    assert sorted(levels) == ["error", "error", "success"]
    html = response.content.decode()
    assert "Undo that one first" in html
    assert "already been undone" in html
    assert standing() == ["pin", "block"]


def test_undoing_needs_the_right_to_review(client_with, decided):
    viewer = client_with("view_decision")
    assert "Undo the selected" not in viewer.get(DECISIONS).content.decode()
    undo(viewer, *decided)
    assert len(standing()) == 4
    assert Override.objects.count() == 2


def test_a_list_shows_the_latest_words_about_it(superuser_client, planted, decided):
    response = superuser_client.get(f"/admin/ecomrec/offerlist/{planted.offer_list.pk}/change/")
    assert [one.action for one in response.context["decisions"]] == ["block", "pin"]
    assert "“Because &lt;b&gt;.”" in response.content.decode()


def test_an_empty_list_says_what_to_do(superuser_client, db):
    assert "No decisions yet" in superuser_client.get(DECISIONS).content.decode()


def test_fifty_rows_take_as_many_queries_as_five(superuser_client, planted, django_user_model):
    counts = []
    for start, stop in ((0, 5), (5, 50)):
        for n in range(start, stop):
            category = Category.objects.create(name=f"C{n}", path=f"C{n}", digest=f"c{n}")
            item = Item.objects.create(external_id=f"D{n}", title=f"D{n}", category=category)
            user = django_user_model.objects.create_user(f"user{n}")
            said = {"user": user, "strategy": "bought_with", "category": category}
            Decision.objects.create(action="pin", anchor=item, offer=item, undone_by=user, **said)
            Decision.objects.create(action="hide_pair", **said)
        with CaptureQueriesContext(connection) as queries:
            superuser_client.get(DECISIONS)
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 10
