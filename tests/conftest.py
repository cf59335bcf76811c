from pathlib import Path

import hypothesis
import pytest
from django.conf import settings as django_settings
from django.core.cache import cache

from ecomrec_django.serving.failures import failures
from ecomrec_django.serving.rulebook import Rulebook, keep
from ecomrec_django.tasks import run_training
from ecomrec_django.testing import forget_tracking

from .hosts.models import IntegerProduct
from .planted import PlantedCatalog
from .processes import ShopProcess, own_database
from .small_shop import stock_the_shop

HERE = Path(__file__).parent
# Time limits would fail on a busy machine; the same examples every time keep a run repeatable.
hypothesis.settings.register_profile("ecomrec", deadline=None, derandomize=True)
hypothesis.settings.load_profile("ecomrec")


# Rooms that know no database.
PURE = {"learning", "strategies"}


def pytest_collection_modifyitems(config, items):
    """Tests marked ``mariadb`` belong to the MariaDB half of a run alone, those of PURE rooms and those marked ``once``
    to the other half; the summary counts them as deselected.
    """
    if django_settings.DATABASES["default"]["ENGINE"].endswith("mysql"):
        left_out = [
            item
            for item in items
            if item.get_closest_marker("once") or (item.path.parent.name in PURE and item.path.parent.parent == HERE)
        ]
    else:
        left_out = [item for item in items if item.get_closest_marker("mariadb")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.fixture(autouse=True)
def _own_surroundings(settings, tmp_path):
    """Each test has its own files and an empty cache."""
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.ECOMREC = {**settings.ECOMREC, "ARTIFACTS": tmp_path / "artifacts"}
    cache.clear()
    forget_tracking()
    # Known to be empty, as it is to a process that has shown a page.
    keep(Rulebook())


@pytest.fixture
def shop(settings, tmp_path):
    """The planted shop, empty, with artifacts in a folder of its own."""
    PlantedCatalog.facts, PlantedCatalog.lines, PlantedCatalog.asked = [], [], []
    PlantedCatalog.review_lines = []
    settings.ECOMREC = {
        "CATALOG": "tests.planted.PlantedCatalog",
        "ARTIFACTS": tmp_path,
        "STRATEGIES": {"next_item": "tests.planted.NextItem"},
    }
    return PlantedCatalog


@pytest.fixture
def host(settings, db):
    """A shop of forty products, 1 to 40, each costing its number."""
    settings.ECOMREC = {
        "CATALOG": "tests.serving.catalogs.CartCatalog",
        "STRATEGIES": {
            "bought_with": "tests.serving.catalogs.Any",
            "upgrade_to": "tests.serving.catalogs.AtMostDouble",
            "for_you": "ecomrec_django.strategies.for_you.ForYou",
        },
    }
    failures.clear()
    IntegerProduct.objects.bulk_create(IntegerProduct(pk=n, title=f"Title {n}", price=n) for n in range(1, 41))
    return settings


@pytest.fixture
def request_(rf):
    return rf.get("/")


@pytest.fixture
def small_shop(db):
    """The example shop with a few products, trained and published, its lists cached."""
    failures.clear()
    stock_the_shop()
    run_training(publish=True)
    # A training takes longer than what a process knows of the rules is kept.
    keep(Rulebook())


@pytest.fixture(scope="session")
def real_shop(tmp_path_factory):
    """Real households in a shop that runs in processes of its own, trained and published."""
    folder = tmp_path_factory.mktemp("real")
    with own_database(folder) as database:
        shop = ShopProcess(folder, database)
        shop.manage("migrate", "--verbosity", "0")
        shop.manage("load_completejourney", "--households", "60")
        yield shop


@pytest.fixture(scope="class")
def staple_shop(django_db_setup, django_db_blocker, tmp_path_factory):
    """A shop of customers with habits, with its published release; its model is in ``artifacts``."""
    from tests.staple_shop import trained_shop

    artifacts = tmp_path_factory.mktemp("artifacts")
    with django_db_blocker.unblock(), trained_shop(artifacts) as shop:
        shop.artifacts = artifacts
        yield shop
