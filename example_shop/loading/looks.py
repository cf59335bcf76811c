"""Which drawn picture a product gets: shape by what it is, colours by who made it, pattern by its type."""

import hashlib
import re
from functools import cache
from typing import NamedTuple

# First match on "department category type" wins.
SHAPES = [
    (r"egg(s|,| )(?!.*(candy|bread|noodle|easter))", "eggs"),
    (r"fluid milk|(?:choc\w* )?milk\b|buttermilk|soy bev|refrigerated juice|orange juice|creamer|broth", "carton"),
    (r"wine|spirits|liquor|champagne|vodka|whisk|olive oil|vinegar", "wine"),
    (r"beer|ales|soft drink|energy drink|canned|soup|tuna|beans|cat food.*can|can .*food|vac pac|shortening", "can"),
    (r"balloon", "balloon"),
    (r"laundry|bleach|fabric softener|litter|antifreeze|motor oil|fuel|gasoline", "jug"),
    (r"water|juice|isotonic|tea .*bottle|syrup|dressing|"
     r"catsup|sauce|shampoo|conditioner|mouthwash|cooking oil|drink", "bottle"),
    (r"lotion|liquid soap|body wash|hand soap|dish detergent|suntan|cleaner|cleang", "pump"),
    (r"aerosol|air care|insect|hair ?spray|spray|deodorant|mousse", "spray"),
    (r"yogurt|pudding|cottage cheese|sour cream|margarine|dips|salads|spread|cups", "cup"),
    (r"ice cream|sherbet|sorbet", "tub"),
    (r"peanut butter|jam|jelly|preserve|pickle|relish|olives|"
     r"salsa|honey|spices|seasoning|baby food|coffee.*instant|candle", "jar"),
    (r"vitamin|analgesic|cold and flu|antacid|anti acid|sinus|laxative|diet|supplement|pharmacy", "pills"),
    (r"toothpaste|cream|ointment|facial|first aid|hemorr|gel", "tube"),
    (r"makeup|cosmetic|lip|mascara|nail|maybelline|covergirl|revlon|fragrance", "compact"),
    (r"bath tissue|paper towel|toilet", "rolls"),
    (r"diaper|incontinence|napkin|tissue|feminine|cotton|wipes", "pack"),
    (r"bread|rolls|buns|bagel|loaf|muffin|tortilla", "loaf"),
    (r"cake|pie|donut|pastry|sweet good|cookies.*pastry|bakery", "cake"),
    (r"pizza", "pizza"),
    (r"chips|snacks|pretzel|popcorn|bag snack|"
     r"candy bag|salad mix|frozen vegetable|potato.*frozen|nuts|bird seed", "bag"),
    (r"candy|gum|bars|chocolate|cereal bar|granola", "wrapped"),
    (r"dog food|dry dog|dry cat|charcoal|flour|sugar|rice|ice\b|soil|fertilizer|dry bean", "sack"),
    (r"cheese|butter|tofu", "block"),
    (r"magazine|newspaper|book|card|stationery|gift wrap|calendar", "card"),
    (r"floral|flower|rose|bouquet|plant|lily|garden|foliage", "flowers"),
    (r"beef|pork|chicken|turkey|meat|lamb|veal|sausage|bacon|ham\b|hot dog|seafood|fish|shrimp|sushi", "tray"),
    (r"banana", "bananas"),
    (r"apple|orange|citrus|stone fruit|peach|plum|tomato|pear|"
     r"melon|onion|potato|tropical|avocado|mango|lemon|lime", "fruit"),
    (r"berries|strawberr|grape|cherr", "berries"),
    (r"produce|vegetable|herb|lettuce|broccoli|carrot|pepper|mushroom|squash|corn|salad", "greens"),
    (r"batter|hardware|toy|kitchen|gadget|electr|sewing|"
     r"hosiery|hair care acc|automotive|film|audio|razor|blade|shaving", "blister"),
    (r"tea|coffee|cocoa|drink powder|mix|gravy|pouch|jerky|infant formula", "pouch"),
]  # fmt: skip
MATCHES = [(re.compile(rf"\b(?:{pattern})"), shape) for pattern, shape in SHAPES]
# Things that grow have their own colours, whoever sells them: shape -> how many of `pictures.NATURAL_COLOURS` suit it.
NATURAL = {"fruit": 8, "bananas": 8, "berries": 6, "greens": 8, "flowers": 6, "eggs": 8}

GROWN = {
    "banana": 2,
    "lemon": 2,
    "corn": 2,
    "orange": 1,
    "clementine": 1,
    "tangerine": 1,
    "peach": 1,
    "nectarine": 1,
    "granny": 3,
    "lime": 3,
    "avocado": 3,
    "pear": 7,
    "melon": 7,
    "white": 7,
    "apple": 0,
    "tomato": 0,
    "straw": 0,
    "cherr": 0,
    "raspberr": 5,
    "plum": 4,
    "blue": 4,
    "red": 0,
    "potato": 6,
    "onion": 6,
    "kiwi": 6,
}
PALETTES = 10
PATTERNS = 7


class Look(NamedTuple):
    """All that a picture shows; products of one look share one file."""

    shape: str
    palette: int
    pattern: int

    @property
    def path(self) -> str:
        """Where its file lies under the media folder."""
        digest = hashlib.blake2b(repr(tuple(self)).encode(), digest_size=8).hexdigest()
        return f"products/drawn/{digest}.webp"


def look_of(path: tuple[str, ...], brand: str) -> Look:
    """The look of a product of this category path and brand; the same at every load."""
    shape = _shape(path)
    kind = path[-1] if path else ""
    if shape in NATURAL:
        return Look(shape, _ripeness(kind.lower(), NATURAL[shape]), 0)
    return Look(shape, _spread(brand, PALETTES), _spread(kind, PATTERNS))


@cache
def _shape(path: tuple[str, ...]) -> str:
    """By the type; where that says nothing, by the category, then by the department."""
    for name in reversed(path):
        for pattern, shape in MATCHES:
            if pattern.search(name.lower()):
                return shape
    return "box"


@cache
def _ripeness(kind: str, kinds: int) -> int:
    """A number of `pictures.NATURAL_COLOURS`: as it grows where we know it, else by chance of the name."""
    return next((colour for word, colour in GROWN.items() if word in kind), _spread(kind, kinds))


@cache
def _spread(text: str, kinds: int) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest(), "big") % kinds
