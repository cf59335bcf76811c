import pytest
from PIL import Image, ImageChops

from example_shop.loading import names
from example_shop.loading.looks import NATURAL, Look, look_of
from example_shop.loading.pictures import draw, draw_all
from example_shop.loading.shapes import SHAPES


@pytest.mark.parametrize("shape", sorted(SHAPES))
def test_every_shape_is_drawn_and_follows_its_colours(shape):
    first, second = draw(Look(shape, 0, 0)), draw(Look(shape, 1, 0))
    assert first.size == (320, 320)
    assert ImageChops.difference(first, second).getbbox()


@pytest.mark.parametrize("shape", sorted(SHAPES.keys() - NATURAL.keys()))
def test_a_package_follows_its_pattern(shape):
    assert ImageChops.difference(draw(Look(shape, 0, 0)), draw(Look(shape, 0, 4))).getbbox()


@pytest.mark.parametrize(
    ("path", "shape"),
    [
        (("Grocery", "Fluid Milk Products", "Fluid Milk White Only"), "carton"),
        (("Produce", "Apples", "Apples Granny Smith"), "fruit"),
        (("Grocery", "Eggs", "Eggs, Large"), "eggs"),
        (("Grocery", "Soft Drinks", "Promotion"), "can"),
        ((), "box"),
    ],
)
def test_the_shape_follows_what_it_is(path, shape):
    assert look_of(path, "Maker 1").shape == shape


def test_products_of_one_look_share_one_file_drawn_once(tmp_path):
    look = look_of(("Grocery", "Soup", "Soup"), "Maker 1")
    assert draw_all({look}, tmp_path) == 1
    assert draw_all({look}, tmp_path) == 0
    with Image.open(tmp_path / look.path) as picture:
        assert picture.format == "WEBP"


@pytest.mark.parametrize(
    ("till", "reader"),
    [
        ("FRZN BREAKFAST ENTREES/SANDWIC", "Frozen Breakfast Entrees & Sandwiches"),
        ("BREAD:ITALIAN/FRENCH", "Bread, Italian & French"),
        ("CANDY BARS (SINGLES)(INCLUDING", "Candy Bars"),
        ("ICE - CRUSHED/CUBED", "Ice, Crushed & Cubed"),
        (None, ""),
    ],
)
def test_names_are_readable(till, reader):
    assert names.readable(till) == reader


def test_sizes_lose_stray_letters():
    assert [names.size(text) for text in ("N   .3 OZ", "1 GA", "529685 8 PK", "MINI", None)] == [
        "0.3 oz",
        "1 gal",
        "8 pack",
        "",
        "",
    ]
