"""Offer lists: what is shown, and pin, block and undo in place."""

import pytest
from django.db.models.signals import post_delete, post_save

from ecomrec_django.models import Decision, Item, OfferList, Override, Publication, Release

from .conftest import together

pytestmark = pytest.mark.urls("tests.admin.urls")

LISTS = "/admin/ecomrec/offerlist/"


def page(offer_list):
    return f"{LISTS}{offer_list.pk}/change/"


def act(client, planted, **what):
    return client.post(f"{LISTS}{planted.offer_list.pk}/override/", what, follow=True)


def shown(client, planted):
    """The titles of the cards, in the order of the page."""
    return [card.item.title for card in client.get(page(planted.offer_list)).context["cards"]]


def rows(response):
    return [str(row.anchor or row.category) for row in response.context["cl"].result_list]


def test_the_published_release_is_listed_unless_another_is_asked_for(superuser_client, planted):
    assert rows(superuser_client.get(LISTS)) == ["Product 1"]
    url = f"{LISTS}?release={planted.candidate.pk}&strategy=upgrade_to"
    assert rows(superuser_client.get(url)) == ["Product 2"]
    assert rows(superuser_client.get(f"{LISTS}?beside=category")) == ["Pasta"]


def test_the_newest_complete_release_is_listed_before_any_is_published(superuser_client, planted):
    Publication.objects.all().delete()
    (row,) = superuser_client.get(LISTS).context["cl"].result_list
    assert row.release == planted.candidate


@pytest.mark.parametrize("release", ["999999", "abc", "'; --"])
def test_an_unknown_release_falls_back_to_the_published_one(superuser_client, planted, release):
    assert rows(superuser_client.get(LISTS, {"release": release})) == ["Product 1"]


@pytest.mark.parametrize(("text", "found"), [("P1", 1), ("product 1", 1), ("duct", 1), ("Product 2", 0), ("zzz", 0)])
def test_lists_are_found_by_the_id_or_the_title_of_their_anchor(superuser_client, planted, text, found):
    assert len(rows(superuser_client.get(LISTS, {"q": text}))) == found


def test_an_empty_table_says_what_to_do(superuser_client, db):
    assert "ecomrec_train --publish" in superuser_client.get(LISTS).content.decode()


def test_offers_are_shown_with_price_reason_and_rounded_evidence(superuser_client, planted):
    html = superuser_client.get(page(planted.offer_list)).content.decode()
    for text in ("Product 2", "Bought together", "214", "12.3", "512.5", "× 17.34", "4.2%"):
        assert text in html
    assert html.index("Product 2") < html.index("Product 3") < html.index("Product 4")


def test_a_pin_comes_first_and_later_pins_behind_it(superuser_client, planted):
    act(superuser_client, planted, pin="P4")
    act(superuser_client, planted, pin="P6")
    assert shown(superuser_client, planted) == ["Product 4", "Product 6", "Product 2", "Product 3"]
    assert list(Override.objects.order_by("pk").values_list("offer__external_id", "action", "position")) == [
        ("P4", "pin", 1),
        ("P6", "pin", 2),
    ]


def test_a_block_stays_in_its_place_marked(superuser_client, planted):
    response = act(superuser_client, planted, block="P3")
    assert "“Product 3” is blocked." in response.content.decode()
    assert shown(superuser_client, planted) == ["Product 2", "Product 3", "Product 4"]
    assert [card.blocked for card in superuser_client.get(page(planted.offer_list)).context["cards"]] == [
        False,
        True,
        False,
    ]


def test_undo_gives_the_learned_list_back(superuser_client, planted):
    act(superuser_client, planted, pin="P4")
    act(superuser_client, planted, undo="P4")
    assert shown(superuser_client, planted) == ["Product 2", "Product 3", "Product 4"]
    assert not Override.objects.exists()


def test_a_pin_can_be_turned_into_a_block_and_keeps_who_made_it(superuser_client, client_with, planted):
    act(superuser_client, planted, pin="P4")
    act(client_with("view_offerlist", "review_offers"), planted, block="P4")
    override = Override.objects.get()
    assert (override.action, override.position, override.created_by.username) == ("block", 1, "boss")


def test_pinning_twice_changes_nothing(superuser_client, planted):
    act(superuser_client, planted, pin="P4")
    act(superuser_client, planted, pin="P4")
    assert Override.objects.get().position == 1


def test_every_word_is_logged_and_announced_by_the_models_signals(superuser_client, planted):
    heard = []
    on_save = lambda instance, created, **kwargs: heard.append(("saved", instance.action))  # noqa: E731
    on_delete = lambda instance, **kwargs: heard.append(("deleted", instance.action))  # noqa: E731
    post_save.connect(on_save, sender=Override)
    post_delete.connect(on_delete, sender=Override)
    try:
        act(superuser_client, planted, pin="P4")
        act(superuser_client, planted, block="P4")
        act(superuser_client, planted, undo="P4")
    finally:
        post_save.disconnect(on_save, sender=Override)
        post_delete.disconnect(on_delete, sender=Override)
    assert heard == [("saved", "pin"), ("saved", "block"), ("deleted", "block")]
    decided = Decision.objects.order_by("pk").values_list("action", "strategy", "offer__external_id", "user__username")
    assert list(decided) == [
        ("pin", "bought_with", "P4", "boss"),
        ("block", "bought_with", "P4", "boss"),
        ("follow", "bought_with", "P4", "boss"),
    ]


