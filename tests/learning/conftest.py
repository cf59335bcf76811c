"""A planted shop of aisles and a ranker fitted on it."""

from __future__ import annotations

import pytest

from ecomrec_django.learning.ranker_training.fitting import draw_training_sample, fit_ranker
from tests.support.aisle_shop import every_other_basket, shop


@pytest.fixture(scope="module")
def planted():
    return shop()


@pytest.fixture(scope="module")
def ranker(planted):
    return fit_ranker([draw_training_sample(every_other_basket(planted))])
