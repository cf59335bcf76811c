"""Prices, quantities and times as files write them: "1.299,00 €", "0,350", epochs, dates with and without a zone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from decimal import Decimal

from ...errors import DataError

SYMBOLS = {"€": "EUR", "£": "GBP", "₽": "RUB", "₹": "INR", "₺": "TRY", "₩": "KRW", "₪": "ILS", "₴": "UAH", "zł": "PLN"}
# Of several currencies; the shop's own one is meant.
LOCAL_SYMBOLS = ("US$", "A$", "C$", "$", "¥", "kr.", "kr")
SPACES = re.compile(r"[\s'’]+")
_PLAIN = re.compile(r"-?\d+(\.\d\d?|\.\d{4,})?")
_AMOUNT = re.compile(r"(?P<before>[^\d.,+-]*)(?P<number>[+-]?[\d.,\s'’]*\d[.,]?)(?P<after>\D*)")
_OFFSET = re.compile(r"\s+(?=[+-]\d\d:?\d\d$)")
_DOTTED = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})(.*)")
_SLASHED = re.compile(r"\d{1,2}/\d{1,2}/\d{2,4}\b")
_EPOCH = re.compile(r"\d{9,10}(\.\d+)?|\d{12,13}|\d{15,16}")


@dataclass(frozen=True, kw_only=True)
class Notation:
    """How a file writes numbers and times.

    decimal: "." or ","; empty where each number has to tell
    times: forms of times that are not ISO 8601, as of `datetime.strptime`
    zone: of times without one
    """

    decimal: str = ""
    times: tuple[str, ...] = ()
    zone: tzinfo = UTC

    def price(self, text: str) -> tuple[Decimal | None, str]:
        """A price, None for an empty text, and the code of its currency, empty if it is not told.

        Raises DataError for what is no price, or may be two.
        """
        if self.decimal != "," and _PLAIN.fullmatch(text):
            return Decimal(text), ""
        if not text:
            return None, ""
        match = _AMOUNT.fullmatch(text)
        if match is None:
            raise DataError(f"price {text!r} is not a number")
        names = [name for name in (match["before"].strip(), match["after"].strip()) if name]
        currency = _currency(names[0]) if names else ""
        if currency is None or len(names) > 1:
            raise DataError(f"price {text!r} is not a number, or its currency is not known")
        return self._number("price", match["number"], text), currency

    def quantity(self, text: str) -> Decimal | None:
        """A quantity, None for an empty text. Raises DataError for what is no number, or may be two."""
        if self.decimal != "," and _PLAIN.fullmatch(text):
            return Decimal(text)
        return self._number("quantity", text, text) if text else None

    def time(self, text: str) -> datetime:
        """A time with its zone. Raises DataError for what is no time, or may be two."""
        for form in self.times:
            try:
                return self._zoned(datetime.strptime(text, form))
            except ValueError:
                continue
        try:
            if text[4:5] == "-":
                return self._zoned(datetime.fromisoformat(_with_offset(text)))
            if _EPOCH.fullmatch(text):
                return _from_epoch(text)
            if text.isdecimal() and len(text) == 14:
                text = f"{text[:8]}T{text[8:]}"
            if match := _DOTTED.fullmatch(text):
                day, month, year, rest = match.groups()
                text = f"{year}-{month:0>2}-{day:0>2}{rest}"
            return self._zoned(datetime.fromisoformat(_with_offset(text)))
        except (ValueError, OverflowError):
            pass
        if _SLASHED.match(text):
            raise DataError(
                f"time {text!r} may begin with its day or its month: tell it in a mapping file, such as times = "
                '["%d/%m/%Y %H:%M"]'
            )
        raise DataError(f"time {text!r} is not ISO-8601, such as 2026-01-31T14:05:00Z, nor in seconds since 1970")

    def _zoned(self, moment: datetime) -> datetime:
        if not 1970 <= moment.year < 9999:
            raise DataError(f"time {moment:%c} is not between 1970 and 9998")
        return moment if moment.tzinfo else moment.replace(tzinfo=self.zone)

    def _number(self, name: str, number: str, text: str) -> Decimal:
        number = SPACES.sub("", number)
        sign, digits = (number[0], number[1:]) if number[:1] in "+-" else ("", number)
        marks = {mark for mark in digits if mark in ".,"}
        decimal = self.decimal
        if not decimal and len(marks) == 2:
            decimal = max(marks, key=digits.rfind)
        elif not decimal and marks:
            [mark] = marks
            parts = digits.split(mark)
            if len(parts) > 2:
                decimal = "," if mark == "." else "."
            elif len(parts[1]) == 3 and parts[0].lstrip("0") and len(parts[0]) <= 3:
                raise DataError(
                    f'{name} {text!r} may be {parts[0]}{parts[1]} or {parts[0]}.{parts[1]}: tell decimal = "." or '
                    'decimal = "," in a mapping file'
                )
            else:
                decimal = mark
        decimal = decimal or "."
        group = "," if decimal == "." else "."
        whole, _, fraction = digits.partition(decimal)
        grouped = re.fullmatch(rf"\d{{1,3}}({re.escape(group)}\d{{3}})+", whole)
        if not (grouped or whole.isdecimal() or (not whole and fraction)) or not (fraction or "0").isdecimal():
            raise DataError(f"{name} {text!r} is not a number")
        return Decimal(f"{sign}{whole.replace(group, '') or '0'}.{fraction or '0'}")


def _currency(name: str) -> str | None:
    """The code of a currency, empty for a sign that several share; None for what is neither."""
    if name in LOCAL_SYMBOLS:
        return ""
    if re.fullmatch(r"[A-Z]{3}", name):
        return name
    return SYMBOLS.get(name)


def _with_offset(text: str) -> str:
    """A time in ISO 8601, whatever stands between it and its zone."""
    if text.endswith((" UTC", " GMT")):
        return f"{text[:-4].rstrip()}+00:00"
    return _OFFSET.sub("", text) if " " in text[-7:] else text


def _from_epoch(text: str) -> datetime:
    digits = len(text.partition(".")[0])
    scale = 1_000_000 if digits > 13 else 1_000 if digits > 10 else 1
    return datetime.fromtimestamp(float(text) / scale, UTC)
