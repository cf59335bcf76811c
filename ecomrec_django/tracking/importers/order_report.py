"""What an import of orders has done."""

from __future__ import annotations

from dataclasses import dataclass, field

from ...errors import DataError
from ...failures import Remark


@dataclass(kw_only=True)
class ImportReport:
    """Result of an import.

    lines: order lines read from the shop
    purchases: new purchase events
    refunds: new refund events
    changed: lines that the shop has changed since they were imported
    removed: imported lines that the shop has removed since
    unknown_items: products missing from the catalog
    skipped: invalid lines
    reasons: why they are invalid, the most frequent first
    remarks: what is odd about lines that are imported all the same
    unknown_prices: prices in a currency without a rate
    given_up: invalid lines that are not asked for again
    """

    lines: int = 0
    purchases: int = 0
    refunds: int = 0
    changed: int = 0
    removed: int = 0
    unknown_items: int = 0
    skipped: int = 0
    reasons: list[Remark] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)
    unknown_prices: int = 0
    given_up: int = 0

    def check(self, least: int = 1) -> None:
        """Raises DataError where all lines, ``least`` or more, are invalid, which is a mistake in the adapter."""
        if self.skipped == self.lines >= least:
            raise DataError(f"All order lines were skipped: {self.reasons[0]} The next import reads them again.")
