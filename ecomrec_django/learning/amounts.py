"""How much a product holds, read from what a shop writes: "1/2 gal", "12 x 330 ml", "26 ct", "500克".

A table of its own: of the libraries, pint reads "1,5 l" as 15 litres and "26 ct" as carats, quantulum needs 1.7 s to be
imported, and neither knows "12 x 330 ml", "500克" or "2-pack".
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

# Base units of mass, volume and pieces.
UNITS = ("g", "ml", "count")
# Amounts are equal if they differ by less than this share: 64 fl oz and 1/2 gal, 454 g and 1 lb.
TOLERANCE = 0.01

# Multiples of the base unit. Pounds, pints and gallons are those of the US; milligrams are doses, and left out.
_MASS = {
    "g": 1.0, "gr": 1.0, "gram": 1.0, "grams": 1.0, "gramm": 1.0, "kg": 1e3, "kilo": 1e3, "kilos": 1e3,
    "oz": 28.349523, "ounce": 28.349523, "ounces": 28.349523, "lb": 453.59237, "lbs": 453.59237,
    "pound": 453.59237, "pounds": 453.59237, "克": 1.0, "千克": 1e3, "公斤": 1e3, "斤": 500.0, "г": 1.0, "кг": 1e3,
}  # fmt: skip
_VOLUME = {
    "ml": 1.0, "cc": 1.0, "cl": 10.0, "dl": 100.0, "l": 1e3, "lt": 1e3, "ltr": 1e3, "liter": 1e3, "liters": 1e3,
    "litre": 1e3, "litres": 1e3, "fl oz": 29.573530, "pt": 473.176473, "pint": 473.176473, "pints": 473.176473,
    "qt": 946.352946, "quart": 946.352946, "quarts": 946.352946, "gal": 3785.411784, "ga": 3785.411784,
    "gallon": 3785.411784, "gallons": 3785.411784, "毫升": 1.0, "升": 1e3, "мл": 1.0, "л": 1e3,
}  # fmt: skip
_PACK = ("pack", "packs", "pk", "pks", "er pack", "er-pack")
_COUNT = {
    **dict.fromkeys(_PACK, 1.0),
    **dict.fromkeys(
        ("ct", "count", "pc", "pcs", "piece", "pieces", "roll", "rolls", "load", "loads", "tablet", "tablets",
         "capsule", "capsules", "sheet", "sheets", "wipes", "bags", "sachets", "pods", "stk", "stück", "pièces", "шт",
         "包", "瓶", "片", "粒", "支", "盒", "罐", "个", "個", "抽", "枚", "袋", "只"), 1.0,
    ),
    "dz": 12.0, "doz": 12.0, "dozen": 12.0,
}  # fmt: skip
_KIND = {
    **{name: ("g", factor) for name, factor in _MASS.items()},
    **{name: ("ml", factor) for name, factor in _VOLUME.items()},
    **{name: ("count", factor) for name, factor in _COUNT.items()},
}
# Without a number they mean one, but for "l", which is also a size of clothes.
_ALONE = frozenset({"pt", "pint", "qt", "quart", "gal", "gallon", "dz", "dozen"})
# A number before them multiplies what follows it: "6 pk/8 oz". "8 ct, 12 oz" are 12 oz in all.
_MULTIPLIES = frozenset(_PACK) | frozenset("包瓶盒罐袋")

_FRACTIONS = {"½": " 1/2", "¼": " 1/4", "¾": " 3/4", "⅓": " 1/3", "⅔": " 2/3", "⅛": " 1/8"}
_NAMES = "|".join(re.escape(name).replace(r"\ ", r"[\s.]*") for name in sorted(_KIND, key=len, reverse=True))
# "10 3/4 oz", "12 x 330 ml", "10/6.75 oz", "26-ct".
_SIZE = re.compile(
    r"(?:(?<![\w.,])|(?<=[\u3400-\u9fff]))"
    r"(?:(?:(?P<whole>\d{1,3})\s+)?(?P<part>\d{1,3})/(?P<parts>[2348])(?!\d)"
    r"|(?:(?P<times>\d{1,3})\s*[x×*/]\s*)?(?P<number>\d{1,7}(?:[.,]\d{1,4})?|[.,]\d{1,4}))"
    rf"\s*-?\s*(?P<name>{_NAMES})\.?(?![a-zà-ÿа-я\d])",
    re.IGNORECASE,
)
# Behind a size: "500ml*2瓶", "330 ml x 12".
_TIMES = re.compile(rf"\s*[x×*]\s*(\d{{1,3}})(?![\d.,])\s*(?:{'|'.join(_COUNT)})?(?![a-z\d])", re.IGNORECASE)
_BETWEEN = re.compile(r"\s*(?:/|x|×|of|à|,|-)?\s*", re.IGNORECASE)
_PACK_OF = re.compile(r"(?:pack|set|box|case) of (\d{1,4})(?!\d|\s*[a-z])", re.IGNORECASE)
# "1,500 g" may be one and a half or one and a half thousand.
_AMBIGUOUS = re.compile(r"[1-9]\d{0,2}[.,]\d{3}")
# "5G" is a network.
_NETWORK = re.compile(r"[2-6]G")
LONGEST_TEXT = 300

# Names of attributes that tell how much a product holds. "Weight" alone does not: it is often what the product weighs.
_COUNT_NAMES = frozenset(
    {"count", "unit count", "piece count", "pieces", "pack quantity", "items per pack", "数量", "件数"}
)
_CONTENT_NAMES = _COUNT_NAMES | {
    "size", "package size", "pack size", "package", "packaging", "pack", "unit size", "amount", "content", "contents",
    "net content", "net contents", "net weight", "net volume", "volume", "quantity", "inhalt", "füllmenge",
    "nettogewicht", "packungsgröße", "contenance", "poids net", "contenido", "contenido neto", "净含量", "规格", "容量",
    "包装规格",
}  # fmt: skip


class Amount(NamedTuple):
    """How much a product holds.

    value: in ``unit``, above 0
    unit: one of UNITS
    text: as the shop writes it, "" if unknown
    """

    value: float
    unit: str
    text: str = ""


def parse_amount(text: str) -> Amount | None:
    """The amount that ``text`` tells, such as an attribute's value or a title; None for none, or for several.

    A mass or volume goes before a number of pieces.

    >>> parse_amount("Cola 12 x 330 ml")
    Amount(value=3960.0, unit='ml', text='12 x 330 ml')
    >>> parse_amount("Ground coffee 500克").value, parse_amount("1,5 l").value, parse_amount("1/2 gal").value
    (500.0, 1500.0, 1892.705892)
    >>> parse_amount("6 pk/8 oz").value == parse_amount("48 oz").value
    True
    >>> parse_amount("2-pack"), parse_amount("1,500 g"), parse_amount("5G phone")
    (Amount(value=2.0, unit='count', text='2-pack'), None, None)
    """
    return _parsed(text) if len(text) <= LONGEST_TEXT else None


def amount_of(attributes: Mapping[str, object], title: str) -> Amount | None:
    """The amount that the attributes tell, or else the title; a number of pieces only where no mass or volume is told.

    >>> amount_of({"count": "26"}, "Coffee pods"), amount_of({"weight": "1.4 kg"}, "Trail tent")
    (Amount(value=26.0, unit='count', text='26'), None)
    """
    found = [_attribute(name, value) for name, value in attributes.items() if is_content_name(name)]
    amounts = [amount for amount in (*found, parse_amount(title)) if amount is not None]
    measured = [amount for amount in amounts if amount.unit != "count"]
    return next(iter(measured or amounts), None)


def is_content_name(name: object) -> bool:
    """Whether an attribute of this name tells how much a product holds."""
    return _name(name) in _CONTENT_NAMES


def normalised(value: float | None, unit: str) -> Amount | None:
    """An amount in a unit of the table ("kg", "fl oz", "" for pieces) as one in its base unit; None for any other."""
    kind = _KIND.get(" ".join(unit.casefold().replace(".", " ").split()) or "count")
    if value is None or kind is None or not math.isfinite(value) or value <= 0:
        return None
    return Amount(value * kind[1], kind[0])


def size_ratio(amount: Amount | None, other: Amount | None) -> float | None:
    """``amount`` in multiples of ``other``, 1 where they are as good as equal; None if they cannot be compared."""
    if amount is None or other is None or amount.unit != other.unit or not other.value > 0:
        return None
    ratio = amount.value / other.value
    return 1.0 if abs(ratio - 1) < TOLERANCE else ratio


@lru_cache(maxsize=4096)
def title_key(title: str) -> str:
    """What is left of a title without case, punctuation and spaces, and with amounts in their base units: equal for
    titles that read the same.

    >>> title_key("Ruby  Port, 0.75L") == title_key("ruby port 75 cl")
    True
    >>> title_key("Milk · 0.5 gal") == title_key("Milk · ½ gal") != title_key("Milk · 1 gal")
    True
    """
    text = _plain(title)
    for amount in _sizes(text) if len(text) <= LONGEST_TEXT else ():
        text = text.replace(amount.text, f" {amount.value:g}{amount.unit} ")
    return "".join(re.findall(r"\w+", text.casefold()))


def _plain(text: str) -> str:
    """Without signs for fractions, and with single spaces."""
    for sign, fraction in _FRACTIONS.items():
        text = text.replace(sign, fraction)
    return " ".join(unicodedata.normalize("NFKC", text).split())


def _name(name: object) -> str:
    return " ".join(str(name).casefold().replace("_", " ").split())


def _attribute(name: object, value: object) -> Amount | None:
    text = " ".join(str(value).split())
    if _name(name) in _COUNT_NAMES and text.isdecimal() and int(text[:7]) > 0:
        return Amount(float(int(text[:7])), "count", text)
    alone = text.casefold().rstrip(".")
    if alone in _ALONE:
        unit, factor = _KIND[alone]
        return Amount(factor, unit, text)
    return parse_amount(text)


@lru_cache(maxsize=4096)
def _parsed(text: str) -> Amount | None:
    sizes = _sizes(_plain(text))
    measured = [size for size in sizes if size.unit != "count"] or sizes
    alike = [size for size in measured if size.unit == measured[0].unit]
    # "500 g (1.1 lb)" tells one amount twice.
    if alike and max(alike).value <= 1.05 * min(alike).value:
        return alike[0]
    pack = None if alike else _PACK_OF.search(_plain(text))
    return Amount(float(pack[1]), "count", pack[0]) if pack else None


class _Size(NamedTuple):
    value: float
    unit: str
    start: int
    end: int
    multiplies: bool


def _sizes(text: str) -> list[Amount]:
    """All amounts in ``text``, those of packs multiplied with what they stand beside."""
    found: list[_Size] = []
    for match in _SIZE.finditer(text):
        number = _number(match)
        if not number or _NETWORK.fullmatch(match[0]) or (found and match.start() < found[-1].end):
            continue
        name = re.sub(r"[\s.]+", " ", match["name"].casefold())
        unit, factor = _KIND["fl oz" if name == "floz" else name]
        end = match.end()
        if times := _TIMES.match(text, end):
            number, end = number * int(times[1]), times.end()
        multiplies = name in _MULTIPLIES and number.is_integer()
        size = _Size(value=number * factor, unit=unit, start=match.start(), end=end, multiplies=multiplies)
        if found and _BETWEEN.fullmatch(text[found[-1].end : size.start]):
            size = _multiplied(found[-1], size) or size
            if size.start == found[-1].start:
                found.pop()
        found.append(size)
    return [Amount(round(size.value, 6), size.unit, text[size.start : size.end].rstrip(" .")) for size in found]


def _multiplied(size: _Size, following: _Size) -> _Size | None:
    """A pack and what each piece of it holds, in either order; None if they are anything else."""
    if {size.multiplies and size.unit, following.multiplies and following.unit} != {"count", False}:
        return None
    unit = following.unit if size.multiplies else size.unit
    if unit == "count":
        return None
    return following._replace(value=size.value * following.value, unit=unit, start=size.start, multiplies=False)


def _number(match: re.Match[str]) -> float | None:
    if match["parts"]:
        whole, part, parts = int(match["whole"] or 0), int(match["part"]), int(match["parts"])
        # "4/4 oz" are four packs.
        return whole + part / parts if part < parts and math.gcd(part, parts) == 1 else float(part * parts)
    if _AMBIGUOUS.fullmatch(match["number"]):
        return None
    return int(match["times"] or 1) * float(match["number"].replace(",", "."))
