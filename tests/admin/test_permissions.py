"""Who may see and do what: nobody, staff without the right, staff with it, the superuser."""

import pytest

from ecomrec_django.models import OfferList, Override, Publication, Rule

pytestmark = pytest.mark.urls("tests.admin.urls")

MODELS = [
    *("release", "offerlist", "reviewlist", "override", "decision", "trainingrun", "item", "category"),
    *(
        "event",
        "visitor",
        "impression",
        "heldevent",
        "omission",
        "erasure",
        "segment",
        "rule",
        "experiment",
        "dailyfigure",
    ),
]
# Lists that are looked at with the right to another.
RIGHTS = {"reviewlist": "view_offerlist"}


def release_page(release, name="change"):
    return f"/admin/ecomrec/release/{release.pk}/{name}/"


@pytest.mark.parametrize("model", MODELS)
def test_every_list_asks_an_anonymous_visitor_to_log_in(client, planted, model):
    response = client.get(f"/admin/ecomrec/{model}/")
    assert response.status_code == 302
    assert "/admin/login/" in response["Location"]


@pytest.mark.parametrize("model", MODELS)
def test_every_list_is_forbidden_to_staff_without_the_right(client_with, planted, model):
    assert client_with().get(f"/admin/ecomrec/{model}/").status_code == 403


@pytest.mark.parametrize("model", MODELS)
def test_every_list_is_shown_to_staff_with_the_right_to_view(client_with, planted, model):
    right = RIGHTS.get(model, f"view_{model}")
    assert client_with(right).get(f"/admin/ecomrec/{model}/").status_code == 200


@pytest.mark.parametrize("model", sorted(set(MODELS) - {"override", "rule", "experiment"}))
def test_mirrored_and_trained_rows_cannot_be_added_by_anyone(superuser_client, planted, model):
    assert superuser_client.get(f"/admin/ecomrec/{model}/add/").status_code == 403


@pytest.mark.parametrize("name", ["change", "lists", "publish", "rollback", "schedule"])
def test_release_pages_need_permission(client, client_with, planted, name):
    url = release_page(planted.candidate, name)
    assert "/admin/login/" in client.get(url)["Location"]
    assert client_with().get(url).status_code == 403


@pytest.mark.parametrize("page", ["segment/interests", "release/metrics", "release/overview"])
def test_pages_of_figures_need_the_right_to_view(client, client_with, planted, page):
    url = f"/admin/ecomrec/{page}/"
    assert "/admin/login/" in client.get(url)["Location"]
    assert client_with().get(url).status_code == 403
    assert client_with(f"view_{page.split('/')[0]}").get(url).status_code == 200


@pytest.mark.parametrize("name", ["publish", "rollback", "schedule"])
def test_viewing_releases_is_not_enough_to_publish_or_roll_back(client_with, planted, name):
    staff = client_with("view_release")
    assert staff.get(release_page(planted.published, name)).status_code == 403
    assert staff.post(release_page(planted.candidate, name)).status_code == 403
    assert Publication.objects.get().release == planted.published


def test_buttons_show_only_to_those_who_may_use_them(client_with, planted):
    publish = release_page(planted.candidate, "publish")
    rollback = release_page(planted.published, "rollback")
    viewer, publisher = client_with("view_release"), client_with("view_release", "publish_release")
    assert publish not in viewer.get(release_page(planted.candidate)).content.decode()
    assert publish in publisher.get(release_page(planted.candidate)).content.decode()
    assert rollback not in viewer.get(release_page(planted.published)).content.decode()
    assert rollback in publisher.get(release_page(planted.published)).content.decode()
    assert release_page(planted.published, "publish") not in (
        publisher.get(release_page(planted.published)).content.decode()
    )


@pytest.mark.parametrize(
    ("action", "exists"), [("pin", False), ("block", False), ("block", True), ("undo", True), ("hide_item", False)]
)
def test_actions_on_a_pair_need_permission_to_review(client_with, planted, action, exists):
    url = f"/admin/ecomrec/offerlist/{planted.offer_list.pk}/override/"
    if exists:
        Override.objects.create(strategy="bought_with", anchor=planted.items[0], offer=planted.items[1], action="pin")

    def state():
        return [*Override.objects.values_list("action"), *Rule.objects.values_list("item")]

    before = state()
    others = ("add_override", "change_override", "delete_override", "add_rule", "publish_release")
    assert client_with("view_offerlist", *others).post(url, {action: "P2"}).status_code == 403
    assert client_with("review_offers").post(url, {action: "P2"}).status_code == 403
    assert state() == before
    assert client_with("view_offerlist", "review_offers").post(url, {action: "P2"}).status_code == 302
    assert state() != before


def test_pinning_is_closed_to_the_anonymous_and_to_get(client, superuser_client, planted):
    url = f"/admin/ecomrec/offerlist/{planted.offer_list.pk}/override/"
    assert "/admin/login/" in client.post(url, {"pin": "P2"})["Location"]
    assert superuser_client.get(url).status_code == 405
    assert not Override.objects.exists()


def test_a_viewer_of_lists_sees_no_buttons(client_with, planted):
    page = client_with("view_offerlist").get(f"/admin/ecomrec/offerlist/{planted.offer_list.pk}/change/")
    assert page.status_code == 200
    assert b'name="pin"' not in page.content
    assert b'name="block"' not in page.content


def test_a_post_without_the_csrf_token_is_refused(planted, client_with):
    staff = client_with("view_release", "publish_release", "view_offerlist", "review_offers", enforce_csrf_checks=True)
    assert staff.post(release_page(planted.candidate, "publish")).status_code == 403
    assert staff.post(release_page(planted.published, "rollback")).status_code == 403
    assert staff.post(f"/admin/ecomrec/offerlist/{planted.offer_list.pk}/override/", {"pin": "P2"}).status_code == 403
    assert Publication.objects.get().release == planted.published
    assert not Override.objects.exists()


def test_only_overrides_can_be_deleted(superuser_client, planted):
    assert superuser_client.post(f"/admin/ecomrec/offerlist/{planted.offer_list.pk}/delete/").status_code == 403
    assert superuser_client.post(f"/admin/ecomrec/item/{planted.items[0].pk}/delete/").status_code == 403
    assert OfferList.objects.filter(pk=planted.offer_list.pk).exists()
