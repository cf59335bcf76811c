"""What an experiment showed, told from rows whose answer is known; and what is done about it."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest

from ecomrec_django.errors import DataError
from ecomrec_django.insights import experiments
from ecomrec_django.insights.daily_figures import measure
from ecomrec_django.insights.exposures import read_exposures
from ecomrec_django.models import Arm, Conversion, Event, Experiment, Exposure, Impression, Item, Visitor
from ecomrec_django.testing import override_ecomrec

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 6, 10, 12, tzinfo=UTC)
SLOTS = {"product": {"chain": ["next_item"]}, "home": {"chain": ["next_item"]}}


@pytest.fixture(autouse=True)
def _shop(planted_shop, time_machine):
    time_machine.move_to(NOON)
    Item.objects.create(external_id="a", title="a", cost=6)
    with override_ecomrec(SLOTS=SLOTS):
        yield


def make(names="ab", holdout=0.2, started=NOON - timedelta(days=10), **fields):
    made = Experiment.objects.create(
        name="first", slot="product", holdout=holdout, status="running", started=started, **fields
    )
    for name in names:
        Arm.objects.create(experiment=made, name=name)
    if holdout:
        Arm.objects.create(experiment=made, name="no offers", is_holdout=True)
    return made


class World:
    """Rows of many visitors, written at once."""

    def __init__(self, experiment):
        self.arms = {arm.name: arm for arm in experiment.arms.all()}
        self.item = Item.objects.get()
        self.exposures, self.impressions, self.events = [], [], []

    def meet(self, visitor, arm, days=5.0, propensity=0.4, segment=0):
        time = NOON - timedelta(days=days)
        own = self.arms[arm]
        key = f"{arm} {visitor.pk} {time}"
        self.exposures.append(
            Exposure(arm=own, visitor=visitor, time=time, propensity=propensity, segment=segment, key=key)
        )

    def show(self, visitor, arm, days=5.0, clicked=False):
        time = NOON - timedelta(days=days)
        self.impressions.append(
            Impression(
                visitor=visitor,
                item=self.item,
                strategy="next_item",
                slot="product",
                arm=str(self.arms[arm].pk),
                position=1,
                time=time,
                clicked=time if clicked else None,
                key=f"{len(self.impressions)}",
            )
        )

    def buy(self, visitor, price=10, days=4.9, kind="purchase", order="", quantity=1):
        line = len(self.events)
        self.events.append(
            Event(
                kind=kind,
                visitor=visitor,
                item=self.item,
                price=price,
                quantity=quantity,
                basket=order or f"o{line}",
                time=NOON - timedelta(days=days),
                key=f"{kind}:{line}",
            )
        )

    def save(self):
        for rows in (self.exposures, self.impressions, self.events):
            type(rows[0]).objects.bulk_create(rows) if rows else None


def visitors(count, prefix="v"):
    """Visitors who were known before the experiment."""
    made = Visitor.objects.bulk_create(Visitor(key=f"{prefix}{number}") for number in range(count))
    Visitor.objects.update(created=NOON - timedelta(days=60))
    return made


def rows(experiment):
    return {row["name"]: row for row in experiments.evaluate(experiment)["arms"]}


def test_results_of_each_arm_are_counted():
    made = make()
    world = World(made)
    one, two, three = visitors(3)
    world.meet(one, "a")
    world.meet(one, "a", days=3)
    world.show(one, "a", clicked=True)
    world.show(one, "a", days=3)
    world.buy(one, 10)
    world.meet(two, "b")
    world.buy(two, 7, order="o")
    world.buy(two, 8, order="o")
    world.buy(two, 99, days=6)
    world.meet(three, "no offers")
    world.buy(three, 5)
    world.buy(three, 5, kind="refund")
    world.save()
    measure()
    found = rows(made)
    assert (found["a"]["visitors"], found["a"]["days"], found["a"]["clicks"]) == (1, 2, 1)
    assert (found["a"]["orders"], found["a"]["revenue"], found["a"]["margin"]) == (1, 10, 4)
    assert (found["b"]["orders"], found["b"]["revenue"]) == (0, 0)
    assert [found[name]["spent"]["mean"] for name in ("a", "b", "no offers")] == [10, 15, 0]
    assert [found[name]["bought"]["mean"] for name in ("a", "b", "no offers")] == [1, 1, 1]


def test_an_order_with_several_offers_counts_once():
    made = make()
    world = World(made)
    (one,) = visitors(1)
    Item.objects.create(external_id="b", title="b")
    for item, days in (("a", 5.0), ("b", 4.5), ("a", 3.9)):
        world.item = Item.objects.get(external_id=item)
        if days != 4.5:
            world.meet(one, "a", days=days)
        world.show(one, "a", days=days, clicked=True)
        world.buy(one, 10, days=days - 0.2, order="o")
    world.buy(one, 7, days=3.8, order="p")
    world.save()
    measure()
    found = rows(made)["a"]
    assert (found["orders"], found["revenue"]) == (2, 37)
    assert read_exposures(made).orders.tolist() == [0, 2]


def test_spend_belongs_to_the_preceding_exposure():
    made = make(holdout=0)
    world = World(made)
    (one,) = visitors(1)
    world.meet(one, "a", days=5)
    world.meet(one, "b", days=3)
    world.buy(one, 10, days=4)
    world.buy(one, 20, days=3)
    world.buy(one, 80, days=1, quantity=Decimal("0.5"))
    world.save()
    shown = read_exposures(made)
    assert shown.spent.tolist() == [10, 60]
    assert not shown.single.any()
    results = experiments.evaluate(made)
    assert results["left_out"] == 2
    assert [row["visitors"] for row in results["arms"]] == [0, 0]


def planted(made, counts, chances, price=10, seed=0):
    """Visitors of each arm, who see it on one day, click with one chance and buy what they saw with another."""
    world, rng = World(made), np.random.default_rng(seed)
    total = sum(counts.values())
    for name, count in counts.items():
        for visitor in visitors(count, f"{name} {seed} "):
            propensity = 0.2 if name == "no offers" else 0.8 * count / (total - counts.get("no offers", 0))
            world.meet(visitor, name, propensity=propensity)
            bought = rng.random() < chances[name]
            if name != "no offers":
                world.show(visitor, name, clicked=bought)
            if bought:
                world.buy(visitor, price * float(np.exp(rng.normal(0, 0.3))))
    world.save()
    measure()


def test_a_better_arm_is_found_and_so_is_what_offers_brought_in_all():
    made = make()
    planted(made, {"a": 1_200, "b": 1_200, "no offers": 600}, {"a": 0.12, "b": 0.24, "no offers": 0.05})
    found = rows(made)
    assert found["b"]["against_first"]["p"] < 0.001
    assert found["b"]["against_first"]["low"] > 0
    assert found["a"]["against_holdout"]["p"] < 0.05
    made.refresh_from_db()
    incremental = made.results["incremental"]
    true = 2_400 * 10 * np.exp(0.045) * ((0.12 + 0.24) / 2 - 0.05)
    assert incremental["low"] < true < incremental["high"]
    # Attributed is what was credited, and not what would not have been bought otherwise.
    attributed = found["a"]["revenue"] + found["b"]["revenue"]
    assert attributed > incremental["mean"]


def test_visitors_of_several_arms_count_as_seeing_offers():
    made = make(mode="bandit")
    world = World(made)
    everybody = visitors(800)
    for number, visitor in enumerate(everybody):
        # One in four comes often and spends five times as much, offers or not.
        often = number % 4 == 0
        if number < 400:
            world.meet(visitor, "no offers")
        else:
            world.meet(visitor, "a", days=5)
            if often:
                world.meet(visitor, "b", days=4.95)
        world.buy(visitor, 50 if often else 10)
    world.save()
    measure()
    rows(made)
    made.refresh_from_db()
    assert made.results["left_out"] == 200
    assert made.results["incremental"]["mean"] == pytest.approx(0, abs=1e-6)


def test_equal_arms_show_no_difference_and_no_mismatch():
    made = make()
    planted(made, {"a": 800, "b": 800, "no offers": 400}, {"a": 0.1, "b": 0.1, "no offers": 0.1})
    results = experiments.evaluate(made)
    found = {row["name"]: row for row in results["arms"]}
    assert found["b"]["against_first"]["p"] > 0.05
    assert results["mismatch"] > 0.05


def test_a_split_that_is_not_as_asked_sounds_the_alarm():
    made = make()
    planted(made, {"a": 900, "b": 600, "no offers": 400}, {"a": 0.1, "b": 0.1, "no offers": 0.1})
    assert experiments.evaluate(made)["mismatch"] < 0.001


def test_significance_is_kept():
    made = make()
    made.results = {"p": {f"{made.arms.get(name='b').pk} first": 0.01}}
    made.save()
    planted(made, {"a": 300, "b": 300, "no offers": 200}, dict.fromkeys(("a", "b", "no offers"), 0.1))
    assert rows(made)["b"]["against_first"]["p"] == 0.01


@pytest.mark.parametrize("objective", ["clicks", "orders", "revenue", "margin"])
def test_a_bandit_gives_more_to_the_arm_that_earns_more(objective):
    made = make(mode="bandit", objective=objective)
    planted(made, {"a": 1_000, "b": 1_000, "no offers": 500}, {"a": 0.05, "b": 0.15, "no offers": 0.05})
    experiments.evaluate(made)
    shares = {arm.name: arm.shares.get("0") for arm in made.arms.all()}
    assert shares["b"] > 0.9
    assert 0.005 <= shares["a"] < 0.1
    assert shares["no offers"] is None


def test_a_bandit_learns_from_ended_experiments_how_much_arms_differ():
    ended = make(mode="bandit", objective="orders", holdout=0)
    planted(ended, {"a": 1_000, "b": 1_000}, {"a": 0.05, "b": 0.5})
    experiments.end(ended)
    earlier = experiments._earlier_tallies(Experiment(objective="orders"))
    assert [[tally.trials for tally in tallies] for tallies in earlier] == [[1_000, 1_000]]
    assert experiments._earlier_tallies(Experiment(objective="clicks")) == []
    assert experiments.learned_spread(earlier).rates > 2 * experiments.learned_spread([]).rates


def test_a_bandit_follows_a_change_of_the_best_arm():
    made = make(mode="bandit", objective="orders", holdout=0)
    world, rng = World(made), np.random.default_rng(0)
    for day in range(9, 1, -1):
        for name, chance in (("a", 0.3 if day > 5 else 0.1), ("b", 0.2)):
            for visitor in visitors(400 if name == "a" or day <= 5 else 100, f"{name}{day} "):
                world.meet(visitor, name, days=day, propensity=0.5)
                if rng.random() < chance:
                    world.show(visitor, name, days=day)
                    world.buy(visitor, days=day - 0.1)
    world.save()
    measure()
    experiments.evaluate(made)
    shares = {arm.name: arm.shares["0"] for arm in made.arms.all()}
    assert shares["b"] > 0.9


def test_a_fixed_split_stays_as_it_is():
    made = make()
    planted(made, {"a": 300, "b": 300, "no offers": 200}, {"a": 0.05, "b": 0.5, "no offers": 0.05})
    experiments.evaluate(made)
    assert [arm.shares for arm in made.arms.all()] == [{}, {}, {}]


def test_policies_are_estimated_or_refused():
    made = make(objective="orders")
    planted(made, {"a": 1_500, "b": 100, "no offers": 400}, {"a": 0.1, "b": 0.3, "no offers": 0.1})
    policies = {Arm.objects.get(pk=pk).name: found for pk, found in experiments.evaluate(made)["policies"].items()}
    for estimator in ("snips", "doubly_robust"):
        found = policies["a"][estimator]
        assert found["low"] < 0.1 < found["high"]
        assert found["effective"] == pytest.approx(1_500)
    assert "100 effective visitor-days" in policies["b"]["refused"]


def test_a_switch_needs_enough_evidence():
    made = make()
    planted(made, {"a": 1_500, "b": 100, "no offers": 400}, {"a": 0.1, "b": 0.3, "no offers": 0.1})
    a, b, holdout = made.arms.all()
    for arm, said in ((b, "200 are needed"), (holdout, "only switch to an arm with offers")):
        with pytest.raises(DataError, match=said):
            experiments.switch(made, arm)
    assert not made.conclusion
    experiments.switch(made, a)
    made.refresh_from_db()
    assert "switched" in made.conclusion
    assert {arm.name: arm.shares for arm in made.arms.all()} == {"a": {"0": 1.0}, "b": {"0": 0.0}, "no offers": {}}
    # A later evaluation does not undo it.
    experiments.evaluate(made)
    assert Arm.objects.get(pk=b.pk).shares == {"0": 0.0}


@pytest.mark.parametrize(("chances", "kept"), [((0.02, 0.4), "b"), ((0.02, 0.05), None)])
def test_offers_worse_than_none_fall_back_to_the_best_arm(chances, kept):
    made = make()
    planted(
        made, {"a": 2_000, "b": 400, "no offers": 900}, {"a": chances[0], "b": chances[1], "no offers": 0.3}, seed=3
    )
    for _ in range(experiments.PATIENCE - 1):
        experiments.evaluate(made)
        assert not made.conclusion
    experiments.evaluate(made)
    made.refresh_from_db()
    assert "spent less than visitors without" in made.conclusion
    shares = Counter({arm.name: arm.shares.get("0", 0) for arm in made.arms.all()})
    assert +shares == ({kept: 1.0} if kept else {})


def worse(b=400):
    """An experiment whose offers do worse than none, and which was evaluated once less than it takes to fall back."""
    made = make()
    planted(made, {"a": 2_000, "b": b, "no offers": 900}, {"a": 0.02, "b": 0.4, "no offers": 0.3}, seed=3)
    for _ in range(experiments.PATIENCE - 1):
        experiments.evaluate(made)
    return made


def test_evaluations_by_staff_do_not_count_towards_the_fall_back():
    made = worse(b=100)
    with pytest.raises(DataError, match="200 are needed"):
        experiments.switch(made, made.arms.get(name="b"))
    made.refresh_from_db()
    assert (made.conclusion, made.results["worse"]) == ("", experiments.PATIENCE - 1)
    experiments.end(made)
    made.refresh_from_db()
    assert (made.status, made.conclusion, made.results["worse"]) == ("ended", "", experiments.PATIENCE - 1)
    assert [arm.shares for arm in made.arms.all()] == [{}, {}, {}]


@pytest.mark.parametrize("mode", ["split", "bandit"])
def test_a_running_evaluation_keeps_a_manual_switch(mode):
    made = make(mode=mode)
    planted(made, {"a": 1_500, "b": 1_500, "no offers": 400}, {"a": 0.1, "b": 0.3, "no offers": 0.1})
    begun = Experiment.objects.prefetch_related("arms").get()
    experiments.switch(made, made.arms.get(name="a"))
    experiments.evaluate(begun)
    made.refresh_from_db()
    assert "switched" in made.conclusion
    assert begun.conclusion == made.conclusion
    assert {arm.name: arm.shares for arm in made.arms.all()} == {"a": {"0": 1.0}, "b": {"0": 0.0}, "no offers": {}}


def test_a_manual_switch_outranks_a_concurrent_fall_back():
    made = worse()
    begun = Experiment.objects.get()
    experiments.switch(made, made.arms.get(name="a"))
    assert experiments.evaluate(begun)["worse"] == experiments.PATIENCE
    made.refresh_from_db()
    assert "switched" in made.conclusion
    assert made.arms.get(name="a").shares == {"0": 1.0}


def test_a_late_fall_back_does_not_change_an_ended_experiment():
    made = worse()
    begun = Experiment.objects.get()
    experiments.end(made)
    experiments.evaluate(begun)
    made.refresh_from_db()
    assert (made.status, made.conclusion) == ("ended", "")


def test_only_valid_drafts_start_and_one_at_a_time():
    def draft(names="ab", holdout=0.1, slot="product", **options):
        made = Experiment.objects.create(name="next", slot=slot, holdout=holdout)
        for name in names:
            Arm.objects.create(experiment=made, name=name, options=options)
        return made

    made = draft()
    experiments.start(made)
    made.refresh_from_db()
    assert (made.status, made.started - NOON < timedelta(seconds=9)) == ("running", True)
    assert [arm.name for arm in made.arms.filter(is_holdout=True)] == ["no offers"]
    for wrong, said in (
        (made, "Only a draft"),
        (draft(), "already running in this slot"),
        (draft("", slot="home"), "at least one arm"),
        (draft("a", 0, "home"), "nothing to be compared with"),
        (draft(slot="home", chain=["unheard of"]), "unheard of"),
    ):
        with pytest.raises(DataError, match=said):
            experiments.start(wrong)
    experiments.start(draft(slot="home"))
    experiments.end(made)
    made.refresh_from_db()
    assert (made.status, made.ended - NOON < timedelta(seconds=9)) == ("ended", True)
    with pytest.raises(DataError, match="is not running"):
        experiments.end(made)


def test_an_experiment_without_visitors_has_no_results():
    made = make(mode="bandit")
    results = experiments.evaluate(made)
    assert [row["visitors"] for row in results["arms"]] == [0, 0, 0]
    assert results["policies"] == {}
    assert results["incremental"]["high"] is None
    assert [round(arm.shares["0"], 1) for arm in made.arms.filter(is_holdout=False)] == [0.5, 0.5]


def test_evaluation_queries_do_not_depend_on_visitors(django_assert_max_num_queries):
    made = make()
    planted(made, {"a": 50, "b": 50, "no offers": 20}, {"a": 0.1, "b": 0.3, "no offers": 0.1})
    assert Conversion.objects.exists()
    with django_assert_max_num_queries(10):
        experiments.evaluate(made)
