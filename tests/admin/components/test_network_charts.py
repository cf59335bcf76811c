"""What a training of networks wrote, on the page of its run: whatever is in it."""

import pytest
from django.urls import reverse

from ecomrec_django.models import Item, TrainingRun

pytestmark = pytest.mark.django_db
GARBAGE = [
    {},
    {"quality": "none", "losses": 3, "ablation": [1], "map": "x"},
    {"quality": [[1], "a", None], "losses": [None, "a"], "ablation": {"for_you": 3}, "map": {"items": 3}},
    {"map": {"items": [10**9], "places": [[0.1, 0.2]]}},
]


def page(client, **fields) -> str:
    run = TrainingRun.objects.create(status="done", **fields)
    answer = client.get(reverse("admin:ecomrec_trainingrun_change", args=[run.pk]))
    assert answer.status_code == 200
    return answer.content.decode()


def test_rounds_variants_and_places_stand_in_tables(admin_client):
    item = Item.objects.create(external_id="a", title="A <lamp>", fingerprint="")
    table = {"used": "behaviour + images", "behaviour": {"test": 0.25, "validation": 0.2}}
    table["behaviour + images"] = {"test": 0.3128, "validation": 0.3}
    metrics = {"quality": [[0.5, 0.2], [0.625, 0.3]], "losses": [1.5], "ablation": {"for_you": table}}
    metrics["map"] = {"items": [item.pk, 10**9], "places": [[0.125, 1.0], [0.0, 0.0]]}
    text = page(admin_client, kind="sequences", metrics=metrics)
    for said in ("0.625", "1.500", "0.313", "0.125", "A &lt;lamp&gt;", "No category", "in use: behaviour + images"):
        assert said in text
    assert text.count("data-chart=") == 4
    assert reverse("admin:ecomrec_item_change", args=[item.pk]) in text


@pytest.mark.parametrize("metrics", GARBAGE)
def test_metrics_of_another_version_do_not_break_the_page(admin_client, metrics):
    assert "data-value" not in page(admin_client, metrics=metrics)


def test_a_map_costs_one_query_however_large(admin_client, django_assert_max_num_queries):
    items = [Item(external_id=str(number), title=str(number), fingerprint="") for number in range(60)]
    Item.objects.bulk_create(items)
    pks = list(Item.objects.values_list("pk", flat=True))
    run = TrainingRun.objects.create(metrics={"map": {"items": pks, "places": [[0.5, 0.5]] * len(pks)}})
    with django_assert_max_num_queries(8):
        admin_client.get(reverse("admin:ecomrec_trainingrun_change", args=[run.pk]))
