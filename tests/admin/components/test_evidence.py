"""Reasons and figures in words."""

from __future__ import annotations

import pytest

from ecomrec_django.admin.components.evidence import NAMES, REASONS
from ecomrec_django.strategies.base import EVIDENCE, Reason

# A page makes these offers for one shopper; no list, and so no card, holds them.
PERSONAL = {Reason.AGAIN, Reason.SEEN, Reason.TASTE, Reason.INTEREST}


def test_every_reason_has_a_label():
    assert set(REASONS) == set(Reason)


@pytest.mark.parametrize("reason", sorted(set(Reason) - PERSONAL))
def test_every_figure_of_a_list_has_a_label(reason):
    assert set(EVIDENCE[reason]) <= set(NAMES)
