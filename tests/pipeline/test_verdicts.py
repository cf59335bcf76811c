"""What is published of a release, strategy by strategy, on planted evaluations and planted shops."""

from datetime import timedelta
from types import SimpleNamespace

import numpy as np
import pytest

from ecomrec_django.catalog.sync import sync
from ecomrec_django.learning.evaluation.bootstrap import Interval
from ecomrec_django.learning.evaluation.metrics import OVERALL, PER_CASE, Evaluation, SampleSize, Scores
from ecomrec_django.learning.interactions import IdMap
from ecomrec_django.models import Event, Item, OfferList, Publication, Release, StrategyVerdict, TrainingRun, Visitor
from ecomrec_django.pipeline.publish import can_publish, publish
from ecomrec_django.pipeline.train import train
from ecomrec_django.pipeline.verdicts import UNJUDGED, judge
from ecomrec_django.strategies.base import Lists, Offer, Reason, encode_offers
from ecomrec_django.strategies.bought_with import BoughtWith
from ecomrec_django.strategies.for_you import ForYou
from ecomrec_django.strategies.upgrade_to import UpgradeTo
from ecomrec_django.testing import override_ecomrec
from example_shop.models import Product
from tests.support.staple_shop import START, StapleShop

pytestmark = pytest.mark.django_db
STRATEGIES = {"bought_with": BoughtWith(), "for_you": ForYou(), "upgrade_to": UpgradeTo()}
MANY = SampleSize(4_000, 1_100)


def interval(mean, error=0.0005):
    return Interval(mean, mean - error, mean + error)


def evaluation(**gains):
    """Bestsellers have an nDCG of .012 in each task, its lists so much more or less."""
    methods = {}
    for task, gain in gains.items():
        for name, ndcg in ((task, 0.012 + gain), (f"{task}:popularity", 0.012)):
            means = dict.fromkeys((*PER_CASE, *OVERALL), 0.5) | {"ndcg": ndcg}
            intervals = {metric: interval(means[metric]) for metric in PER_CASE}
            methods[name] = Scores(**means, intervals=intervals)
    return Evaluation(
        since="2025-01-01",
        until="2025-02-01",
        k=10,
        tasks=dict.fromkeys(gains, MANY),
        methods=methods,
        gains={task: interval(gain) for task, gain in gains.items()},
        objectives=dict.fromkeys(gains, "ndcg"),
    )


def learned(judged, items=300):
    features = SimpleNamespace(bestsellers=np.arange(20), offered=np.ones(items, bool))
    model = SimpleNamespace(item_features=features, ids=IdMap(np.arange(items)))
    return SimpleNamespace(replay=SimpleNamespace(evaluation=judged), model=model)


def release(lists=(), metrics=None, **fields):
    """A complete release with a list of each strategy for each anchor of ``lists``, anchor → first offers."""
    run = TrainingRun.objects.create(status=TrainingRun.Status.DONE, metrics=metrics or {})
    made = Release.objects.create(run=run, complete=True, **fields)
    OfferList.objects.bulk_create(
        OfferList(release=made, strategy=name, anchor=anchor, offers=encode_offers([offer(each) for each in offers]))
        for name in STRATEGIES
        for anchor, offers in dict(lists).items()
    )
    return made


def offer(item):
    return Offer(item=item, score=1.0, reason=Reason.POPULAR, aisle=0, evidence=(1.0,))


def verdicts(made, judged, lists=None):
    """Outcome and reasons by strategy."""
    judge(made, lists or dict.fromkeys(STRATEGIES, Lists.empty()), STRATEGIES, learned(judged))
    return {
        verdict.strategy: (verdict.outcome, verdict.reasons) for verdict in StrategyVerdict.objects.filter(release=made)
    }


@pytest.fixture
def anchors():
    Item.objects.bulk_create(Item(external_id=f"i{n}", title="A", fingerprint="") for n in range(120))
    return list(Item.objects.order_by("pk"))


@pytest.fixture
def published(anchors):
    """A release whose cross-sells gain .1 over bestsellers, and whose personal offers .1."""
    made = release(
        {anchor: ["x", "y"] for anchor in anchors},
        metrics={"active_items": len(anchors)},
        newest_item=anchors[-1].pk,
        evaluation=evaluation(bought_with=0.1, for_you=0.1).to_json(),
    )
    publish(made)
    return made


def test_a_first_release_a_little_below_bestsellers_is_published_with_a_warning():
    made = release()
    found = verdicts(made, evaluation(for_you=-0.002))
    assert found["for_you"][0] == "warned"
    assert "for_you: nDCG@10 .010 (" in found["for_you"][1]
    assert "is below bestsellers' .012 (" in found["for_you"][1]
    publish(made)
    assert Publication.objects.get().release == made


def test_a_first_release_is_published_whatever_speaks_against_it():
    made = release()
    assert {outcome for outcome, _ in verdicts(made, evaluation(for_you=-0.2, bought_with=-0.2)).values()} == {
        "warned",
        "passed",
    }
    assert can_publish(made)


