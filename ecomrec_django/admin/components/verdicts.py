"""What the evaluation says of the strategies of a release, prepared for the release pages."""

from __future__ import annotations

from dataclasses import dataclass

from ...models import Release, StrategyVerdict
from ..base import strategy_label


@dataclass(frozen=True)
class VerdictRow:
    """One strategy of a release.

    label: its name for the staff
    shown: the release whose lists pages show of it while this one is published; None for no lists
    """

    label: str
    verdict: StrategyVerdict
    shown: Release | None

    @property
    def is_held_back(self) -> bool:
        """Whether pages show other lists than the release's own."""
        return self.verdict.outcome == StrategyVerdict.Outcome.HELD


def verdict_rows(release: Release) -> list[VerdictRow]:
    """The strategies of a release by name."""
    rows = []
    for verdict in release.verdicts.select_related("source", "overruled_by"):
        held_back = verdict.outcome == StrategyVerdict.Outcome.HELD
        rows.append(VerdictRow(strategy_label(verdict.strategy), verdict, verdict.source if held_back else release))
    return rows


def held_back_rows(release: Release) -> list[VerdictRow]:
    """Those that are held back."""
    return [row for row in verdict_rows(release) if row.is_held_back]
