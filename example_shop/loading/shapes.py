"""Outlines of packages and produce, as layers of polygons on a canvas of 100 × 100.

A shape is a function that draws its layers, the lowest first, with a `Pen`. Roles: body, trim (darker), label (gets the
pattern), light (near white), clear (glass, film), and the lasting colours of leaf, fresh, stem and meat.
"""

import math
from collections.abc import Callable

from PIL import Image, ImageDraw

SIDE = 640


class Pen:
    """Collects one mask for each layer, in canvas units."""

    def __init__(self) -> None:
        self.layers: list[tuple[str, Image.Image]] = []

    def _layer(self, role: str) -> ImageDraw.ImageDraw:
        mask = Image.new("L", (SIDE, SIDE))
        self.layers.append((role, mask))
        return ImageDraw.Draw(mask)

    def box(self, role: str, left: float, top: float, right: float, bottom: float, radius: float = 0) -> None:
        self._layer(role).rounded_rectangle(_scaled(left, top, right, bottom), radius * SIDE / 100, fill=255)

    def oval(self, role: str, left: float, top: float, right: float, bottom: float) -> None:
        self._layer(role).ellipse(_scaled(left, top, right, bottom), fill=255)

    def ovals(self, role: str, centres: list[tuple[float, float]], radius: float) -> None:
        draw = self._layer(role)
        for x, y in centres:
            draw.ellipse(_scaled(x - radius, y - radius, x + radius, y + radius), fill=255)

    def poly(self, role: str, *points: float) -> None:
        self._layer(role).polygon(_scaled(*points), fill=255)

    def arc(  # noqa: PLR0913  the corners, angles and width of a drawn arc
        self, role: str, left: float, top: float, right: float, bottom: float, start: int, end: int, width: float
    ) -> None:
        self._layer(role).arc(_scaled(left, top, right, bottom), start, end, fill=255, width=int(width * SIDE / 100))

    def line(self, role: str, *points: float, width: float = 1) -> None:
        self._layer(role).line(_scaled(*points), fill=255, width=int(width * SIDE / 100), joint="curve")


def _scaled(*numbers: float) -> list[float]:
    return [number * SIDE / 100 for number in numbers]


def box(p: Pen) -> None:
    p.poly("trim", 70, 20, 79, 15, 79, 81, 70, 86)
    p.poly("light", 27, 20, 36, 15, 79, 15, 70, 20)
    p.box("body", 27, 20, 70, 86, 1)
    p.box("label", 31, 36, 66, 70, 2)
    p.box("light", 31, 26, 54, 30, 2)


def carton(p: Pen) -> None:
    p.poly("trim", 66, 36, 74, 31, 74, 82, 66, 87)
    p.poly("trim", 33, 36, 40, 20, 68, 20, 74, 31, 66, 36)
    p.poly("light", 33, 36, 39, 20, 61, 20, 66, 36)
    p.box("light", 38, 13, 68, 20, 1)
    p.box("body", 33, 36, 66, 87, 1)
    p.box("label", 33, 48, 66, 74)
    p.oval("light", 45, 24, 54, 32)


def bottle(p: Pen) -> None:
    p.box("trim", 44, 10, 56, 18, 1.5)
    p.poly("body", 45.5, 18, 54.5, 18, 55.5, 27, 63, 39, 37, 39, 44.5, 27)
    p.box("body", 36, 34, 64, 88, 6)
    p.box("label", 36, 46, 64, 74)


def wine(p: Pen) -> None:
    p.box("body", 45.5, 9, 54.5, 42, 1.5)
    p.box("trim", 45, 9, 55, 23, 1)
    p.oval("body", 37.5, 32, 62.5, 56)
    p.box("body", 37.5, 43, 62.5, 88, 3)
    p.box("label", 37.5, 54, 62.5, 78)


def can(p: Pen) -> None:
    p.oval("trim", 31, 76, 69, 88)
    p.box("body", 31, 26, 69, 82)
    p.oval("trim", 31, 19, 69, 32)
    p.oval("light", 33.5, 20.5, 66.5, 30.5)
    p.box("label", 31, 38, 69, 74)


