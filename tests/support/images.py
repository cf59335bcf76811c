"""Drawn pictures whose kind is known: a shape (what it is) in a colour (who made it)."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageDraw

SHAPES = ("disc", "box", "cross", "stripes")
COLOURS = ((200, 40, 40), (40, 90, 200), (60, 160, 60))


def draw(shape: str, colour: tuple[int, int, int], rng: np.random.Generator, size: int = 32) -> Image.Image:
    """One picture, no two alike: moved, larger or smaller, and a little lighter or darker."""
    image = Image.new("RGB", (size, size), "white")
    pen = ImageDraw.Draw(image)
    side = int(rng.integers(size * 5 // 10, size * 8 // 10))
    left, top = (int(rng.integers(0, size - side)) for _ in range(2))
    ink = tuple(int(np.clip(part + rng.integers(-25, 25), 0, 255)) for part in colour)
    box = (left, top, left + side, top + side)
    if shape == "disc":
        pen.ellipse(box, fill=ink)
    elif shape == "box":
        pen.rectangle(box, outline=ink, width=size // 10)
    elif shape == "cross":
        pen.line((left, top + side // 2, left + side, top + side // 2), fill=ink, width=size // 6)
        pen.line((left + side // 2, top, left + side // 2, top + side), fill=ink, width=size // 6)
    else:
        for step in range(0, side, size // 6):
            pen.line((left, top + step, left + side, top + step), fill=ink, width=size // 16)
    return image


def drawn(many: int, seed: int = 0, size: int = 32) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pictures, shape (many, size, size, 3) uint8, and the numbers of their shapes and colours."""
    rng = np.random.default_rng(seed)
    shape, colour = rng.integers(len(SHAPES), size=many), rng.integers(len(COLOURS), size=many)
    pictures = [
        np.asarray(draw(SHAPES[one], COLOURS[other], rng, size)) for one, other in zip(shape, colour, strict=True)
    ]
    return np.stack(pictures), shape, colour


def file_of(image: Image.Image, kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    image.save(file, kind)
    return file.getvalue()


class DrawnShop:
    """The example shop with drawn products: their category is their shape, their brand their colour; all have one title
    and one price.
    """

    def __init__(self, many: int, seed: int = 1) -> None:
        from example_shop.models import Category

        self.rng = np.random.default_rng(seed)
        self.shelves = {shape: Category.objects.get_or_create(name=shape, slug=shape)[0] for shape in SHAPES}
        for number in range(many):
            self.add(number, SHAPES[number % len(SHAPES)], number % len(COLOURS))

    def add(self, number: int, shape: str, colour: int, **more) -> None:
        from django.core.files.base import ContentFile

        from example_shop.models import Product

        picture = ContentFile(file_of(draw(shape, COLOURS[colour], self.rng, 64)), f"{number}.png")
        facts = {"title": "Thing", "price": "10.00", "brand": f"maker {colour}", "category": self.shelves[shape]} | more
        Product.objects.create(sku=f"p{number}", image=picture, **facts)
