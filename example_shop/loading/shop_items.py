"""items.csv into the shop's categories and products."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.utils import timezone
from PIL import Image, UnidentifiedImageError

from ..models import Product
from .bulk import chunks
from .categories import CategoryTree
from .csv_files import BadRowError, CsvFile, rating, truth

REQUIRED = ("item", "title", "category", "price")
STOCK = 100
PICTURE_SUFFIXES = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp", "GIF": ".gif"}
LARGEST_PICTURE = 10_000_000


@dataclass
class ItemReport:
    created: int = 0
    changed: int = 0


def load_items(file: CsvFile, media: Path, progress: Any) -> ItemReport:
    """Create what is new and change what is different; meant to run inside one transaction."""
    return _ItemLoader(file, media).run(progress)


class _ItemLoader:
    def __init__(self, file: CsvFile, media: Path) -> None:
        self.file = file
        self.media = media
        self.tree = CategoryTree()
        self.known = {product.sku: product for product in Product.objects.order_by()}
        self.seen: set[str] = set()
        # What the file does not tell stays as it is.
        told = {"brand", "rating", "description", "image"} & file.given
        self.fields = [
            "title",
            "category_id",
            "price",
            *sorted(told),
            *(["stock"] if "available" in file.given else []),
        ]

    def run(self, progress: Any) -> ItemReport:
        new, changed = [], []
        for line, cells in progress(self.file.rows()):
            try:
                facts = self._facts(line, cells)
            except BadRowError as error:
                self.file.reject(line, str(error), cells)
                continue
            product = self.known.get(facts["sku"])
            if product is None:
                new.append(Product(**facts))
            elif self._differs(product, facts):
                changed.append(product)
        for chunk in chunks(new, 2000):
            Product.objects.bulk_create(chunk)
        names = ["updated", *(name.removesuffix("_id") for name in self.fields)]
        Product.objects.bulk_update(changed, names, batch_size=500)
        return ItemReport(len(new), len(changed))

    def _facts(self, line: int, cells: list[str]) -> dict[str, Any]:
        item, title, category, brand, price_text, rating_text, available, image, description = cells
        if not item or len(item) > 64:
            raise BadRowError("item has to have 1 to 64 characters")
        if item in self.seen:
            raise BadRowError(f"item {item!r} came before in this file")
        if not title:
            raise BadRowError("title is missing")
        facts = {
            "sku": item,
            "title": title[:255],
            "price": self.file.price(price_text),
            "rating": rating(rating_text),
            "stock": STOCK if truth(available) else 0,
            "brand": brand[:255],
            "description": description,
        }
        self.seen.add(item)
        facts["category_id"] = self.tree.key(tuple(filter(None, map(str.strip, category.split(">")))))
        facts["image"] = ""
        if image:
            try:
                facts["image"] = self._picture(image)
            except BadRowError as error:
                self.file.remark(line, f"the item is imported without its image: {error}", cells)
        return facts

    def _differs(self, product: Product, facts: dict[str, Any]) -> bool:
        """Take over the facts; a stock that is there already stays what it is, and so does the reviews' rating."""
        if facts["stock"] and product.stock:
            facts["stock"] = product.stock
        if facts["rating"] is None:
            facts["rating"] = product.rating
        different = [name for name in self.fields if getattr(product, name) != facts[name]]
        for name in different:
            setattr(product, name, facts[name])
        product.updated = timezone.now() if different else product.updated
        return bool(different)

    def _picture(self, name: str) -> str:
        """Copy the picture under ``media``, named by its content; nothing outside the file's own folder is read."""
        folder = self.file.path.resolve().parent
        source = (folder / name).resolve()
        if not source.is_relative_to(folder):
            raise BadRowError(f"image {name!r} lies outside the folder of the file")
        if not source.is_file():
            raise BadRowError(f"image {name!r} is missing")
        if source.stat().st_size > LARGEST_PICTURE:
            raise BadRowError(f"image {name!r} is larger than {LARGEST_PICTURE:,} bytes")
        try:
            with Image.open(source, formats=list(PICTURE_SUFFIXES)) as picture:
                suffix = PICTURE_SUFFIXES[picture.format or ""]
                picture.verify()
        except (UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError, ValueError) as error:
            raise BadRowError(f"image {name!r} is not a picture (JPEG, PNG, WebP or GIF)") from error
        content = source.read_bytes()
        path = f"products/imported/{hashlib.blake2b(content, digest_size=12).hexdigest()}{suffix}"
        target = self.media / path
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        return path
