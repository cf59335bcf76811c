"""Verdicts on the strategies of releases, without an evaluation."""

from __future__ import annotations

from ecomrec_django.models import Release, StrategyVerdict

FELL = "nDCG fell from 0.250 to 0.200."


def give_verdict(
    release: Release, strategy: str = "bought_with", outcome: str = "held", reasons: str = FELL, **fields: object
) -> StrategyVerdict:
    """One verdict; by default its strategy is held back."""
    return StrategyVerdict.objects.create(
        release=release, strategy=strategy, outcome=outcome, reasons=reasons, **fields
    )
