"""The review queue, and the buttons that lead through it."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.http import urlencode

from ecomrec_django.models import Category, Decision, Item, OfferList, Override, Publication
from ecomrec_django.strategies.base import decode_offers

from .conftest import together

pytestmark = pytest.mark.urls("tests.admin.urls")

QUEUE = "/admin/ecomrec/reviewlist/"


@pytest.fixture
def queue(planted):
    """Three lists of the candidate, that of P3 first and held, and one of the published release."""
    lists = OfferList.objects.filter(release=planted.candidate)
    lists.filter(anchor=planted.items[0]).update(unreviewed=["P5"], priority=1.0)
    lists.filter(anchor=planted.items[1]).update(unreviewed=["P6"], priority=2.0)
    OfferList.objects.create(
        release=planted.candidate,
        strategy="bought_with",
        anchor=planted.items[2],
        offers=together("P2"),
        proposed=together("P1", "P2", "P4"),
        unreviewed=["P1", "P4"],
        priority=3.0,
    )
    OfferList.objects.filter(pk=planted.offer_list.pk).update(unreviewed=["P2", "gone"], priority=9.0)
    return planted


def rows(response):
    return [str(row.anchor) for row in response.context["cl"].result_list]


def row_of(queue, number) -> OfferList:
    return OfferList.objects.get(release=queue.candidate, anchor=queue.items[number - 1])


def page(row) -> str:
    return f"/admin/ecomrec/offerlist/{row.pk}/change/"


def post(client, row, query="", **what):
    return client.post(f"/admin/ecomrec/offerlist/{row.pk}/override/{query}", what)


def told(client) -> list[str]:
    return [str(message) for message in client.get(QUEUE).context["messages"]]


def approve_in_bulk(client, *chosen):
    what = {"action": "approve", "_selected_action": [row.pk for row in chosen]}
    return client.post(QUEUE, what, follow=True)


class TestTheQueue:
    def test_is_closed_to_who_may_not_look_at_lists(self, client, client_with, queue):
        assert "/admin/login/" in client.get(QUEUE)["Location"]
        assert client_with().get(QUEUE).status_code == 403
        assert client_with("review_offers").get(QUEUE).status_code == 403
        assert QUEUE not in client_with("view_release").get("/admin/").content.decode()

    def test_is_shown_to_who_may_look_and_approves_for_who_may_review(self, client_with, queue):
        for rights, approves in ((("view_offerlist",), False), (("view_offerlist", "review_offers"), True)):
            client = client_with(*rights)
            assert QUEUE in client.get("/admin/").content.decode()
            response = client.get(QUEUE)
            assert rows(response) == ["Product 3", "Product 2", "Product 1"]
            assert ("Approve new offers" in response.content.decode()) is approves

    def test_has_the_release_that_is_next_first_and_the_published_one_to_choose(self, superuser_client, queue):
        assert rows(superuser_client.get(f"{QUEUE}?release={queue.published.pk}")) == ["Product 1"]
        assert rows(superuser_client.get(f"{QUEUE}?release={queue.first.pk}")) == []
        Publication.objects.update(release=queue.candidate)
        assert rows(superuser_client.get(QUEUE)) == ["Product 3", "Product 2", "Product 1"]

    def test_can_be_searched_and_filtered_by_strategy(self, superuser_client, queue):
        assert rows(superuser_client.get(QUEUE, {"q": "P2"})) == ["Product 2"]
        assert rows(superuser_client.get(QUEUE, {"strategy": "upgrade_to"})) == ["Product 2"]

    def test_says_what_is_new_and_what_waits_for_approval(self, superuser_client, queue):
        html = superuser_client.get(QUEUE).content.decode()
        assert html.count("pending approval") == 1
        assert html.count("2 new") == 1
        assert html.count("1 new") == 2
        assert 'title="Product 4"' in html

    def test_copes_with_items_that_are_gone_and_with_lists_of_no_item(self, superuser_client, queue):
        OfferList.objects.filter(category__isnull=False).update(unreviewed=["P5"], priority=1.0)
        response = superuser_client.get(f"{QUEUE}?release={queue.published.pk}")
        assert [row.owner for row in response.context["cl"].result_list] == ["Product 1", "Pasta"]

    def test_that_is_empty_says_so(self, superuser_client, planted):
        assert "The review queue is empty" in superuser_client.get(QUEUE).content.decode()

    def test_leads_to_the_lists_own_pages(self, superuser_client, queue):
        row = row_of(queue, 3)
        assert superuser_client.get(f"{QUEUE}{row.pk}/change/")["Location"] == page(row)

    def test_takes_as_many_queries_for_fifty_rows_as_for_five(self, superuser_client, planted):
        counts = []
        for start, stop in ((0, 5), (5, 50)):
            for n in range(start, stop):
                category = Category.objects.create(name=f"C{n}", path=f"C{n}", digest=f"c{n}")
                item = Item.objects.create(external_id=f"Q{n}", title=f"Q{n}", category=category, image="/x.png")
                OfferList.objects.create(
                    release=planted.candidate,
                    strategy="bought_with",
                    anchor=item,
                    offers=together(f"Q{n}"),
                    unreviewed=[f"Q{n}", "P1"],
                    priority=n,
                )
            with CaptureQueriesContext(connection) as queries:
                assert len(superuser_client.get(QUEUE).context["cl"].result_list) == stop
            counts.append(len(queries))
        assert counts[0] == counts[1] <= 10


class TestApprovingInBulk:
    def test_approves_what_waits_in_the_chosen_lists_and_writes_it_down(self, client_with, queue):
        client = client_with("view_offerlist", "review_offers")
        response = approve_in_bulk(client, row_of(queue, 3), row_of(queue, 2))
        assert "3 offers approved." in response.content.decode()
        assert rows(response) == ["Product 1"]
        assert [offer.item for offer in decode_offers(row_of(queue, 3).offers)] == ["P1", "P2", "P4"]
        decided = Decision.objects.order_by("pk").values_list("action", "anchor__external_id", "user__is_staff")
        assert set(decided) == {("approve", "P3", True), ("approve", "P2", True)}

    def test_needs_the_right_to_review(self, client_with, queue):
        approve_in_bulk(client_with("view_offerlist"), row_of(queue, 3))
        assert row_of(queue, 3).unreviewed == ["P1", "P4"]
        assert not Decision.objects.exists()


class TestTheButtonsOfAList:
    @pytest.fixture
    def client(self, client_with):
        return client_with("view_offerlist", "review_offers")

    def test_approve_all_with_a_note(self, client, queue):
        row = row_of(queue, 3)
        assert post(client, row, approve_all="1", note=" Fine. ")["Location"] == page(row)
        assert row_of(queue, 3).unreviewed is None
        assert Decision.objects.get().note == "Fine."
        assert told(client) == ["2 offers approved."]

    def test_approve_all_then_go_to_the_next_list_until_none_is_left(self, client, queue):
        three, two, one = (row_of(queue, number) for number in (3, 2, 1))
        assert "go to the next list" in client.get(page(three)).content.decode()
        assert post(client, three, "?next", approve_all="1")["Location"] == page(two)
        assert post(client, two, "?next", approve_all="1")["Location"] == page(one)
        assert "go to the next list" not in client.get(page(one)).content.decode()
        assert post(client, one, "?next", approve_all="1")["Location"] == page(one)

    def test_stay_with_a_list_of_which_nothing_could_be_approved(self, client, queue):
        row = row_of(queue, 3)
        post(client, row, approve_all="1")
        assert post(client, row, "?next", approve_all="1")["Location"] == page(row)
        assert "None of these offers is pending" in told(client)[-1]

    def test_approve_one_offer(self, client, queue):
        post(client, row_of(queue, 3), approve="P4")
        assert row_of(queue, 3).unreviewed == ["P1"]
        assert [offer.item for offer in decode_offers(row_of(queue, 3).offers)] == ["P2", "P4"]

    def test_order_by_dragging_and_by_steps(self, client, queue):
        row = row_of(queue, 3)
        post(client, row, order=["P4", "P2", "P6"])
        post(client, row, up="P6")
        post(client, row, down="P4")
        pins = Override.objects.order_by("position").values_list("offer__external_id", flat=True)
        assert list(pins) == ["P6", "P4", "P2"]
        post(client, row, down="P2")
        assert "already been decided" in told(client)[-1]
        post(client, row, up="P1")
        assert "Pin it first" in told(client)[-1]

    def test_hide_an_item_or_a_category(self, client, queue):
        row = row_of(queue, 3)
        post(client, row, hide_item="P4")
        post(client, row, hide_pair="P2")
        assert list(Decision.objects.order_by("pk").values_list("action", flat=True)) == ["hide_item", "hide_pair"]
        Item.objects.filter(external_id="P2").update(category=None)
        post(client, row, hide_pair="P2")
        assert "need a category" in told(client)[-1]

    def test_undo_a_decision_and_refuse_one_that_is_not_there(self, client, queue):
        row = row_of(queue, 3)
        post(client, row, pin="P1")
        decision = Decision.objects.get()
        assert f'name="undo_decision" value="{decision.pk}"' in client.get(page(row)).content.decode()
        post(client, row, undo_decision=decision.pk)
        assert not Override.objects.exists()
        assert row_of(queue, 3).unreviewed == ["P1", "P4"]
        post(client, row, undo_decision=decision.pk)
        assert "already been undone" in told(client)[-1]
        for key in ("0", "x", "9" * 30, "-1", ""):
            assert post(client, row, undo_decision=key).status_code == 404

    @pytest.mark.parametrize(
        ("back", "safe"),
        [
            ("/admin/ecomrec/item/", True),
            ("/admin/?a=1", True),
            ("https://evil.example/", False),
            ("//evil.example/", False),
            ("http:///evil.example", False),
            ("/\\evil.example", False),
            ("javascript:alert(1)", False),
            ("", False),
        ],
    )
    def test_lead_back_only_to_addresses_of_this_shop(self, client, queue, back, safe):
        row = row_of(queue, 3)
        for offer in ("P4", "no such"):
            response = post(client, row, "?" + urlencode({"back": back}), pin=offer)
            assert response["Location"] == (back if safe else page(row))

    def test_of_a_category_approve_and_hide_but_neither_pin_nor_order(self, client, queue):
        OfferList.objects.filter(category__isnull=False).update(unreviewed=["P5"], priority=1.0)
        row = OfferList.objects.get(category__isnull=False)
        html = client.get(page(row)).content.decode()
        for name, there in (("approve", True), ("hide_item", True), ("pin", False), ("hide_pair", False)):
            assert (f'name="{name}"' in html) is there
        for what in ({"pin": "P5"}, {"order": ["P5"]}, {"up": "P5"}, {"hide_pair": "P5"}):
            assert post(client, row, **what).status_code == 404
        assert post(client, row, approve="P5").status_code == 302
        assert post(client, row, hide_item="P5").status_code == 302
        assert list(Decision.objects.order_by("pk").values_list("action", flat=True)) == ["approve", "hide_item"]
