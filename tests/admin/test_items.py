"""An item's page: similar pictures, and what its own picture suggests."""

import pytest
from django.utils import timezone

from ecomrec_django.models import Category, Item, ItemPicture
from ecomrec_django.serving.model_cache import cached_model
from ecomrec_django.tasks import run_sync, run_training
from tests.support.camping_shop import stock_the_shop
from tests.support.image_vectors import paint


def page(client, item: str) -> str:
    response = client.get(f"/admin/ecomrec/item/{Item.objects.get(external_id=item).pk}/change/")
    assert response.status_code == 200
    return response.content.decode()


@pytest.fixture
def painted(db):
    stock_the_shop()
    run_sync()
    paint({"tent": (1, 0), "mug": (1, 0.2), "mat": (1, 0.1), "lamp": (0, 1)})
    release = run_training(publish=True).release
    cached_model(release.pk, release.digest, wait=True)


@pytest.mark.once
@pytest.mark.usefixtures("painted")
def test_similar_looking_items_are_linked_best_first(admin_client):
    html = page(admin_client, "tent")
    listed = html[html.index("ecomrec-lookalikes") : html.index("</ul>", html.index("ecomrec-lookalikes"))]
    assert listed.index("Trail mat") < listed.index("Trail mug")
    assert "Trail lamp" not in listed
    assert f"/admin/ecomrec/item/{Item.objects.get(external_id='mat').pk}/change/" in listed


def test_an_unanalysed_item_names_the_command_to_run(trained_shop, admin_client):
    assert "manage.py ecomrec_pictures" in page(admin_client, "tent")


@pytest.mark.once
@pytest.mark.usefixtures("painted")
def test_suggestions_show_probabilities_and_image_problems(admin_client):
    tents = Category.objects.get(path__endswith="Tents")
    suggested = {"category": [tents.pk, 0.912], "brand": ["<b>Acme</b>", 0.5], "attribute:colour": ["red", 0.8]}
    ItemPicture.objects.filter(item__external_id="tent").update(suggestions=suggested)
    ItemPicture.objects.create(
        item=Item.objects.get(external_id="pegs"), problem="The file <script>", read_at=timezone.now(), image="x"
    )
    html = page(admin_client, "tent")
    assert f"category: {tents.path.replace('>', '&gt;')} (91%)" in html
    assert "brand: &lt;b&gt;Acme&lt;/b&gt; (50%)" in html
    assert "colour: red (80%)" in html
    assert "The file &lt;script&gt;" in page(admin_client, "pegs")


@pytest.mark.once
@pytest.mark.usefixtures("painted")
def test_a_suggested_category_that_is_gone_is_named_by_its_number(admin_client):
    ItemPicture.objects.filter(item__external_id="tent").update(suggestions={"category": [10**6, 0.9]})
    assert "category: 1000000 (90%)" in page(admin_client, "tent")
