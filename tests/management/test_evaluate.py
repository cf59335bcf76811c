"""What a training would predict, on the shop's own data: reported, and nothing changed."""

import json

import pytest
from django.core.management import CommandError, call_command

from ecomrec_django.artifacts import history_folder
from ecomrec_django.catalog.sync import CHECKPOINT as CATALOG
from ecomrec_django.history.export import CHECKPOINT
from ecomrec_django.learning.evaluation.metrics import Evaluation
from ecomrec_django.locks import exclusive
from ecomrec_django.models import (
    Checkpoint,
    Event,
    OfferList,
    Profile,
    Publication,
    Release,
    Segment,
    TrainingRun,
    Visitor,
)
from ecomrec_django.pipeline.evaluate import evaluate
from ecomrec_django.pipeline.train import train
from example_shop.models import Product
from tests.support.staple_shop import CUSTOMERS, StapleShop
from tests.support.threads import raised_in_a_thread

pytestmark = pytest.mark.django_db
WRITTEN = (TrainingRun, Release, OfferList, Publication, Profile, Segment)


@pytest.fixture
def few():
    """A shop that is learned from quickly."""
    return StapleShop(customers=12, weeks=8)


def run(capsys, **options) -> str:
    call_command("ecomrec_evaluate", **options)
    return capsys.readouterr().out


def row(text: str, title: str, table: int = 0) -> str:
    return [line for line in text.splitlines() if line.startswith(f"  {title}")][table]


@pytest.mark.once
def test_reports_each_method_with_intervals_and_gains(capsys, tmp_path, monkeypatch):
    StapleShop()
    percents = []
    monkeypatch.setattr(
        "ecomrec_django.management.commands._progress.Bar.percent",
        lambda bar, stage, percent: percents.append((stage, percent)),
    )
    path = tmp_path / "figures.json"
    before = {model: model.objects.count() for model in (Event, Visitor, *WRITTEN)}
    text = run(capsys, json=path)

    found = Evaluation.of_json(json.loads(path.read_text()))
    assert f"bought_with: {found.tasks['bought_with'].cases} cases from" in text
    assert row(text, " " * 20).split() == ["lists", "bestsellers", "own", "personal"]
    for title in (
        "hit ",
        "recall ",
        "nDCG",
        "MRR",
        "weighted recall",
        "hits",
        "excess",
        "own excess",
        "revenue recall",
    ):
        assert row(text, title).count("…") == 4
        assert row(text, title, 1).count("…") == 4
    for title in ("coverage", "novelty", "Gini", "staples", "distinct"):
        assert len(row(text, title).replace(" bits", "").split()) == 5
    gain = found.gains["bought_with:personal"]
    assert gain.low > 0.2
    assert f"{gain.mean:+.3f} ({gain.low:+.3f} … {gain.high:+.3f})" in row(text, "gain in excess")
    ndcg = found.methods["bought_with:own"].intervals["ndcg"]
    assert f"{ndcg.mean:.3f} ({ndcg.low:.3f} … {ndcg.high:.3f})" in row(text, "nDCG")
    assert "Segments: " in text
    assert sum(int(line.split(": ")[1].split()[0]) for line in text.splitlines() if line.endswith(" shoppers")) == (
        CUSTOMERS
    )
    assert "Interests: view" in text
    assert f"Metrics written to {path}." in text

    assert {model: model.objects.count() for model in before} == before
    assert not any(before[model] for model in WRITTEN)
    assert sorted(percent for _, percent in percents) == [percent for _, percent in percents]
    assert (percents[-1], {stage for stage, _ in percents}) == (("shoppers", 100), {"history", "shoppers"})
    # The history is a derived file, and serves the next training.
    assert list(history_folder().glob("*/*.parquet"))
    assert set(Checkpoint.objects.values_list("name", flat=True)) == {CHECKPOINT, CATALOG}


