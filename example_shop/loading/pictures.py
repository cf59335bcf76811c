"""Draws packshots: a shape in its maker's colours with its type's pattern, lit from the left on a light ground."""

from collections.abc import Iterable
from functools import cache, lru_cache
from pathlib import Path

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from .looks import NATURAL, Look
from .shapes import SHAPES, SIDE, Pen

# main, dark, label, accent
COLOURS = [
    ("#2f6f8f", "#1d4a63", "#f7f3e8", "#e9a23b"),
    ("#c8452f", "#8c2a1b", "#fff3df", "#2f4858"),
    ("#3d7a4a", "#27532f", "#f4f2dc", "#d9822b"),
    ("#e2a72e", "#a87512", "#fffaf0", "#7a3b2e"),
    ("#6a4c93", "#472f68", "#f6effa", "#e0b13c"),
    ("#1f8a83", "#125a56", "#eef8f5", "#e4572e"),
    ("#d9738c", "#a14960", "#fff2f4", "#5a3b57"),
    ("#3a4f7a", "#243355", "#f1f4fb", "#d64545"),
    ("#8a5a3b", "#5c3922", "#fbf1e4", "#3f7d6b"),
    ("#e07b39", "#a4521c", "#fff5ea", "#2b6777"),
]
NATURAL_COLOURS = [
    ("#c8382e", "#8d211b", "#fff3ea", "#f4c95d"),
    ("#e88b2d", "#b3611a", "#fff6e6", "#6a9a3b"),
    ("#f0c63c", "#b98f1d", "#fffbe8", "#7da03c"),
    ("#7fae3e", "#4f7a25", "#f5faea", "#d9534f"),
    ("#7b3f76", "#52264e", "#f9eff8", "#e3b23c"),
    ("#d96a86", "#a14158", "#fff1f3", "#8fae5d"),
    ("#b58a5a", "#80603a", "#faf2e6", "#7a9a4a"),
    ("#a9c46c", "#728a3c", "#f9fbef", "#e07a5f"),
]
LASTING = {
    "light": "#fbfaf6",
    "clear": "#e3ebee",
    "leaf": "#4f8340",
    "fresh": "#7fb04c",
    "stem": "#cfe0a8",
    "meat": "#c65f55",
}
PICTURE_SIDE = 320


def draw_all(looks: Iterable[Look], media: Path) -> int:
    """Draw the looks that have no file yet under ``media``; returns how many were drawn."""
    drawn = 0
    # One shape after the other, so that the masks of a shape are made once.
    for look in sorted(looks):
        file = media / look.path
        if file.exists():
            continue
        file.parent.mkdir(parents=True, exist_ok=True)
        unfinished = file.with_suffix(".part")
        draw(look).save(unfinished, "WEBP", quality=84, method=2)
        unfinished.replace(file)
        drawn += 1
    return drawn


