import pytest

from .shop import PlantedCatalog


@pytest.fixture
def shop(settings, tmp_path):
    """The planted shop, empty, with artifacts in a folder of its own."""
    PlantedCatalog.facts, PlantedCatalog.lines, PlantedCatalog.asked = [], [], []
    settings.ECOMREC = {
        "CATALOG": "tests.pipeline.shop.PlantedCatalog",
        "ARTIFACTS": tmp_path,
        "STRATEGIES": {"next_item": "tests.pipeline.shop.NextItem"},
    }
    return PlantedCatalog
