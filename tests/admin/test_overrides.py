"""The form of pins and blocks."""

import pytest

from ecomrec_django.models import Override, Segment

pytestmark = pytest.mark.urls("tests.admin.urls")

ADD = "/admin/ecomrec/override/add/"


def pair(planted, **changes):
    anchor, offer = planted.items[:2]
    given = {
        "strategy": "bought_with",
        "anchor": anchor.pk,
        "offer": offer.pk,
        "action": "pin",
        "position": 1,
        "note": "",
    }
    return given | changes


def test_the_creator_of_an_override_is_stored(superuser_client, planted):
    assert superuser_client.post(ADD, pair(planted)).status_code == 302
    assert Override.objects.get().created_by.username == "boss"


def test_editing_an_override_keeps_its_creator(superuser_client, client_with, planted):
    superuser_client.post(ADD, pair(planted))
    url = f"/admin/ecomrec/override/{Override.objects.get().pk}/change/"
    client_with("view_override", "change_override").post(url, pair(planted, note="Autumn"))
    override = Override.objects.get()
    assert (override.note, override.created_by.username) == ("Autumn", "boss")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"position": 0}, "position"),
        ({"position": -1}, "position"),
        ({"position": 40_000}, "position"),
        ({"strategy": "nonsense"}, "strategy"),
        ({"action": "eat"}, "action"),
        ({"offer": 999_999}, "offer"),
    ],
)
def test_invalid_input_is_rejected_at_its_field(superuser_client, planted, changes, field):
    response = superuser_client.post(ADD, pair(planted, **changes))
    assert list(response.context["adminform"].form.errors) == [field]
    assert not Override.objects.exists()


def test_an_item_cannot_be_offered_beside_itself(superuser_client, planted):
    response = superuser_client.post(ADD, pair(planted, offer=planted.items[0].pk))
    assert "An item cannot be recommended with itself" in response.content.decode()
    assert not Override.objects.exists()


def test_a_second_word_on_the_same_pair_is_refused(superuser_client, planted):
    superuser_client.post(ADD, pair(planted))
    assert superuser_client.post(ADD, pair(planted, action="block")).status_code == 200
    assert Override.objects.get().action == "pin"


def test_the_form_opens_filled_from_an_offer_list(superuser_client, planted):
    form = superuser_client.get(f"{ADD}?strategy=upgrade_to&anchor={planted.items[0].pk}").context["adminform"].form
    assert (form.initial["strategy"], form.initial["anchor"]) == ("upgrade_to", str(planted.items[0].pk))


def test_an_override_of_a_strategy_that_is_gone_can_still_be_edited(superuser_client, planted):
    override = Override.objects.create(
        strategy="old_one", anchor=planted.items[0], offer=planted.items[1], action="pin"
    )
    url = f"/admin/ecomrec/override/{override.pk}/change/"
    assert superuser_client.post(url, pair(planted, strategy="old_one", note="kept")).status_code == 302
    assert Override.objects.get().note == "kept"


def test_items_are_suggested_while_typing(superuser_client, planted):
    query = {"term": "duct 3", "app_label": "ecomrec", "model_name": "override", "field_name": "offer"}
    found = superuser_client.get("/admin/autocomplete/", query).json()["results"]
    assert [row["text"] for row in found] == ["Product 3"]


def test_overrides_are_found_by_either_item_and_filtered(superuser_client, planted):
    first, second, third = planted.items[:3]
    Override.objects.create(strategy="bought_with", anchor=first, offer=second, action="pin")
    Override.objects.create(strategy="upgrade_to", anchor=second, offer=third, action="block")

    def found(**query):
        return len(superuser_client.get("/admin/ecomrec/override/", query).context["cl"].result_list)

    assert (found(q="P2"), found(q="Product 3"), found(q="P6")) == (2, 1, 0)
    assert (found(strategy="upgrade_to"), found(action__exact="pin"), found()) == (1, 1, 2)


def test_an_override_can_be_for_one_segment_and_is_found_by_it(superuser_client, planted):
    segment = Segment.objects.create(label=0, description="Often", name="Regulars")
    superuser_client.post(ADD, pair(planted, segment=segment.pk))
    superuser_client.post(ADD, pair(planted, offer=planted.items[2].pk))
    assert list(Override.objects.order_by("pk").values_list("segment", flat=True)) == [segment.pk, None]

    def found(**query):
        page = superuser_client.get("/admin/ecomrec/override/", query)
        return [row.segment for row in page.context["cl"].result_list]

    assert found(segment__id__exact=segment.pk) == [segment]
    assert found(segment__isnull="True") == [None]


def test_a_card_says_that_its_pin_is_for_one_segment_only(superuser_client, planted):
    Override.objects.create(
        strategy="bought_with",
        anchor=planted.items[0],
        offer=planted.items[1],
        action="pin",
        segment=Segment.objects.create(label=0, description="Often", name="Regulars"),
    )
    page = superuser_client.get(f"/admin/ecomrec/offerlist/{planted.offer_list.pk}/change/").content.decode()
    assert "for Regulars only" in page
