"""Readable names out of a till's abbreviations: "FRZN BRKFST/SANDWIC" -> "Frozen Breakfast & Sandwiches"."""

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

WORDS = {
    "accessiores": "Accessories",
    "apetiz": "Appetizers",
    "bkd": "Baked",
    "bkfst": "Breakfast",
    "bn": "Beans",
    "brd": "Breaded",
    "brkfst": "Breakfast",
    "btl": "Bottle",
    "btr": "Butter",
    "carb": "Carbonated",
    "catfd": "Cat Food",
    "chix": "Chicken",
    "chkn": "Chicken",
    "choc": "Chocolate",
    "chococlate": "Chocolate",
    "cig": "Cigarette",
    "ckys": "Cookies",
    "cleang": "Cleaning",
    "cndy": "Candy",
    "coco": "Cocoa",
    "coff": "Coffee",
    "conc": "Concentrate",
    "crbntd": "Carbonated",
    "crkr": "Crackers",
    "crystl": "Crystal",
    "dept": "Department",
    "disposible": "Disposable",
    "dnr": "Dinner",
    "dnrs": "Dinners",
    "dolls": "Dolls",
    "drnk": "Drink",
    "drnks": "Drinks",
    "drsng": "Dressing",
    "dsh": "Dishes",
    "ele": "Electric",
    "fam": "Family",
    "fd": "Food",
    "fem": "Feminine",
    "flr": "Floor",
    "flvr": "Flavored",
    "flvrd": "Flavored",
    "fre": "Fresh",
    "frz": "Frozen",
    "frzn": "Frozen",
    "gds": "Goods",
    "gm": "General Merchandise",
    "gngr": "Ginger",
    "handke": "Handkerchiefs",
    "hbc": "Health & Beauty",
    "hygn": "Hygiene",
    "in": "in",
    "incontinence": "Incontinence",
    "ingred": "Ingredients",
    "jce": "Juice",
    "linaments": "Liniments",
    "lq": "Liquid",
    "ltr": "Lighter",
    "merch": "Merchandise",
    "mfg": "Manufacturer",
    "misc": "Assorted",
    "miscellaneous": "Assorted",
    "mnrl": "Mineral",
    "mtl": "Metal",
    "mw": "Microwave",
    "mx": "Mix",
    "mxs": "Mixes",
    "napkin": "Napkins",
    "ndairy": "Non Dairy",
    "nz": "New Zealand",
    "pckgd": "Packaged",
    "pk": "Pack",
    "pkg": "Packaged",
    "pkgd": "Packaged",
    "pkld": "Pickled",
    "pnt": "Peanut",
    "porton": "Portions",
    "preportnd": "Pre-portioned",
    "prep": "Prepared",
    "prod": "Products",
    "pwdr": "Powder",
    "reg": "Regular",
    "refrg": "Refrigerated",
    "refrgratd": "Refrigerated",
    "refrig": "Refrigerated",
    "rts": "Ready to Serve",
    "rw": "Random Weight",
    "sald": "Salad",
    "sandwic": "Sandwiches",
    "sft": "Soft",
    "sherbts": "Sherbets",
    "shlf": "Shelf",
    "snacks": "Snacks",
    "sndwch": "Sandwich",
    "sngl": "Single",
    "snks": "Snacks",
    "sply": "Supplies",
    "spls": "Supplies",
    "sprd": "Spread",
    "srv": "Serve",
    "ss": "Single Serve",
    "stk": "Stick",
    "suppplies": "Supplies",
    "sup": "Super",
    "sw": "Sweet",
    "sweetners": "Sweeteners",
    "tiss": "Tissue",
    "trsh": "Trash",
    "bg": "Bags",
    "veg": "Vegetables",
    "whlsm": "Wholesome",
    "wt": "Weight",
    "wtr": "Water",
    "xs": "Extra Small",
}
# Types that say nothing without their category.
VAGUE = {"Assorted", "Fresh", "Happy", "Kids", "Lean", "Mainstream", "Other", "Premium", "Seasonal", "Traditional"}
SMALL = {"and", "or", "of", "with", "for", "the", "to"}
CAPITALS = {"dxm", "pse", "spf", "iqf", "bbq", "dvd", "dvds", "cd", "diy", "usa", "tv"}
DEPARTMENTS = {
    "CHEF SHOPPE": "Chef Shoppe",
    "CHARITABLE CONT": "Charity",
    "CNTRL/STORE SUP": "Store Supplies",
    "DRUG GM": "Health, Beauty & Home",
    "ELECT &PLUMBING": "Electrical & Plumbing",
    "GM MERCH EXP": "General Merchandise",
    "MEAT-PCKGD": "Packaged Meat",
    "PROD-WHS SALES": "Produce Warehouse",
    "SEAFOOD-PCKGD": "Packaged Seafood",
}
VOLUMES = {"GA", "GAL", "QT", "PT", "L", "ML"}
# Without a number they mean one.
ALONE = {"GAL", "QT", "PT", "DZ"}
UNITS = {
    "OZ": "oz",
    "LB": "lb",
    "GA": "gal",
    "GAL": "gal",
    "DZ": "dozen",
    "L": "l",
    "QT": "qt",
    "PT": "pint",
    "CT": "ct",
    "ML": "ml",
    "PK": "pack",
    "IN": "in",
    "LD": "loads",
    "LDS": "loads",
    "LOADS": "loads",
}


