"""What a product model holds: guesses of title, price, category and the rest."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.db import models

from .fields import (
    MOMENT,
    NUMBER,
    TEXT,
    WHOLE,
    YES_NO,
    Guess,
    column,
    columns,
    find,
    foreign_keys,
    is_readable,
    label_name,
    named,
    rows_of,
    words,
)

TITLES = ("title", "name", "product_name", "label", "headline")
PRICES = ("price", "unit_price", "list_price", "regular_price", "retail_price", "selling_price", "sale_price", "amount")
REDUCED = ("sale_price", "special_price", "discount_price", "discounted_price", "offer_price", "promo_price")
MINOR_UNITS = {"cents", "cent", "pence", "minor", "grosz", "ore", "kopecks"}
CATEGORIES = (
    "category",
    "categories",
    "product_category",
    "department",
    "section",
    "product_type",
    "collection",
    "type",
)
BRANDS = ("brand", "manufacturer", "maker", "producer", "publisher")
IMAGES = ("image", "photo", "picture", "main_image", "cover", "thumbnail", "img")
DESCRIPTIONS = ("description", "long_description", "body", "details", "summary", "short_description")
RATINGS = ("rating", "average_rating", "avg_rating", "rating_average", "mean_rating", "stars")
COSTS = ("cost", "cost_price", "purchase_price", "buying_price", "wholesale_price")
STOCKS = (
    *("stock", "stock_quantity", "quantity_in_stock", "units_in_stock", "num_in_stock", "stock_count", "stock_level"),
    *("in_stock", "inventory", "count_in_stock", "countInStock", "quantity", "is_available", "available"),
)
GONE = ("sold_out", "is_sold_out", "out_of_stock", "unavailable")
LIVE = ("is_active", "active", "is_published", "published", "is_visible", "visible", "is_public", "listed", "enabled")
NOT_LIVE = (
    "is_deleted",
    "deleted",
    "is_archived",
    "archived",
    "is_hidden",
    "hidden",
    "is_draft",
    "draft",
    "discontinued",
)
NOT_LIVE_SINCE = ("deleted_at", "archived_at", "removed_at", "discontinued_at")
LIVE_VALUES = {"published", "active", "live", "public", "visible", "online", "available", "enabled", "listed"}
LANGUAGES = ("language", "language_code", "lang", "locale")


@dataclass(frozen=True, kw_only=True)
class RowGuess:
    """Rows of another table that belong to a product.

    rows: the name under which a product has them
    value: column of what is wanted
    key: column by which one of the rows is chosen; "" for the first
    """

    rows: str
    value: str
    key: str = ""
    description: str = ""
    is_file: bool = False


@dataclass(frozen=True, kw_only=True)
class CategoryGuess:
    """Where categories are.

    path: name of the column or relation
    model: the model of categories; None for text
    name, parent: columns of that model; "" for none
    several: whether a product may have more than one
    """

    path: str
    doubt: str = ""
    model: type[models.Model] | None = None
    name: str = ""
    parent: str = ""
    several: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether naming the field is enough."""
        return self.model is None or (not self.several and self.name == "name" and self.parent in ("", "parent"))


@dataclass(frozen=True, kw_only=True)
class ProductGuess:
    """What the columns of a product model probably mean; None and "" where nothing fits.

    title_rows, image_rows: in a table of their own
    minor_units: whether prices are in cents or the like
    gone: yes-or-no column of what cannot be bought
    live: arguments of the query for products that are shown, as source text
    """

    model: type[models.Model]
    title: Guess | None = None
    title_rows: RowGuess | None = None
    price: Guess | None = None
    minor_units: bool = False
    category: CategoryGuess | None = None
    brand: Guess | None = None
    image: Guess | None = None
    image_rows: RowGuess | None = None
    description: Guess | None = None
    rating: Guess | None = None
    cost: Guess | None = None
    stock: Guess | None = None
    gone: str = ""
    live: tuple[str, ...] = ()
    select_related: tuple[str, ...] = ()
    prefetch_related: tuple[str, ...] = field(default=())


def guess_product(model: type[models.Model]) -> ProductGuess:
    """All guesses about ``model``."""
    title, title_rows = _title(model)
    price = _price(model)
    image, image_rows = _image(model)
    brand, category = _brand(model), _category(model)
    stock = find(model, STOCKS, (*WHOLE, *YES_NO))
    joined = [guess.path.split(".")[0] for guess in (brand,) if guess is not None and "." in guess.path]
    if category is not None and category.model is not None and category.is_plain:
        joined.insert(0, category.path)
    rows = [guess.rows for guess in (title_rows, image_rows) if guess is not None]
    return ProductGuess(
        model=model,
        title=title,
        title_rows=title_rows,
        price=price,
        minor_units=price is not None and in_minor_units(price.path),
        category=category,
        brand=brand,
        image=image,
        image_rows=image_rows,
        description=named(model, DESCRIPTIONS, TEXT),
        rating=named(model, RATINGS, NUMBER),
        cost=named(model, COSTS, NUMBER),
        stock=stock,
        gone=next((name for name in GONE if isinstance(column(model, name), YES_NO)), ""),
        live=tuple(_live(model)),
        select_related=tuple(joined),
        prefetch_related=tuple(rows),
    )


