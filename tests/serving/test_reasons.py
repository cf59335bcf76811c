"""What an offer of the shopper's own habit says."""

import pytest

from ecomrec_django.serving.reasons import sentence
from ecomrec_django.strategies.base import EVIDENCE, Offer, Reason


@pytest.mark.parametrize(
    ("baskets", "days", "cycle", "said"),
    [
        (1, 3.0, 10.0, "You bought this before"),
        (5, 4.9, 10.0, "You bought this 5 times"),
        (5, 5.0, 10.0, "You bought this 5 times, the last time 5 days ago"),
        (1, 5.0, 10.0, "You bought this 5 days ago"),
        (9, 0.6, 1.0, "You bought this 9 times, the last time today"),
        (9, 1.4, 1.0, "You bought this 9 times, the last time yesterday"),
        (3, 35.0, 30.0, "You bought this 3 times, the last time 5 weeks ago"),
        (3, 100.0, 30.0, "You bought this 3 times, the last time 3 months ago"),
        (3, 800.0, 300.0, "You bought this 3 times, the last time 2 years ago"),
        (5, 99.0, None, "You bought this 5 times"),
    ],
)
def test_a_habit_is_due_after_half_of_its_cycle_and_counted_before(baskets, days, cycle, said):
    assert (
        sentence(Offer(item="milk", score=0.5, reason=Reason.AGAIN, aisle=0, evidence=(0.5, baskets, days, cycle)))
        == said
    )


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_has_a_sentence(reason):
    assert sentence(Offer(item="milk", score=0.5, reason=reason, aisle=0, evidence=(None,) * len(EVIDENCE[reason])))