@pytest.mark.parametrize("what", [{}, {"eat": "P4"}, {"pin": "P1"}, {"pin": "no such"}, {"block": ""}])
def test_invalid_input_changes_nothing_and_is_reported(superuser_client, planted, what):
    response = act(superuser_client, planted, **what)
    assert [message.level_tag for message in response.context["messages"]] == ["error"]
    assert not Override.objects.exists()


def test_the_list_of_a_category_takes_no_overrides(superuser_client, planted):
    fallback = OfferList.objects.get(category__isnull=False)
    assert b'name="pin"' not in superuser_client.get(page(fallback)).content
    assert superuser_client.post(f"{LISTS}{fallback.pk}/override/", {"pin": "P4"}).status_code == 404


def test_overrides_outlive_the_release_they_were_made_in(superuser_client, planted):
    act(superuser_client, planted, block="P3")
    newer = OfferList.objects.get(release=planted.candidate, anchor=planted.items[0])
    cards = superuser_client.get(page(newer)).context["cards"]
    assert [card.external_id for card in cards if card.blocked] == ["P3"]


def test_titles_and_addresses_are_escaped(superuser_client, planted):
    Item.objects.filter(external_id__in=["P1", "P2"]).update(
        title="<script>alert(1)</script>", image='x" onerror="alert(1)'
    )
    for url in (LISTS, page(planted.offer_list), "/admin/ecomrec/item/"):
        html = superuser_client.get(url).content.decode()
        assert "<script>alert" not in html
        assert 'onerror="' not in html
        assert "&lt;script&gt;alert" in html


def test_an_item_that_is_gone_shows_as_its_id(superuser_client, planted):
    Item.objects.filter(external_id="P3").delete()
    html = superuser_client.get(page(planted.offer_list)).content.decode()
    assert "no longer in the catalog" in html
    assert superuser_client.get(LISTS).status_code == 200


@pytest.mark.parametrize("path", ["999", "abc"])
def test_a_list_that_is_not_there_is_not_a_crash(superuser_client, planted, path):
    assert superuser_client.get(f"{LISTS}{path}/change/").status_code == 302
    assert superuser_client.post(f"{LISTS}{path}/override/", {"pin": "P2"}).status_code == 404


def test_a_longer_list_costs_no_more_queries(superuser_client, planted, django_assert_num_queries):
    superuser_client.get(page(planted.offer_list))
    items = [Item(external_id=f"N{n}", title=f"N{n}", fingerprint="") for n in range(50)]
    Item.objects.bulk_create(items)

    def queries():
        with django_assert_num_queries(8):
            return superuser_client.get(page(planted.offer_list))

    assert len(queries().context["cards"]) == 3
    OfferList.objects.filter(pk=planted.offer_list.pk).update(offers=together(*(item.external_id for item in items)))
    assert len(queries().context["cards"]) == 50


def test_lists_of_a_release_still_being_written_are_not_listed(superuser_client, planted):
    Publication.objects.all().delete()
    Release.objects.update(complete=False)
    assert rows(superuser_client.get(LISTS)) == []


def test_pins_move_up_and_down_as_far_as_there_are_pins(superuser_client, planted):
    for item in ("P4", "P6", "P3"):
        act(superuser_client, planted, pin=item)
    html = superuser_client.get(page(planted.offer_list)).content.decode()
    assert [html.count(f'name="{name}"') for name in ("up", "down")] == [2, 2]
    act(superuser_client, planted, up="P3")
    act(superuser_client, planted, down="P4")
    assert shown(superuser_client, planted)[:3] == ["Product 3", "Product 4", "Product 6"]
    response = act(superuser_client, planted, up="P3")
    assert "This has already been decided." in response.content.decode()
    response = act(superuser_client, planted, up="P2")
    assert "Pin it first" in response.content.decode()


def test_pins_are_put_in_the_order_that_was_dragged(superuser_client, planted):
    act(superuser_client, planted, pin="P4")
    superuser_client.post(f"{LISTS}{planted.offer_list.pk}/override/", {"order": ["P3", "P4", "P2"]})
    assert shown(superuser_client, planted)[:3] == ["Product 3", "Product 4", "Product 2"]
    response = superuser_client.post(
        f"{LISTS}{planted.offer_list.pk}/override/", {"order": ["P3", "no such"]}, follow=True
    )
    assert "Item “no such” is not in the catalog." in response.content.decode()
