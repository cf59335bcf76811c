"""The groups of the staff: made with the rights they are named for, and never with fewer than before."""

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.core.management import call_command
from django.test import Client

from ecomrec_django.models import Override, Publication
from tests.support.releases import list_of, release

pytestmark = pytest.mark.django_db

NAMES = ["viewer", "reviewer", "publisher", "experimenter", "privacy"]


def group(name: str) -> Group:
    return Group.objects.get(name=f"Recommendations: {name}")


def rights(name: str) -> set[str]:
    return set(group(name).permissions.values_list("codename", flat=True))


def member(name: str) -> Client:
    user = User.objects.create_user(name, is_staff=True)
    user.groups.add(group(name))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture(autouse=True)
def said(capsys) -> list[str]:
    call_command("ecomrec_roles")
    return capsys.readouterr().out.splitlines()


def test_a_group_is_created_for_each_role(said):
    assert sorted(Group.objects.values_list("name", flat=True)) == sorted(f"Recommendations: {n}" for n in NAMES)
    assert said == [f"Recommendations: {name}: {len(rights(name))} permissions (new)" for name in NAMES]


def test_roles_have_the_permissions_of_their_name():
    assert all(right.startswith("view_") for right in rights("viewer"))
    assert {"view_release", "view_offerlist", "view_decision", "view_dailyfigure"} <= rights("viewer")
    assert rights("viewer") < rights("reviewer") < rights("publisher")
    assert rights("publisher") - rights("reviewer") == {"publish_release"}
    assert rights("reviewer") - rights("viewer") == {
        "review_offers",
        "change_segment",
        *(f"{verb}_{model}" for verb in ("add", "change", "delete") for model in ("override", "rule")),
    }
    assert rights("experimenter") - rights("viewer") == {"add_experiment", "change_experiment", "run_experiment"}
    assert rights("privacy") >= {"view_erasure", "view_visitor"}
    # What is known of single shoppers is for those who need it, and nobody overrules an evaluation by a role.
    for name in NAMES[:4]:
        assert not rights(name) & {"view_visitor", "view_event", "view_impression", "overrule_refusal"}


def test_roles_only_have_permissions_of_this_package():
    assert set(Permission.objects.filter(group__isnull=False).values_list("content_type__app_label", flat=True)) == {
        "ecomrec"
    }


def test_running_it_twice_changes_nothing(capsys):
    before = {name: rights(name) for name in NAMES}
    call_command("ecomrec_roles")
    assert {name: rights(name) for name in NAMES} == before
    assert Group.objects.count() == len(NAMES)
    assert "(new)" not in capsys.readouterr().out


def test_other_permissions_stay_and_missing_ones_are_added():
    foreign = Permission.objects.get(codename="view_product")
    ours = Permission.objects.get(codename="overrule_refusal")
    group("reviewer").permissions.add(foreign, ours)
    group("reviewer").permissions.remove(Permission.objects.get(codename="review_offers"))
    other = Group.objects.create(name="Warehouse")
    other.permissions.add(foreign)
    call_command("ecomrec_roles")
    assert {"view_product", "overrule_refusal", "review_offers"} <= rights("reviewer")
    assert list(other.permissions.all()) == [foreign]


def test_a_reviewer_pins_but_does_not_publish_and_a_publisher_does_both():
    published, candidate = release({"a": "b c"}), release({"a": "c"})
    Publication.objects.create(pk=Publication.CURRENT, release=published)
    pin = f"/admin/ecomrec/offerlist/{list_of(published, 'a').pk}/override/"
    publish = f"/admin/ecomrec/release/{candidate.pk}/publish/"
    done = []
    for name in ("viewer", "reviewer", "publisher"):
        client = member(name)
        assert client.get("/admin/ecomrec/release/overview/").status_code == 200
        done.append((client.post(pin, {"pin": "b"}).status_code, client.post(publish).status_code))
        if name == "reviewer":
            assert Override.objects.get().action == "pin"
            assert Publication.objects.get().release == published
    assert done == [(403, 403), (302, 403), (302, 302)]
    assert Publication.objects.get().release == candidate


def test_privacy_sees_who_was_forgotten_but_no_offers():
    client = member("privacy")
    assert client.get("/admin/ecomrec/erasure/").status_code == 200
    assert client.get("/admin/ecomrec/visitor/").status_code == 200
    assert client.get("/admin/ecomrec/offerlist/").status_code == 403