@pytest.mark.once
def test_ignores_events_after_until(few, tmp_path, capsys):
    moment = Event.objects.order_by("time")[300].time
    path = tmp_path / "figures.json"
    text = run(capsys, json=path, until=moment.isoformat())
    found = Evaluation.of_json(json.loads(path.read_text()))
    last = Event.objects.filter(time__lt=moment).order_by("time").last().time
    assert found.until == last.isoformat()
    assert f"to {last.isoformat()}" in text
    Event.objects.filter(time__gte=moment).delete()
    assert evaluate().evaluation == found


@pytest.mark.once
def test_reports_too_few_cases(few, capsys):
    text = run(capsys)
    assert "for_you: not enough data to evaluate" in text
    assert "at least 100 cases of 30 customers are needed" in text


@pytest.mark.once
def test_reports_interest_weights_set_by_the_shop(few, capsys, settings):
    weights = {"view": 1, "cart": 2, "purchase": 3, "review": 4, "half_life": 9}
    settings.ECOMREC = {**settings.ECOMREC, "INTEREST_WEIGHTS": weights}
    assert "Interests: view 1, cart 2, purchase 3, review 4, half life 9, from the settings." in run(capsys)


def test_without_products_or_purchases_it_names_the_remedy(capsys):
    with pytest.raises(CommandError, match=r"no products.*run ecomrec_sync first"):
        run(capsys)
    Product.objects.create(sku="a", title="A", price=1)
    call_command("ecomrec_sync")
    with pytest.raises(CommandError, match="Nothing was bought, so there is nothing to predict: import the orders"):
        run(capsys)
    with pytest.raises(CommandError, match=r"Nothing was bought before 2017-01-01T00:00:00\+00:00, so"):
        run(capsys, until="2017-01-01")


def test_refuses_an_invalid_time(capsys):
    with pytest.raises(CommandError, match="not an ISO 8601 time"):
        run(capsys, until="yesterday")


def test_never_runs_beside_a_training(few):
    with exclusive():
        assert "Another training is running" in str(raised_in_a_thread(evaluate))


class TestTheFile:
    @pytest.fixture(autouse=True)
    def never(self, monkeypatch):
        def never(*args, **kwargs):
            raise AssertionError("worked before it looked")

        monkeypatch.setattr("ecomrec_django.management.commands.ecomrec_evaluate.evaluate", never)

    def test_in_a_missing_folder_is_refused_before_the_work(self, capsys, tmp_path):
        with pytest.raises(CommandError, match=f"the folder {tmp_path / 'gone'} does not exist. Create it first"):
            run(capsys, json=tmp_path / "gone" / "figures.json")
        assert not (tmp_path / "gone").exists()

    def test_that_is_a_folder_is_refused_before_the_work(self, capsys, tmp_path):
        with pytest.raises(CommandError, match=r"is a folder. Give the name of a file"):
            run(capsys, json=tmp_path)


@pytest.mark.once
@pytest.mark.parametrize("error", [OSError("the disk is full"), KeyboardInterrupt()], ids=str)
def test_a_failed_write_leaves_the_old_file(few, capsys, tmp_path, monkeypatch, error):
    path = tmp_path / "out" / "figures.json"
    path.parent.mkdir()
    path.write_text("old")

    def fail(figures, file, **options):
        file.write("{")
        raise error

    monkeypatch.setattr("ecomrec_django.management.commands.ecomrec_evaluate.json.dump", fail)
    with pytest.raises((CommandError, KeyboardInterrupt)):
        run(capsys, json=path)
    assert [(file.name, file.read_text()) for file in path.parent.iterdir()] == [("figures.json", "old")]


def test_equals_what_a_training_then_stores(few, capsys):
    found = evaluate()
    release = train().release
    assert release.evaluation == json.loads(json.dumps(found.evaluation.to_json()))
    assert sorted(found.segments) == sorted(Segment.objects.values_list("description", "size"))
