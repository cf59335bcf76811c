import pytest
from django.utils import timezone

from ecomrec_django.models import Erasure
from ecomrec_django.privacy.erasure import erase

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.admin.urls")]
URL = "/admin/ecomrec/erasure/"


@pytest.fixture
def receipt():
    return Erasure.objects.create(
        key="k" * 64, time=timezone.now(), removed_rows={"events": 1200, "held_events": 3}, completed=timezone.now()
    )


def test_a_receipt_shows_what_was_removed_and_no_key(client_with, receipt):
    staff = client_with("view_erasure")
    assert "1203" in staff.get(URL).content.decode()
    page = staff.get(f"{URL}{receipt.pk}/change/").content.decode()
    for text in (str(receipt.receipt), "held events", "1,200"):
        assert text in page
    assert receipt.key not in page


def test_rows_for_additional_keys_are_not_listed(client_with):
    receipt = erase(["a" * 64, "b" * 64])
    assert Erasure.objects.count() == 2
    assert list(client_with("view_erasure").get(URL).context["cl"].result_list) == [receipt]


def test_a_receipt_is_found_by_its_whole_number(client_with, receipt):
    staff = client_with("view_erasure")
    for text, found in [(str(receipt.receipt), [receipt]), (f" {receipt.receipt.hex} ", [receipt]), ("12", [])]:
        assert list(staff.get(URL, {"q": text}).context["cl"].result_list) == found


def test_receipts_can_be_neither_changed_nor_deleted(superuser_client, receipt):
    assert superuser_client.post(f"{URL}{receipt.pk}/change/", {"completed": ""}).status_code == 403
    assert superuser_client.post(f"{URL}{receipt.pk}/delete/").status_code == 403
    assert superuser_client.get(f"{URL}add/").status_code == 403
