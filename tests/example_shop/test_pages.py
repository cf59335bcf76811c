import pytest
from django.contrib.auth.models import User
from django.urls import reverse

from example_shop.models import Category, Product, Review

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("name", ["home", "search", "cart", "login", "signup"])
def test_a_shop_without_anything_has_every_page(client, name):
    assert client.get(reverse(name)).status_code == 200


def test_an_incomplete_product_has_a_page_but_cannot_be_bought(client):
    product = Product.objects.create(sku="bare", title="Bare")
    page = client.get(product.get_absolute_url()).content.decode()
    assert "Price on request" in page
    assert 'name="quantity"' not in page
    client.post(reverse("cart-add"), {"sku": "bare"})
    assert "Your cart is empty" in client.get(reverse("cart")).content.decode()


def test_a_category_shows_the_products_of_its_whole_tree(client, milk, bread):
    page = client.get(reverse("category", args=["grocery"])).content.decode()
    assert "Whole milk" in page
    assert "Rye bread" not in page
    assert reverse("category", args=["dairy"]) in page


def test_a_category_that_is_its_own_ancestor_still_has_a_page(client):
    first = Category.objects.create(name="First", slug="first")
    second = Category.objects.create(name="Second", slug="second", parent=first)
    Category.objects.filter(pk=first.pk).update(parent=second)
    assert client.get(reverse("category", args=["first"])).status_code == 200


def test_a_listing_is_sorted_as_asked_and_paged(client):
    category = Category.objects.create(name="All", slug="all")
    Product.objects.bulk_create(
        Product(sku=str(i), title=f"Thing {i:02}", category=category, price=100 - i) for i in range(30)
    )
    first = client.get(reverse("category", args=["all"]), {"sort": "price"}).context["page"]
    assert [product.sku for product in first][:2] == ["29", "28"]
    second = client.get(reverse("category", args=["all"]), {"sort": "price", "page": 2}).context["page"]
    assert len(second) == 6
    assert client.get(reverse("category", args=["all"]), {"sort": "nonsense", "page": "x"}).status_code == 200


def test_search_wants_every_word(client, milk, bread):
    found = client.get(reverse("search"), {"q": "MILK whole"}).context["page"]
    assert [product.sku for product in found] == ["milk/1"]
    assert client.get(reverse("search"), {"q": "milk bread"}).context["page"].paginator.count == 0
    assert client.get(reverse("search"), {"q": "100%\0 '"}).status_code == 200


def test_a_customers_second_review_replaces_the_first(client, milk):
    client.force_login(User.objects.create_user("ada"))
    client.post(reverse("review", args=[milk.sku]), {"rating": 2, "text": "Sour."})
    client.post(reverse("review", args=[milk.sku]), {"rating": 4, "text": "<b>Better</b>"})
    milk.refresh_from_db()
    assert (milk.rating, Review.objects.count()) == (4.0, 1)
    assert "&lt;b&gt;Better" in client.get(milk.get_absolute_url()).content.decode()


def test_a_guest_cannot_review(client, milk):
    answer = client.post(reverse("review", args=[milk.sku]), {"rating": 5})
    assert answer.url.startswith(reverse("login"))
    assert not Review.objects.exists()


def test_a_review_without_stars_is_asked_for_again(client, milk):
    client.force_login(User.objects.create_user("ada"))
    assert client.post(reverse("review", args=[milk.sku]), {"text": "?"}).status_code == 422


def test_signing_up_logs_in(client):
    client.post(
        reverse("signup"),
        {"username": "ada", "email": "ada@example.org", "password1": "hunter-2-hunter", "password2": "hunter-2-hunter"},
    )
    assert "Your orders" in client.get(reverse("home")).content.decode()
