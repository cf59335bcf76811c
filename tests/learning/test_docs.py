from __future__ import annotations

import doctest
from pathlib import Path

from ecomrec_django.learning import sparse
from ecomrec_django.learning.similarity import content

OFFERS = Path(__file__).parents[2] / "docs" / "offers.md"


def test_the_worked_examples_are_true():
    result = doctest.testfile(str(OFFERS), module_relative=False)
    assert result.failed == 0
    assert result.attempted >= 50
    assert not any(doctest.testmod(module).failed for module in (content, sparse))
