"""Release pages: what a release changes, and publish and roll back."""

import pytest
from django.contrib.admin.models import LogEntry

from ecomrec_django.models import Publication, Release

from .conftest import make_release

pytestmark = pytest.mark.urls("tests.admin.urls")


def page(release, name="change"):
    return f"/admin/ecomrec/release/{release.pk}/{name}/"


def test_publishing_asks_first_and_flips_on_post(superuser_client, planted):
    question = superuser_client.get(page(planted.candidate, "publish"))
    assert question.status_code == 200
    assert Publication.objects.get().release == planted.published
    response = superuser_client.post(page(planted.candidate, "publish"), follow=True)
    publication = Publication.objects.get()
    assert (publication.release, publication.previous) == (planted.candidate, planted.published)
    assert f"Published: Release {planted.candidate.pk}." in response.content.decode()
    entry = LogEntry.objects.get()
    assert (entry.user.username, entry.object_id, entry.change_message) == (
        "boss",
        str(planted.candidate.pk),
        "Published",
    )


def test_rolling_back_asks_first_and_shows_the_former_release(superuser_client, planted):
    assert f"Roll back to Release {planted.first.pk}?" in (
        superuser_client.get(page(planted.published, "rollback")).content.decode()
    )
    superuser_client.post(page(planted.published, "rollback"))
    assert Publication.objects.get().release == planted.first
    assert LogEntry.objects.get().change_message == "Rolled back"


def test_only_the_published_release_can_be_rolled_back(superuser_client, planted):
    response = superuser_client.post(page(planted.candidate, "rollback"), follow=True)
    assert "Only the published release" in response.content.decode()
    assert Publication.objects.get().release == planted.published
    assert not LogEntry.objects.exists()


def test_an_incomplete_release_is_refused_with_its_reason(superuser_client, planted):
    Release.objects.filter(pk=planted.candidate.pk).update(complete=False)
    response = superuser_client.post(page(planted.candidate, "publish"), follow=True)
    assert response.context["messages"]
    assert [message.level_tag for message in response.context["messages"]] == ["error"]
    assert Publication.objects.get().release == planted.published
    assert not LogEntry.objects.exists()


def test_the_page_counts_what_changes_against_the_published_release(superuser_client, planted):
    rows = superuser_client.get(page(planted.candidate)).context["rows"]
    counts = {row["strategy"]: ([count for _change, count in row["counts"]], row["unchanged"]) for row in rows}
    assert counts == {"bought_with": ([0, 1, 1], 0), "upgrade_to": ([1, 0, 0], 0)}


def test_the_published_release_is_compared_with_the_one_before(superuser_client, planted):
    context = superuser_client.get(page(planted.published)).context
    assert context["previous"] == planted.first


def test_any_other_release_can_be_compared_with(superuser_client, planted):
    context = superuser_client.get(page(planted.candidate) + f"?against={planted.first.pk}").context
    assert context["previous"] == planted.first


def test_a_changed_list_shows_what_enters_leaves_and_moves(superuser_client, planted):
    response = superuser_client.get(page(planted.candidate, "lists") + "?strategy=bought_with&change=changed")
    (row,) = response.context["rows"]
    assert row.owner == "Product 1"
    assert [title for _picture, title in row.added] == ["Product 5"]
    assert [title for _picture, title in row.removed] == ["Product 4"]
    assert (row.remaining, row.reordered) == (2, True)


@pytest.mark.parametrize("query", ["", "?strategy=bought_with&change=eaten", "?strategy=nonsense&change=lost"])
def test_a_change_that_cannot_be_shown_is_not_found(superuser_client, planted, query):
    assert superuser_client.get(page(planted.candidate, "lists") + query).status_code == 404


def test_a_first_release_is_said_to_have_nothing_to_compare_with(superuser_client, db):
    release = make_release()
    response = superuser_client.get(page(release))
    assert "There is no other release" in response.content.decode()
    assert superuser_client.get(page(release, "lists")).status_code == 404


def test_an_empty_list_of_releases_says_what_to_do(superuser_client, db):
    assert "ecomrec_train --publish" in superuser_client.get("/admin/ecomrec/release/").content.decode()


@pytest.mark.parametrize("path", ["999", "abc"])
def test_a_release_that_is_not_there_is_not_a_crash(superuser_client, planted, path):
    assert superuser_client.get(f"/admin/ecomrec/release/{path}/change/").status_code == 302
    assert superuser_client.get(f"/admin/ecomrec/release/{path}/publish/").status_code == 404