def readable(text: str | None) -> str:
    """A heading as a person would write it; what a till cut off in the middle of a bracket is left out."""
    text = re.sub(r"\([^)]*(\)|$)", " ", text or "")
    text = re.sub(r"\s*[/&+]\s*", " & ", text)
    text = re.sub(r"\s*[:;]\s*|\s+-\s*|\s*-\s+", ", ", text)
    text = text.replace("-", " ").replace(".", " ")
    parts = [" ".join(_words(part)) for part in text.split(",")]
    text = ", ".join(part for part in parts if part)
    return re.sub(r"(?: & )+", " & ", text).strip(" &,")


def department(text: str | None) -> str:
    return DEPARTMENTS.get(text or "", "") or readable(text)


def size(text: str | None, *, fluid: bool = False) -> str:
    """ "1.3 LB" -> "1.3 lb", "12 PK/12 OZ" -> "12 x 12 oz"; stock numbers and stray letters in the field are left out.

    fluid: whether ounces are those of a liquid; the till prints both kinds alike.
    """
    text = re.sub(r"\s+", " ", text or "").strip()
    text = re.sub(r"^(?:\d{5,}|[A-Z]{1,2})\s+(?=[\d.])", "", text)
    text = re.sub(r"(?<!\d)\.(\d)", r"0.\1", text)
    text = f"1 {text}" if text in ALONE else text
    text = re.sub(r"^(\d+) ?PK ?/ ?(?=\d)|^(\d+)/(?=\d+\.|\d{3}|[15679]|12 )", r"\1\2 x ", text)
    if not re.search(r"\d", text):
        return ""
    words = [UNITS.get(word, word if any(map(str.isdigit, word)) else word.lower()) for word in text.split()]
    return " ".join("fl oz" if fluid and word == "oz" else word for word in words)


def fluid_kinds(sizes: Iterable[tuple[Any, str | None]]) -> set[Any]:
    """The kinds of products, each given with a package size, that are sold by the gallon, quart, pint or litre, and not
    by the pound."""
    counts: dict[Any, Counter[str]] = {}
    for kind_of_product, text in sizes:
        unit = (text or "").split(" ")[-1]
        counts.setdefault(kind_of_product, Counter())["volume" if unit in VOLUMES else unit] += 1
    return {kind_of for kind_of, units in counts.items() if units["volume"] > units["LB"] + 0.05 * units["OZ"]}


def brand(kind: str | None, manufacturer: int | None) -> str:
    """The data tell house brands from others, and makers by number only."""
    if manufacturer is None:
        return ""
    return f"{'House brand' if kind == 'Private' else 'Maker'} {manufacturer}"


def kind(path: tuple[str, ...]) -> str:
    """What to call a product of this category path."""
    if len(path) > 1 and path[-1] in VAGUE and path[-2] not in VAGUE:
        return f"{path[-2]}, {path[-1].lower()}"
    return path[-1] if path else ""


def product(type_name: str, brand_name: str, size_name: str) -> str:
    """ "Fluid Milk White Only · 1 gal · House brand 69" """
    return " · ".join(part for part in (type_name, size_name, brand_name) if part)[:255]


def _words(text: str) -> list[str]:
    found = []
    for word in text.split():
        low = word.lower()
        if low in CAPITALS:
            found.append(word.upper())
        elif low in SMALL and found:
            found.append(low)
        else:
            found.append(WORDS.get(low) or word.capitalize())
    return found
