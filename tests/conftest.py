import shutil
from contextlib import contextmanager
from copy import copy
from pathlib import Path

import hypothesis
import pytest
from django.conf import settings as django_settings
from django.core.cache import cache
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from ecomrec_django import db
from ecomrec_django.conf import conf
from ecomrec_django.failures import failure_counts
from ecomrec_django.serving.offer_store import invalidate
from ecomrec_django.serving.rulebook import Rulebook, set_rulebook
from ecomrec_django.tasks import run_training
from ecomrec_django.testing import forget_tracking, override_ecomrec

from .hosts.models import IntegerProduct
from .support.camping_shop import stock_the_shop
from .support.planted_shop import PlantedCatalog
from .support.processes import new_shop
from .support.rows import store_rows, stored_rows

HERE = Path(__file__).parent
# Time limits would fail on a busy machine; the same examples every time keep a run repeatable.
hypothesis.settings.register_profile("ecomrec", deadline=None, derandomize=True)
hypothesis.settings.load_profile("ecomrec")


# Rooms whose tests start programs of their own on the database under test.
PROGRAMS = {"browser", "contrib", "end_to_end", "faults"}
# What takes longest comes first, so that workers side by side end together.
SLOW = [
    "browser",
    "faults/test_killed.py",
    "contrib",
    "pipeline/test_train_images.py",
    "learning/test_distributed.py",
    "learning/images",
    "pipeline",
    "learning/sequences",
    "management",
    "insights",
]