def draw(look: Look) -> Image.Image:
    """One picture, RGB, 320 × 320."""
    main, dark, label, accent = (NATURAL_COLOURS if look.shape in NATURAL else COLOURS)[look.palette]
    roles = {**LASTING, "body": main, "trim": dark, "label": label}
    layers, shade, shine = _masks(look.shape)
    picture = _ground(look.shape).copy()
    for role, mask, box in layers:
        picture.paste(roles[role], box, mask)
    if look.shape not in NATURAL:
        pattern, emblem = _decoration(look.shape, look.pattern)
        picture.paste(main, pattern.box, pattern.mask)
        picture.paste(accent, emblem.box, emblem.mask)
    picture.paste("#14201c", shade.box, shade.mask)
    picture.paste("#ffffff", shine.box, shine.mask)
    return picture.reduce(SIDE // PICTURE_SIDE)


class Patch:
    """A mask cut down to where it is not empty."""

    def __init__(self, mask: Image.Image) -> None:
        self.box = mask.getbbox() or (0, 0, 1, 1)
        self.mask = mask.crop(self.box)


@lru_cache(maxsize=2)
def _pen(shape: str) -> Pen:
    pen = Pen()
    SHAPES[shape](pen)
    return pen


@lru_cache(maxsize=2)
def _outline(shape: str) -> Image.Image:
    outline = Image.new("L", (SIDE, SIDE))
    for _, mask in _pen(shape).layers:
        outline = ImageChops.lighter(outline, mask)
    return outline


@lru_cache(maxsize=2)
def _masks(shape: str):
    """The layers, and where light falls: darker to the right and at the edges, a soft shine on the left."""
    outline = _outline(shape)
    layers = [(role, patch.mask, patch.box) for role, mask in _pen(shape).layers for patch in [Patch(mask)]]
    left, _, right, _ = outline.getbbox()
    across = Image.new("L", (SIDE, 1))
    across.putdata([_shade((x - left) / (right - left)) for x in range(SIDE)])
    shade = across.resize((SIDE, SIDE))
    edge = ImageChops.subtract(outline, outline.filter(ImageFilter.GaussianBlur(12)))
    shade = ImageChops.add(shade, edge.point(lambda value: value // 4))
    glow = Image.new("L", (SIDE, SIDE))
    x = left + (right - left) * 0.2
    ImageDraw.Draw(glow).rounded_rectangle((x - 16, 60, x + 16, SIDE - 90), 16, fill=74)
    glow = glow.filter(ImageFilter.GaussianBlur(11))
    return layers, Patch(ImageChops.multiply(shade, outline)), Patch(ImageChops.multiply(glow, outline))


def _shade(across: float) -> int:
    across = min(max(across, 0), 1)
    return int(70 * max(0.0, across - 0.45) ** 1.5 + 26 * max(0.0, 0.16 - across) / 0.16)


@lru_cache(maxsize=2)
def _ground(shape: str) -> Image.Image:
    """A light ground, a little darker below, with the shadow that the shape throws."""
    down = Image.new("RGB", (1, SIDE))
    down.putdata(
        [tuple(int(a - (a - b) * y / SIDE) for a, b in ((250, 238), (248, 234), (243, 226))) for y in range(SIDE)]
    )
    ground = down.resize((SIDE, SIDE))
    left, _, right, bottom = _outline(shape).getbbox()
    shadow = Image.new("L", (SIDE, SIDE))
    draw = ImageDraw.Draw(shadow)
    draw.ellipse((left - 8, bottom - 26, right + 34, bottom + 22), fill=105)
    draw.ellipse((left + 10, bottom - 14, right - 4, bottom + 8), fill=150)
    ground.paste("#4a4436", mask=shadow.filter(ImageFilter.GaussianBlur(14)))
    return ground


@lru_cache(maxsize=16)
def _decoration(shape: str, pattern: int) -> tuple[Patch, Patch]:
    """The label's pattern in the main colour, and its emblem in the accent colour."""
    label = Image.new("L", (SIDE, SIDE))
    for role, mask in _pen(shape).layers:
        label = ImageChops.lighter(label, mask) if role == "label" else ImageChops.subtract(label, mask)
    left, top, right, bottom = label.getbbox()
    x, y, reach = (left + right) / 2, (top + bottom) / 2, min(right - left, bottom - top) * 0.3
    emblem = Image.new("L", (SIDE, SIDE))
    _emblem(ImageDraw.Draw(emblem), pattern, x, y, reach)
    clear = Image.new("L", (SIDE, SIDE))
    ImageDraw.Draw(clear).ellipse((x - reach * 1.3, y - reach * 1.3, x + reach * 1.3, y + reach * 1.3), fill=255)
    field = ImageChops.subtract(ImageChops.multiply(_pattern(pattern), label), clear)
    return Patch(field), Patch(ImageChops.multiply(emblem, label))


@cache
def _pattern(number: int) -> Image.Image:
    """Stripes, dots, checks, waves and their like over the whole canvas."""
    image = Image.new("L", (SIDE, SIDE))
    d = ImageDraw.Draw(image)
    steps = range(-SIDE, 2 * SIDE, 40)
    for i, a in enumerate(steps):
        if number == 0:
            d.rectangle((a, 0, a + 14, SIDE), fill=255)
        elif number == 1:
            d.rectangle((0, a, SIDE, a + 14), fill=255)
        elif number == 2:
            d.polygon((a, 0, a + 16, 0, a + 16 + SIDE, SIDE, a + SIDE, SIDE), fill=255)
        elif number in (3, 4):
            for j, b in enumerate(steps):
                x, y = a + 20 * (j % 2), b
                if number == 3:
                    d.ellipse((x, y, x + 16, y + 16), fill=255)
                elif (i + j) % 2:
                    d.rectangle((a, b, a + 39, b + 39), fill=255)
        elif number == 5:
            d.line([(x, a + 10 * ((x // 20) % 2)) for x in range(0, SIDE + 20, 20)], fill=255, width=9)
        else:
            for b in steps:
                d.arc((b, a, b + 40, a + 40), 180, 360, fill=255, width=7)
    return image


def _emblem(d: ImageDraw.ImageDraw, number: int, x: float, y: float, r: float) -> None:
    """A mark in the middle of the label."""
    if number % 5 == 0:
        d.ellipse((x - r, y - r, x + r, y + r), fill=255)
    elif number % 5 == 1:
        d.regular_polygon((x, y, r * 1.15), 4, rotation=45, fill=255)
    elif number % 5 == 2:
        d.regular_polygon((x, y, r * 1.1), 6, fill=255)
    elif number % 5 == 3:
        d.pieslice((x - r * 1.1, y - r * 1.4, x + r * 1.1, y + r * 0.8), 0, 180, fill=255)
        d.ellipse((x - r * 0.35, y - r, x + r * 0.35, y - r * 0.4), fill=255)
    else:
        d.polygon((x, y - r * 1.1, x + r * 0.95, y + r * 0.7, x - r * 0.95, y + r * 0.7), fill=255)