def jug(p: Pen) -> None:
    p.box("trim", 39, 12, 54, 21, 2)
    p.arc("body", 50, 22, 74, 56, 255, 100, 6)
    p.poly("body", 40, 21, 53, 21, 62, 36, 70, 48, 30, 48, 32, 34)
    p.box("body", 29, 42, 71, 88, 7)
    p.box("label", 34, 54, 66, 79, 3)


def jar(p: Pen) -> None:
    p.box("clear", 32, 28, 68, 88, 8)
    p.box("body", 34, 34, 66, 86, 6)
    p.box("trim", 34, 18, 66, 31, 2.5)
    p.box("label", 32, 46, 68, 74)


def bag(p: Pen) -> None:
    p.poly("body", 27, 17, 73, 17, 70, 30, 73, 52, 70, 76, 73, 87, 27, 87, 30, 76, 27, 52, 30, 30)
    p.poly("trim", 27, 17, 73, 17, 72, 22, 28, 22)
    p.poly("trim", 28, 82, 72, 82, 73, 87, 27, 87)
    p.oval("label", 33, 34, 67, 68)
    p.box("light", 40, 27, 60, 30.5, 1.7)


def tube(p: Pen) -> None:
    p.poly("body", 36, 12, 64, 12, 58, 76, 42, 76)
    p.box("light", 36, 10, 64, 15, 1)
    p.box("trim", 42, 76, 58, 89, 2)
    p.poly("label", 39.5, 28, 60.5, 28, 58.5, 62, 41.5, 62)


def tray(p: Pen) -> None:
    p.box("light", 14, 32, 86, 80, 6)
    p.box("clear", 18, 36, 82, 76, 4)
    p.oval("meat", 21, 41, 51, 70)
    p.oval("meat", 45, 43, 79, 72)
    p.arc("light", 26, 47, 47, 66, 200, 300, 1.6)
    p.arc("light", 52, 49, 74, 68, 200, 300, 1.6)
    p.box("label", 52, 36, 77, 52, 1.5)


def fruit(p: Pen) -> None:
    p.oval("body", 42, 36, 82, 78)
    p.oval("trim", 58, 38, 66, 42)
    p.oval("body", 18, 42, 60, 86)
    p.oval("trim", 34, 45, 44, 49)
    p.line("trim", 39, 47, 41, 35, width=2)
    p.poly("leaf", 41, 37, 49, 26, 60, 28, 53, 37)


def bananas(p: Pen) -> None:
    # Crescents that hang from one stem, the farthest first.
    for left, top, upper, lower in ((8, 30, 18, 36), (14, 43, 20, 39), (23, 56, 20, 40)):
        edge = _bow(left, top, upper)
        p.poly("body", *edge, *_bow(left, top, lower, -1))
        p.line("trim", *edge, width=0.8)
        p.oval("trim", left - 2, top - 2, left + 2.5, top + 2.5)
    p.poly("trim", 80, 13, 87, 11, 89, 24, 83, 29)


def _bow(left: float, top: float, depth: float, step: int = 1) -> list[float]:
    """Points of a line that hangs between (``left``, ``top``) and the stem; from the stem with ``step`` -1."""
    parts = [part / 40 for part in range(41)][::step]
    points = []
    for part in parts:
        along = (1 - math.cos(math.pi * part)) / 2
        points += [left + (86 - left) * along, top + (24 - top) * along + depth * math.sin(math.pi * part)]
    return points


def berries(p: Pen) -> None:
    p.ovals("body", [(34, 50), (50, 44), (66, 50), (42, 40), (58, 38)], 10)
    p.ovals("trim", [(30, 58), (46, 56), (62, 57), (72, 60)], 9.5)
    p.ovals("body", [(38, 62), (54, 62), (68, 63)], 9)
    p.poly("light", 18, 60, 82, 60, 76, 86, 24, 86)
    p.line("trim", 22, 68, 78, 68, width=1.2)
    p.line("trim", 23, 77, 77, 77, width=1.2)


