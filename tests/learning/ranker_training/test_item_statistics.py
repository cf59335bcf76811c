"""Similar items."""

from __future__ import annotations

import numpy as np
import pytest

from ecomrec_django.errors import DataError
from tests.support.aisle_shop import START, features_of, purchases


def test_purchases_without_a_basket_are_refused():
    lines = purchases(np.array([0]), np.array([1]), np.array([START]), np.array([-1]))
    with pytest.raises(DataError, match="with a basket"):
        features_of(lines)


def test_items_of_fewer_than_three_customers_have_no_neighbours():
    # Four visitors share item 0; item 5 was bought by three of them, item 9 by two.
    held = [(0, 0), (1, 0), (2, 0), (3, 0), (0, 5), (1, 5), (2, 5), (0, 9), (1, 9)]
    visitor, item = np.array(held).T
    lines = purchases(visitor, item, np.full(len(held), START), visitor)
    alike = features_of(lines).similar_items
    assert len(alike.row(9)[0]) == 0
    assert alike.row(0)[0].tolist() == [5]
