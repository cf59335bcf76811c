"""What a training learns of single shoppers, on a shop whose customers have staples of their own, and on noise."""

from datetime import timedelta

import numpy as np
import pytest
from django.utils import timezone

from ecomrec_django.artifacts import release_folder
from ecomrec_django.catalog.sync import sync
from ecomrec_django.learning.evaluation.metrics import PER_CASE, Evaluation
from ecomrec_django.learning.ranking.model import load
from ecomrec_django.learning.ranking.shopper_history import PURCHASE, ShopperHistory
from ecomrec_django.models import Event, Item, Profile, Publication, Release, Segment, TrainingRun, Visitor
from ecomrec_django.pipeline.publish import publish
from ecomrec_django.pipeline.replay import FITTED_CASES, TEST_CASES, task_title
from ecomrec_django.pipeline.train import train
from ecomrec_django.pipeline.verdicts import UNJUDGED
from ecomrec_django.privacy.erasure import erase
from ecomrec_django.strategies.base import RANKERS
from ecomrec_django.testing import override_ecomrec
from ecomrec_django.tracking.consent import exclude
from ecomrec_django.tracking.visitors import merge, token_key, user_key
from example_shop.models import Product
from tests.support.planted_shop import NextItem
from tests.support.staple_shop import CUSTOMERS, StapleShop, shuffle_purchases, token

pytestmark = pytest.mark.django_db
METHODS = ["bought_with", "for_you"]
# Strategies without a ranker: quick where a test is about shoppers.
QUICK = {"next_item": "tests.support.planted_shop.NextItem"}


@pytest.fixture
def staples(staple_shop, settings):
    settings.ECOMREC = {**settings.ECOMREC, "ARTIFACTS": staple_shop.artifacts}
    return staple_shop


@pytest.fixture
def quick(settings):
    """A few customers, and no ranker."""
    settings.ECOMREC = {**settings.ECOMREC, "STRATEGIES": QUICK}
    return StapleShop(customers=12, weeks=8)


def profile(customer: int) -> Profile | None:
    return Profile.objects.filter(visitor__key=token_key(token(customer))).first()


def names(past: ShopperHistory) -> set[str]:
    return set(Item.objects.filter(pk__in=past.item.tolist()).values_list("external_id", flat=True))


@pytest.mark.once
class TestAReleaseTrainedOnHabits:
    def test_gives_useful_rankers_that_predict_more_than_bestsellers_and_lists(self, staples):
        release = Release.objects.get()
        model = load(release_folder(release.pk), release.digest)
        found = Evaluation.of_json(release.evaluation)
        for task in METHODS:
            assert model.rankers[task].useful
            assert found.gains[f"{task}:personal"].low > 0.2
            assert found.methods[f"{task}:personal"].ndcg > found.methods[task].ndcg + 0.2
        assert not release.held_back
        # Without networks there is nothing to leave out.
        assert "ablation" not in release.run.metrics

    def test_scores_all_methods_by_all_metrics_on_baskets_that_came_later(self, staples):
        found = Evaluation.of_json(Release.objects.get().evaluation)
        expected = {f"{task}{variant}" for task in METHODS for variant in ("", ":popularity", ":own", ":personal")}
        expected |= {f"buy_again{variant}" for variant in ("", ":popularity", ":own", ":for_you")}
        assert set(found.methods) == expected
        assert set(found.gains) == {method for method in expected if not method.endswith(":popularity")}
        assert all(set(scores.intervals) == set(PER_CASE) for scores in found.methods.values())
        assert found.tasks["bought_with"].cases > 100
        times = Event.objects.order_by("time").values_list("time", flat=True)
        assert times[int(len(times) * 0.85)].isoformat() < found.since < found.until == times.last().isoformat()

    def test_names_the_habit_as_what_tells_most(self, staples):
        signals = Release.objects.get().evaluation["signals"]
        for task in METHODS:
            assert [name for name, _ in signals[task][:3] if name.startswith("own_")]

    def test_writes_a_profile_of_everybody_with_what_they_bought(self, staples):
        assert Profile.objects.count() == CUSTOMERS
        run = Release.objects.get().run
        for customer in (0, 57):
            row = profile(customer)
            past = ShopperHistory.from_bytes(bytes(row.history))
            bought = Event.objects.filter(visitor=row.visitor)
            assert len(past) == bought.count()
            assert (past.kind == PURCHASE).all()
            assert len(np.unique(past.basket)) == len(set(bought.values_list("basket", flat=True)))
            often = [name for name in staples.staples[customer] if bought.filter(item__external_id=name).count() > 8]
            assert set(often) <= names(past)
            assert run.started <= row.until <= run.finished
            assert row.segment_id in set(Segment.objects.values_list("pk", flat=True))
        assert sum(Segment.objects.values_list("size", flat=True)) == CUSTOMERS

    def test_a_release_trained_on_noise_is_refused_until_overruled(self, staples, admin_user):
        good = Publication.objects.get().release
        shuffle_purchases()
        run = train(publish=True)

        bad = run.release
        assert Publication.objects.get().release == good
        assert bad.complete
        held_back = {verdict.strategy: verdict.reasons for verdict in bad.held_back}
        assert "bought_with:personal: " in held_back["bought_with"]
        assert "The current release gained more" in held_back["bought_with"]
        assert f"Held back, bought_with: {held_back['bought_with']}" in run.message
        # The others cannot be judged here, and come from the same noise.
        assert {name for name, reasons in held_back.items() if reasons == UNJUDGED} == {
            "for_you",
            "upgrade_to",
            "buy_again",
        }
        assert bad.shown_release("for_you") == good.pk
        assert "Not published: every strategy of this release is held back." in run.message
        # It says that nobody has habits, and no personal order would be served.
        model = load(release_folder(bad.pk), bad.digest)
        for task in METHODS:
            assert f"Not enough history to personalise “{task_title(task)}”" in run.message
            assert not model.rankers[task].useful
        found = Evaluation.of_json(bad.evaluation)
        assert found.methods["bought_with:personal"].ndcg == found.methods["bought_with"].ndcg
        assert found.gains["bought_with:personal"].high < 0.1

        publish(bad, overruled_by=admin_user, note="The old orders were wrong.")
        assert Publication.objects.get().release == bad
        assert not bad.held_back
        assert bad.shown_release("bought_with") == bad.pk