def greens(p: Pen) -> None:
    p.poly("stem", 43, 58, 57, 58, 61, 88, 39, 88)
    p.ovals("leaf", [(34, 44), (66, 44), (50, 32)], 18)
    p.ovals("fresh", [(40, 52), (60, 52), (50, 42)], 14)
    p.line("stem", 50, 34, 50, 72, width=1.4)
    p.line("stem", 50, 56, 38, 46, width=1.2)
    p.line("stem", 50, 56, 62, 46, width=1.2)
    p.box("body", 40, 68, 60, 75, 2)


def loaf(p: Pen) -> None:
    p.poly("clear", 82, 40, 93, 34, 93, 76, 82, 74)
    p.box("body", 12, 34, 84, 78, 15)
    p.box("label", 28, 34, 66, 78)
    p.box("trim", 81, 49, 85, 63, 1)


def cup(p: Pen) -> None:
    p.poly("body", 28, 34, 72, 34, 65, 86, 35, 86)
    p.oval("trim", 25, 27, 75, 40)
    p.oval("light", 28, 28, 72, 37)
    p.poly("label", 30, 46, 70, 46, 66.5, 74, 33.5, 74)


def tub(p: Pen) -> None:
    p.poly("body", 22, 40, 78, 40, 73, 84, 27, 84)
    p.box("trim", 19, 30, 81, 42, 3)
    p.poly("label", 24, 48, 76, 48, 73.5, 74, 26.5, 74)


def wrapped(p: Pen) -> None:
    p.poly("trim", 8, 38, 14, 41, 8, 45, 14, 48, 8, 52, 14, 55, 8, 59, 14, 62, 22, 63, 22, 37)
    p.poly("trim", 92, 38, 86, 41, 92, 45, 86, 48, 92, 52, 86, 55, 92, 59, 86, 62, 78, 63, 78, 37)
    p.box("body", 17, 36, 83, 64, 3)
    p.box("label", 26, 41, 74, 59, 2)


def pouch(p: Pen) -> None:
    p.poly("body", 30, 18, 70, 18, 74, 82, 68, 87, 32, 87, 26, 82)
    p.poly("trim", 30, 18, 70, 18, 70.5, 26, 29.5, 26)
    p.line("light", 30, 29, 70, 29, width=0.8)
    p.box("label", 34, 38, 66, 72, 8)


def sack(p: Pen) -> None:
    p.poly("body", 24, 22, 76, 22, 80, 50, 77, 87, 23, 87, 20, 50)
    p.box("trim", 22, 14, 78, 24, 2)
    p.line("light", 24, 19, 76, 19, width=0.8)
    p.box("label", 29, 36, 71, 74, 3)


def spray(p: Pen) -> None:
    p.box("trim", 44, 12, 57, 22, 2)
    p.box("trim", 38, 13, 47, 17, 1)
    p.box("light", 40, 21, 60, 29, 3)
    p.box("body", 38, 27, 62, 88, 4)
    p.box("label", 38, 40, 62, 74)


def pump(p: Pen) -> None:
    p.box("trim", 36, 11, 56, 16, 2)
    p.box("trim", 48, 12, 52, 30)
    p.box("trim", 43, 26, 57, 34, 1.5)
    p.box("body", 32, 33, 68, 88, 9)
    p.box("label", 37, 46, 63, 78, 3)


def pills(p: Pen) -> None:
    p.box("light", 37, 18, 63, 32, 2)
    p.box("body", 33, 31, 67, 88, 5)
    p.box("label", 33, 44, 67, 76)


def compact(p: Pen) -> None:
    p.box("trim", 22, 44, 36, 88, 2)
    p.poly("body", 25, 44, 25, 30, 33, 24, 33, 44)
    p.oval("body", 38, 38, 86, 86)
    p.oval("label", 44, 44, 80, 80)


