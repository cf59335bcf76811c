"""What an offer of the shopper's own habit says."""

import pytest

from ecomrec_django.serving.reasons import sentence
from ecomrec_django.strategies.base import Offer, Reason


@pytest.mark.parametrize(
    ("baskets", "days", "cycle", "said"),
    [
        (1, 3.0, 10.0, "You bought it 1 time"),
        (5, 7.9, 10.0, "You bought it 5 times"),
        (5, 8.0, 10.0, "It may be time to buy it again"),
        (5, 99.0, None, "You bought it 5 times"),
    ],
)
def test_a_habit_is_due_after_most_of_its_cycle_and_counted_before(baskets, days, cycle, said):
    assert sentence(Offer("milk", 0.5, Reason.AGAIN, 0, (0.5, baskets, days, cycle))) == said