class TestProfiles:
    def test_profiles_of_erased_and_merged_visitors_are_removed(self, quick):
        train()
        erase([token_key(token(1))])
        exclude(token_key(token(2)))
        assert merge(token(3), 77)
        assert merge(token(4), 77)
        # At once: the one is gone, and the two are one.
        assert [profile(number) is None for number in range(5)] == [False, True, False, True, True]

        assert train().metrics["shoppers"] == 9
        assert [profile(number) is None for number in range(5)] == [False, True, True, True, True]
        account = Profile.objects.get(visitor__key=user_key(77))
        events = Event.objects.filter(visitor=account.visitor)
        assert set(events.values_list("basket", flat=True)) >= {"0-3", "0-4"}
        assert len(ShopperHistory.from_bytes(bytes(account.history))) == events.count()
        assert Profile.objects.count() == 9

    def test_of_a_training_as_of_the_past_know_nothing_later(self, quick):
        moment = Event.objects.order_by("time")[100].time
        train(until=moment)
        assert set(Profile.objects.values_list("until", flat=True)) == {moment}
        lines = sum(
            len(ShopperHistory.from_bytes(bytes(past))) for past in Profile.objects.values_list("history", flat=True)
        )
        assert lines == Event.objects.filter(time__lt=moment).count()

    def test_belong_to_segments_whose_labels_last(self, quick):
        train()
        Segment.objects.update(name="Regulars")
        before = dict(Profile.objects.values_list("visitor", "segment__label"))
        train()
        assert dict(Profile.objects.values_list("visitor", "segment__label")) == before
        assert set(Segment.objects.filter(size__gt=0).values_list("name", flat=True)) == {"Regulars"}


@pytest.mark.once
def test_the_models_of_pruned_releases_go_with_them(quick, settings):
    settings.ECOMREC = {**settings.ECOMREC, "RELEASES_KEPT": 1}
    first, second, third = (train(publish=True).release for _ in range(3))
    assert set(Release.objects.all()) == {second, third}
    assert not release_folder(first.pk).exists()
    assert release_folder(second.pk).exists()
    assert load(release_folder(third.pk), third.digest).ids.ids.size == Item.objects.count()


def lonely(*skus: str) -> list[Item]:
    Product.objects.bulk_create(Product(sku=sku, title=sku, price=1) for sku in skus)
    sync()
    return [Item.objects.get(external_id=sku) for sku in skus]