def in_minor_units(name: str) -> bool:
    """Whether a column holds cents or the like, by its name."""
    return bool(MINOR_UNITS & set(words(name)))


def _title(model: type[models.Model]) -> tuple[Guess | None, RowGuess | None]:
    for name in TITLES:
        if isinstance(column(model, name), TEXT) or is_readable(model, name):
            return Guess(name), None
    for rows, other in rows_of(model):
        names = {each.name for each in columns(other)}
        language = next((name for name in LANGUAGES if name in names), "")
        title = next((name for name in TITLES if name in names), "")
        if language and title:
            description = next((name for name in DESCRIPTIONS if name in names), "")
            return None, RowGuess(rows=rows, value=title, key=language, description=description)
    if (guess := find(model, TITLES, TEXT)) is not None:
        return guess, None
    texts = [each.name for each in columns(model) if type(each) is models.CharField and not each.choices]
    return (Guess(texts[0], "the first text of the model"), None) if texts else (None, None)


def _price(model: type[models.Model]) -> Guess | None:
    money = next((each for each in columns(model) if type(each).__name__ == "MoneyField"), None)
    if money is not None:
        return Guess(f"{money.name}.amount")
    guess = find(model, PRICES, NUMBER)
    if guess is None:
        return None
    if in_minor_units(guess.path):
        return Guess(guess.path)
    reduced = [name for name in REDUCED if name != guess.path and column(model, name) is not None]
    if reduced:
        return Guess(guess.path, f"if customers pay {reduced[0]}, override price(product, request)")
    if isinstance(column(model, guess.path), WHOLE) and not guess.doubt:
        return Guess(guess.path, "a whole number: if these are cents, override base_price(product)")
    return guess


def _category(model: type[models.Model]) -> CategoryGuess | None:
    several = {each.name: each for each in model._meta.many_to_many}
    single = {each.name: each for each in foreign_keys(model)}
    for name in CATEGORIES:
        relation = single.get(name) or several.get(name)
        if relation is not None:
            return _category_rows(name, relation.related_model, several=name in several)
    guess = find(model, CATEGORIES, TEXT)
    return None if guess is None else CategoryGuess(path=guess.path, doubt=guess.doubt)


def _category_rows(path: str, model: type[models.Model], *, several: bool) -> CategoryGuess:
    parents = [each.name for each in foreign_keys(model) if each.related_model is model]
    doubt = "of several categories the first counts" if several else ""
    return CategoryGuess(
        path=path,
        doubt=doubt,
        model=model,
        name=label_name(model),
        parent=parents[0] if parents else "",
        several=several,
    )


def _brand(model: type[models.Model]) -> Guess | None:
    for name in BRANDS:
        key = next((each for each in foreign_keys(model) if each.name == name), None)
        if key is not None and (label := label_name(key.related_model)):
            return Guess(f"{name}.{label}")
    return named(model, BRANDS, TEXT)


def _image(model: type[models.Model]) -> tuple[Guess | None, RowGuess | None]:
    pictures = [each.name for each in columns(model) if isinstance(each, models.ImageField)]
    if pictures:
        preferred = [name for name in IMAGES if name in pictures]
        return Guess((preferred or pictures)[0]), None
    guess = find(model, IMAGES, (models.FileField, models.URLField, models.CharField))
    if guess is not None:
        return Guess(guess.path) if isinstance(column(model, guess.path), models.URLField) else guess, None
    for rows, other in rows_of(model):
        if not {"image", "images", "photo", "picture", "media"} & set(words(other.__name__)):
            continue
        for each in columns(other):
            if isinstance(each, models.FileField | models.URLField):
                return None, RowGuess(rows=rows, value=each.name, is_file=isinstance(each, models.FileField))
    return None, None


def _live(model: type[models.Model]) -> list[str]:
    """Arguments of the query for the products that are shown."""
    found = [f"{name}=True" for name in LIVE if isinstance(column(model, name), YES_NO)][:1]
    found += [f"{name}=False" for name in NOT_LIVE if isinstance(column(model, name), YES_NO)]
    found += [
        f"{name}__isnull=True"
        for name in NOT_LIVE_SINCE
        if isinstance(column(model, name), MOMENT) and column(model, name).null
    ]
    for name in ("status", "state"):
        state: Any = column(model, name)
        values = [value for value, label in (state.flatchoices if state is not None else ()) if _is_live(value, label)]
        found += [f"{name}={value!r}" for value in map(plain, values[:1])]
    return [argument.replace("'", '"') for argument in found]


def _is_live(value: Any, label: Any) -> bool:
    return bool({str(value).lower(), str(label).lower()} & LIVE_VALUES)


def plain(value: Any) -> Any:
    """A choice as a text or number, whatever enumeration it comes from."""
    return str(value) if isinstance(value, str) else int(value) if isinstance(value, int) else value
