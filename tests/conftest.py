import pytest

from .planted import PlantedCatalog


@pytest.fixture
def shop(settings, tmp_path):
    """The planted shop, empty, with artifacts in a folder of its own."""
    PlantedCatalog.facts, PlantedCatalog.lines, PlantedCatalog.asked = [], [], []
    settings.ECOMREC = {
        "CATALOG": "tests.planted.PlantedCatalog",
        "ARTIFACTS": tmp_path,
        "STRATEGIES": {"next_item": "tests.planted.NextItem"},
    }
    return PlantedCatalog