def rolls(p: Pen) -> None:
    p.box("clear", 19, 22, 81, 86, 6)
    for x in (22, 51):
        p.box("light", x, 30, x + 27, 82, 2)
        p.oval("light", x, 24, x + 27, 38)
        p.oval("clear", x + 9, 29, x + 18, 33.5)
    p.box("body", 19, 50, 81, 76)
    p.box("label", 30, 52, 70, 74, 3)


def pack(p: Pen) -> None:
    p.box("body", 18, 30, 82, 86, 7)
    p.box("trim", 18, 30, 82, 42, 6)
    p.oval("light", 40, 33, 60, 39)
    p.box("label", 26, 48, 74, 78, 5)


def cake(p: Pen) -> None:
    p.oval("light", 14, 70, 86, 86)
    p.box("trim", 22, 52, 78, 76, 5)
    p.box("label", 22, 58, 78, 68)
    p.box("body", 22, 40, 78, 58, 7)
    p.ovals("body", [(30, 58), (42, 60), (54, 58), (67, 60)], 5)
    p.ovals("light", [(34, 39), (50, 37), (66, 39)], 4.5)


def pizza(p: Pen) -> None:
    p.box("body", 17, 20, 83, 86, 2)
    p.oval("light", 24, 27, 76, 79)
    p.oval("label", 28, 31, 72, 75)
    p.ovals("trim", [(42, 44), (58, 46), (48, 60), (62, 62)], 4)


def block(p: Pen) -> None:
    p.poly("trim", 82, 40, 90, 34, 90, 66, 82, 72)
    p.poly("light", 14, 40, 22, 34, 90, 34, 82, 40)
    p.box("body", 14, 40, 82, 72, 2)
    p.box("label", 28, 40, 68, 72)


def card(p: Pen) -> None:
    p.poly("light", 74, 17, 78, 20, 78, 88, 74, 86)
    p.box("body", 26, 16, 75, 86, 1)
    p.box("label", 31, 36, 70, 74, 1)
    p.box("light", 31, 22, 62, 27, 1)
    p.box("trim", 31, 30, 52, 32, 1)


def flowers(p: Pen) -> None:
    for x in (40, 50, 60):
        p.line("leaf", 50, 72, x, 34, width=1.6)
    p.ovals("leaf", [(32, 50), (68, 50), (42, 54), (58, 54)], 8)
    p.ovals("body", [(36, 34), (50, 26), (64, 34), (43, 44), (57, 44)], 9.5)
    p.ovals("light", [(36, 34), (50, 26), (64, 34), (43, 44), (57, 44)], 3.5)
    p.poly("trim", 32, 52, 68, 52, 56, 88, 44, 88)
    p.poly("label", 36, 58, 50, 52, 64, 58, 55, 86, 45, 86)


def eggs(p: Pen) -> None:
    for x in (18, 34, 50, 66):
        p.oval("light", x, 34, x + 17, 60)
    p.poly("body", 12, 52, 88, 52, 84, 80, 16, 80)
    for x in (20, 36, 52, 68):
        p.box("trim", x, 62, x + 12, 72, 4)


def balloon(p: Pen) -> None:
    p.line("trim", 50, 66, 47, 76, 53, 88, width=0.8)
    p.poly("trim", 50, 62, 46, 69, 54, 69)
    p.oval("body", 28, 12, 72, 64)
    p.oval("label", 37, 24, 63, 52)


def blister(p: Pen) -> None:
    p.box("body", 26, 14, 74, 88, 3)
    p.box("label", 26, 24, 74, 44)
    p.box("clear", 32, 48, 68, 82, 6)
    p.box("trim", 38, 54, 62, 76, 4)
    p.oval("light", 46.5, 16, 53.5, 21)


SHAPES: dict[str, Callable[[Pen], None]] = {
    draw.__name__: draw
    for draw in (
        box, carton, bottle, wine, can, jug, jar, bag, tube, tray, fruit, bananas, berries, greens, loaf, cup,
        tub, wrapped, pouch,
        sack, spray, pump, pills, compact, rolls, pack, cake, pizza, block, card, flowers, eggs, balloon, blister,
    )
}  # fmt: skip