def purchase(item: Item, basket: str, visitor: Visitor | None = None, days: float = 1.0) -> None:
    time = timezone.now() - timedelta(days=days)
    Event.objects.create(kind="purchase", item=item, visitor=visitor, time=time, basket=basket, price=1)


@pytest.mark.once
class TestSmallShops:
    """Each trains, and publishes what little there is."""

    def test_an_empty_one_has_no_model(self):
        run = train(publish=True)
        assert run.release.complete
        assert run.release.digest == ""
        assert run.release.evaluation == {}
        assert not Profile.objects.exists()

    def test_one_without_orders_has_a_model_without_rankers(self):
        lonely("a", "b")
        release = train(publish=True).release
        model = load(release_folder(release.pk), release.digest)
        assert model.rankers == {}
        assert release.evaluation == {}
        assert not Profile.objects.exists()
        assert not Segment.objects.exists()

    def test_one_with_views_alone_remembers_them(self):
        item, _ = lonely("a", "b")
        visitor = Visitor.objects.create(key="x")
        Event.objects.create(kind="view_item", item=item, visitor=visitor, time=timezone.now() - timedelta(hours=1))
        train(publish=True)
        assert ShopperHistory.from_bytes(bytes(Profile.objects.get().history)).item.tolist() == [item.pk]
        assert Profile.objects.get().segment is None

    @pytest.mark.parametrize("baskets", [1, 40])
    def test_one_with_a_single_product(self, baskets):
        (item,) = lonely("a")
        visitor = Visitor.objects.create(key="x")
        for number in range(baskets):
            purchase(item, f"o{number}", visitor, 1 + number)
        release = train(publish=True).release
        assert Publication.objects.get().release == release
        assert len(ShopperHistory.from_bytes(bytes(Profile.objects.get().history))) == baskets

    def test_one_that_knows_no_customer(self):
        a, b = lonely("a", "b")
        for number in range(60):
            purchase(a, f"o{number}", days=60 - number)
            purchase(b, f"o{number}", days=60 - number)
        release = train(publish=True).release
        assert Publication.objects.get().release == release
        assert not Profile.objects.exists()
        assert not Segment.objects.exists()
        assert release.evaluation["tasks"]["bought_with"]["customers"] > 0

    def test_methods_that_are_not_shown_do_not_refuse_a_release(self):
        """“own” predicts durables worse than bestsellers do, and no page shows it."""
        items = lonely(*(f"sku{number}" for number in range(30)))
        rng = np.random.default_rng(0)
        visitors = [Visitor.objects.create(key=str(number)) for number in range(150)]
        wanted = 1 / np.arange(1, 31)
        for number, visitor in enumerate(visitors):
            chosen = rng.choice(30, 8, replace=False, p=wanted / wanted.sum())
            for at, item in enumerate(chosen.tolist()):
                purchase(items[item], f"{number}-{at // 2}", visitor, 100 - 25 * (at // 2) - number % 20)
        with override_ecomrec(STRATEGIES={"for_you": "ecomrec_django.strategies.for_you.ForYou"}):
            release = train(publish=True).release
        own = Evaluation.of_json(release.evaluation).gains["for_you:own"]
        assert own.high < 0
        assert not release.held_back


@pytest.mark.once
def test_a_ranker_is_compared_with_its_first_strategy(quick):
    for_you = {"for_you": "ecomrec_django.strategies.for_you.ForYou"}
    releases = []
    for strategies in (for_you, for_you | {"nothing": "tests.support.planted_shop.EmptyStrategy"}):
        with override_ecomrec(STRATEGIES=strategies):
            releases.append(train().release)
    alone, shared = (Evaluation.of_json(release.evaluation).methods["for_you"] for release in releases)
    assert shared.ndcg == alone.ndcg > 0


def test_lists_that_no_ranker_is_compared_with_are_made_once(quick, monkeypatch):
    calls, make = [], NextItem.make
    monkeypatch.setattr(NextItem, "make", lambda self, data: calls.append(data) or make(self, data))
    train()
    assert len(calls) == 1


def test_every_ranker_has_cases():
    assert set(FITTED_CASES) == set(TEST_CASES) == set(RANKERS)


@pytest.mark.once
def test_a_release_that_another_version_judged_is_not_compared_with(quick):
    train(publish=True)
    Release.objects.update(evaluation={"methods": {}})
    run = train(publish=True)
    assert (run.status, run.release.held_back) == (TrainingRun.Status.DONE, [])
    assert Publication.objects.get().release == run.release