def test_a_strategy_that_fails_is_held_back_alone(published):
    made = release()
    found = verdicts(made, evaluation(bought_with=0.1, for_you=0.0))
    assert [found[name][0] for name in STRATEGIES] == ["passed", "held", "passed"]
    assert "The current release gained more" in found["for_you"][1]
    publish(made)
    assert made.shown_release("for_you") == published.pk


def test_what_cannot_be_judged_is_held_back_with_all_that_can(published):
    made = release()
    found = verdicts(made, evaluation(bought_with=0.0, for_you=0.0))
    assert found["upgrade_to"] == ("held", UNJUDGED)
    assert not can_publish(made)


def test_a_strategy_is_compared_with_the_release_that_pages_show_of_it(published):
    second = release(evaluation=evaluation(bought_with=0.1, for_you=0.0).to_json())
    verdicts(second, evaluation(bought_with=0.1, for_you=0.0))
    publish(second)
    # No worse than the second, whose personal offers nobody sees.
    found = verdicts(release(), evaluation(bought_with=0.1, for_you=0.0))
    assert found["for_you"][0] == "held"


def test_a_new_strategy_that_fails_shows_nothing(published):
    published.lists.filter(strategy="for_you").delete()
    Release.objects.filter(pk=published.pk).update(evaluation=evaluation(bought_with=0.1).to_json())
    made = release()
    assert verdicts(made, evaluation(bought_with=0.1, for_you=-0.05))["for_you"][0] == "held"
    assert made.verdicts.get(strategy="for_you").source is None


def test_a_catalog_that_lost_half_of_its_products_holds_everything_back(published, anchors):
    Item.objects.filter(pk__in=[anchor.pk for anchor in anchors[:60]]).update(active=False)
    found = verdicts(release(), evaluation(bought_with=0.2, for_you=0.2))
    assert {outcome for outcome, _ in found.values()} == {"held"}
    assert "60 of 120 products (50 %) that the published release knows are gone" in found["for_you"][1]


@pytest.mark.parametrize(("offers", "outcome"), [(["z"], "held"), (["y", "z"], "passed")])
def test_lists_that_are_all_new_are_held_back(published, anchors, offers, outcome):
    owners = np.array([anchor.pk for anchor in anchors])
    lists = Lists(
        owners=owners,
        starts=np.arange(len(owners) + 1),
        items=owners,
        scores=np.ones(len(owners), np.float32),
        reasons=np.zeros(len(owners), np.int8),
        evidence=np.zeros((len(owners), 6), np.float32),
    )
    made = release(dict.fromkeys(anchors, offers))
    empty = Lists.empty()
    found = verdicts(made, None, {"bought_with": lists, "for_you": empty, "upgrade_to": empty})
    assert found["bought_with"][0] == outcome
    assert found["for_you"] == ("passed", "")


@pytest.mark.once
def test_a_catalog_that_breaks_for_one_night_changes_nothing():
    """A shop of 25 customers: next to nothing can be judged in it, and yet it keeps its offers."""
    with override_ecomrec(STRATEGIES={"next_item": "tests.support.planted_shop.NextItem"}):
        StapleShop(customers=25, weeks=8)
        good = train(publish=True).release
        lost = list(Product.objects.filter(sku__startswith="item-"))
        Product.objects.filter(sku__startswith="item-").delete()
        assert sync().withheld == 48
        sync(force=True)
        run = train(publish=True)
        assert Publication.objects.get().release == good
        assert "48 of 56 products (86 %) that the published release knows are gone" in run.message
        Product.objects.bulk_create(lost)
        sync()
        mended = train(publish=True).release
        assert Publication.objects.get().release == mended


@pytest.mark.once
def test_the_first_release_of_a_shop_with_uniform_demand_is_published():
    """5,000 products that sell alike, to customers whom nothing predicts."""
    Item.objects.bulk_create(
        [Item(external_id=str(n), title=f"Product {n}", price=5, fingerprint="") for n in range(5_000)], batch_size=500
    )
    rng, items = np.random.default_rng(0), list(Item.objects.values_list("pk", flat=True))
    visitors = Visitor.objects.bulk_create(Visitor(key=f"v{number}") for number in range(400))
    Event.objects.bulk_create(
        [
            Event(
                kind="purchase",
                visitor=visitor,
                item_id=item,
                time=START + timedelta(days=10 * basket + number % 2),
                price=5,
                basket=f"{number}-{basket}",
                key=f"{number}-{basket}-{item}",
            )
            for number, visitor in enumerate(visitors)
            for basket in range(6)
            for item in rng.choice(items, 4, replace=False).tolist()
        ],
        batch_size=500,
    )
    run = train(publish=True)
    assert Publication.objects.get().release == run.release
    assert run.release.held_back == []
    assert run.release.evaluation["tasks"]["for_you"]["cases"] > 100