def pytest_collection_modifyitems(config, items):
    """Tests marked ``server`` run on database servers, those marked ``postgres`` on PostgreSQL, and those marked
    ``once`` or that ask no database on SQLite alone; what a browser shows does not depend on the database, so that all
    other tests marked ``browser`` run on MariaDB alone. The summary counts the others as deselected. What takes longest
    comes first.
    """
    engine = django_settings.DATABASES["default"]["ENGINE"]
    left_out = [item for item in items if not runs_on(engine.rsplit(".", 1)[1], item)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
    items.sort(key=duration_rank)


def runs_on(engine, item):
    marks = {mark.name for mark in item.iter_markers()}
    if engine == "sqlite3":
        return "once" in marks or marks.isdisjoint({"server", "postgres", "browser"})
    if "once" in marks or not asks_database(item):
        return False
    return "browser" not in marks if engine == "postgresql" else "postgres" not in marks


def pytest_itemcollected(item):
    """A test is sent to the worker of the group it is marked with."""
    group = shared_fixtures(item)
    if group:
        item.add_marker(pytest.mark.xdist_group(group))


def pytest_collection_finish(session):
    """Raises UsageError where xdist ignores the groups, so that each worker would make what a group shares."""
    grouped = [item for item in session.items if item.get_closest_marker("xdist_group")]
    if getattr(session.config.option, "loadgroup", False) and grouped and "@" not in grouped[0].nodeid:
        raise pytest.UsageError("This pytest-xdist cannot group tests under this pytest: install pytest<9.2.")


def shared_fixtures(item: pytest.Function) -> str | None:
    """The group of the tests that share costly fixtures, and so one worker; None for a test that is sent on its own.

    Tests that empty the database at their end come last of a worker, as pytest-django orders them.
    """
    for shop in ("real_shop", "staple_process"):
        if shop in item.fixturenames:
            return shop
    fixtures = [definitions[-1] for definitions in item._fixtureinfo.name2fixturedefs.values()]
    # Those of plugins have no place.
    shares = any(fixture.baseid and fixture.scope in {"class", "module", "package"} for fixture in fixtures)
    alone = transactional(item) or (duration_rank(item) < len(SLOW) and not shares)
    return None if alone else item.path.relative_to(HERE).as_posix()


def asks_database(item: pytest.Function) -> bool:
    return (
        item.get_closest_marker("django_db") is not None
        or not {"db", "transactional_db", "django_db_setup"}.isdisjoint(item.fixturenames)
        or item.path.relative_to(HERE).parts[0] in PROGRAMS
    )


def transactional(item: pytest.Function) -> bool:
    mark = item.get_closest_marker("django_db")
    return "transactional_db" in item.fixturenames or bool(mark and mark.kwargs.get("transaction"))


def duration_rank(item: pytest.Function) -> int:
    name = item.path.relative_to(HERE).as_posix()
    ranks = [rank for rank, start in enumerate(SLOW) if name.startswith(start)]
    return ranks[0] if ranks and not transactional(item) else len(SLOW) + transactional(item)


@pytest.fixture(autouse=True)
def _own_surroundings(settings, tmp_path):
    """Each test has its own files and an empty cache."""
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.ECOMREC = {**settings.ECOMREC, "ARTIFACTS": tmp_path / "artifacts"}
    cache.clear()
    forget_tracking()
    # Known to be empty, as it is to a process that has shown a page.
    set_rulebook(Rulebook())


@pytest.fixture
def planted_shop(settings, tmp_path):
    """The planted shop, empty, with artifacts in a folder of its own."""
    PlantedCatalog.facts, PlantedCatalog.lines, PlantedCatalog.asked = [], [], []
    PlantedCatalog.review_lines = []
    settings.ECOMREC = {
        "CATALOG": "tests.support.planted_shop.PlantedCatalog",
        "ARTIFACTS": tmp_path,
        "STRATEGIES": {"next_item": "tests.support.planted_shop.NextItem"},
    }
    return PlantedCatalog


@pytest.fixture
def integer_key_shop(settings, db):
    """A shop of forty products, 1 to 40, each costing its number."""
    settings.ECOMREC = {
        "CATALOG": "tests.support.catalogs.CartCatalog",
        "STRATEGIES": {
            "bought_with": "tests.support.catalogs.Any",
            "upgrade_to": "tests.support.catalogs.AtMostDouble",
            "for_you": "ecomrec_django.strategies.for_you.ForYou",
        },
    }
    failure_counts.clear()
    IntegerProduct.objects.bulk_create(IntegerProduct(pk=n, title=f"Title {n}", price=n) for n in range(1, 41))
    return settings


@pytest.fixture
def django_assert_num_queries(monkeypatch):
    """As pytest-django's, without the savepoints by which a block protects the open transaction on PostgreSQL."""
    entered = []
    monkeypatch.setattr(db, "atomic", lambda using: entered.append(using) or transaction.atomic(using=using))

    @contextmanager
    def assert_num_queries(number):
        before = len(entered)
        with CaptureQueriesContext(connection) as queries:
            yield queries
        savepoints = 2 * (len(entered) - before)
        assert len(queries) - savepoints == number, "\n".join(query["sql"] for query in queries)

    return assert_num_queries


@pytest.fixture
def http_request(rf):
    return rf.get("/")


@pytest.fixture
def noon(time_machine):
    """It is noon: no day ends while a test runs."""
    time_machine.move_to(timezone.localtime().replace(hour=12, minute=0, second=0))


@pytest.fixture(scope="session")
def camping_release(django_db_setup, django_db_blocker, tmp_path_factory):
    """Artifacts and rows of the camping shop, trained and published once for a worker."""
    artifacts = tmp_path_factory.mktemp("camping")
    with django_db_blocker.unblock(), transaction.atomic():
        with override_ecomrec(ARTIFACTS=artifacts):
            stock_the_shop()
            run_training(publish=True)
        rows = stored_rows()
        transaction.set_rollback(True)
    return artifacts, rows


@pytest.fixture
def trained_shop(camping_release, db):
    """The example shop with a few products, trained and published."""
    failure_counts.clear()
    artifacts, rows = camping_release
    shutil.copytree(artifacts, conf.ARTIFACTS, dirs_exist_ok=True)
    store_rows(rows)
    invalidate()
    set_rulebook(Rulebook())


@pytest.fixture(scope="session")
def real_shop(tmp_path_factory):
    """Real households in a shop that runs in processes of its own, trained and published."""
    with new_shop(tmp_path_factory.mktemp("real")) as shop:
        shop.manage("load_completejourney", "--households", "8")
        shop.manage("ecomrec_train", "--publish")
        yield shop


@pytest.fixture(scope="session")
def staple_process(tmp_path_factory):
    """The shop of customers with habits in processes of its own, not trained yet."""
    with new_shop(tmp_path_factory.mktemp("staples")) as shop:
        shop.ask("from tests.support.staple_shop import StapleShop; StapleShop()")
        yield shop


@pytest.fixture(scope="session")
def staple_release(django_db_setup, django_db_blocker, tmp_path_factory):
    """A shop of customers with habits, and its rows, trained and published once for a worker."""
    from tests.support.staple_shop import published_staple_shop

    artifacts = tmp_path_factory.mktemp("staples")
    with django_db_blocker.unblock(), published_staple_shop(artifacts) as shop:
        shop.artifacts = artifacts
        return shop, stored_rows()


@pytest.fixture(scope="class")
def staple_shop(staple_release, django_db_blocker, tmp_path_factory):
    """The shop of customers with habits for the tests of a class, each of which ends as it began; its model is in
    ``artifacts``.
    """
    made, rows = staple_release
    shop = copy(made)
    shop.artifacts = shutil.copytree(made.artifacts, tmp_path_factory.mktemp("artifacts") / "own")
    with django_db_blocker.unblock(), transaction.atomic():
        store_rows(rows)
        yield shop
        transaction.set_rollback(True)
