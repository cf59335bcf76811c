"""A planted shop of six items and three releases, and the people who look at it."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from django.contrib.auth.models import Permission, User
from django.core.cache import cache
from django.test import Client

from ecomrec_django.models import Category, Item, OfferList, Publication, Release, TrainingRun
from ecomrec_django.strategies.base import Offer, Reason, encode_offers


@dataclass
class Planted:
    items: list[Item]
    first: Release
    published: Release
    candidate: Release
    offer_list: OfferList


def together(*keys: str) -> str:
    """A list of offers bought together, best first."""
    return encode_offers(
        [
            Offer(
                item=key,
                score=1 - n / 10,
                reason=Reason.TOGETHER,
                aisle=1,
                evidence=(214, 60, 12.34, 17.342, 512.5, 0.042),
            )
            for n, key in enumerate(keys)
        ]
    )


def make_release() -> Release:
    return Release.objects.create(run=TrainingRun.objects.create(status="done", percent=100), complete=True)


@pytest.fixture(autouse=True)
def _fresh_cache():
    cache.clear()


@pytest.fixture
def planted(db) -> Planted:
    category = Category.objects.create(name="Pasta", path="Pasta", digest="pasta")
    items = [
        Item.objects.create(external_id=f"P{n}", title=f"Product {n}", category=category, price=n, fingerprint="")
        for n in range(1, 7)
    ]
    first, published, candidate = make_release(), make_release(), make_release()
    OfferList.objects.create(release=first, strategy="bought_with", anchor=items[0], offers=together("P2"))
    offer_list = OfferList.objects.create(
        release=published, strategy="bought_with", anchor=items[0], offers=together("P2", "P3", "P4")
    )
    OfferList.objects.create(release=published, strategy="bought_with", category=category, offers=together("P5"))
    OfferList.objects.create(
        release=candidate, strategy="bought_with", anchor=items[0], offers=together("P3", "P2", "P5")
    )
    OfferList.objects.create(release=candidate, strategy="upgrade_to", anchor=items[1], offers=together("P6"))
    Publication.objects.create(pk=Publication.CURRENT, release=published, previous=first)
    return Planted(items, first, published, candidate, offer_list)


@pytest.fixture
def client_with(db):
    """A client of a staff member who has exactly the named permissions of our app."""

    def make(*codenames: str, **options: bool) -> Client:
        user = User.objects.create_user(f"staff{User.objects.count()}", password="x", is_staff=True)
        wanted = Permission.objects.filter(content_type__app_label="ecomrec", codename__in=codenames)
        assert wanted.count() == len(codenames)
        user.user_permissions.set(wanted)
        client = Client(**options)
        client.force_login(user)
        return client

    return make


@pytest.fixture
def superuser_client(db) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("boss", password="x"))
    return client
