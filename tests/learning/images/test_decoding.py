from __future__ import annotations

import struct
import zlib
from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageDraw

from ecomrec_django.errors import DataError
from ecomrec_django.learning.images import decoding
from ecomrec_django.learning.images.decoding import decode_image

WHITE = [255, 255, 255]
RED = (220, 20, 40)


def stored(picture, kind, **options):
    file = BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def plain(size=(40, 40), colour=RED, mode="RGB"):
    return Image.new(mode, size, colour)


def png(wide, high, rows=b""):
    """A PNG that promises ``wide`` × ``high`` pixels of 8-bit grey, whatever ``rows`` hold."""

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", wide, high, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "AVIF"])
def test_every_allowed_format_is_read_as_its_colour(kind):
    found = decode_image(stored(plain(), kind), 32)
    assert (found.shape, found.dtype) == ((32, 32, 3), np.uint8)
    assert np.abs(found.astype(int) - RED).max() < 16


def test_an_open_file_is_read_as_its_bytes_are():
    data = stored(plain(), "PNG")
    assert (decode_image(BytesIO(data)) == decode_image(data)).all()


def test_wide_images_are_padded_with_white():
    found = decode_image(stored(plain((80, 20)), "PNG"), 64)
    assert (found[:24] == WHITE).all()
    assert (found[40:] == WHITE).all()
    assert (found[24:40] == RED).all()


def test_transparency_is_white():
    half = plain(colour=(0, 0, 0, 128), mode="RGBA")
    assert np.abs(decode_image(stored(half, "PNG")).astype(int) - 127).max() <= 1
    clear = plain(colour=(0, 0, 0, 0), mode="RGBA")
    for kind in ("PNG", "WEBP", "GIF"):
        assert (decode_image(stored(clear, kind)) == WHITE).all()


def test_a_clear_colour_of_a_palette_is_white():
    picture = Image.new("P", (40, 40), 1)
    picture.putpalette([*RED, 0, 0, 200])
    assert (decode_image(stored(picture, "PNG")) == [0, 0, 200]).all()
    assert (decode_image(stored(picture, "PNG", transparency=1)) == WHITE).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_turned_as_its_camera_says(orientation):
    # Seen right, the upper left quarter is red; stored, it lies where this orientation puts it.
    seen = plain((32, 32), (255, 255, 255))
    ImageDraw.Draw(seen).rectangle((0, 0, 15, 15), RED)
    turn = Image.Transpose
    as_stored = {
        2: turn.FLIP_LEFT_RIGHT,
        3: turn.ROTATE_180,
        4: turn.FLIP_TOP_BOTTOM,
        5: turn.TRANSPOSE,
        6: turn.ROTATE_90,
        7: turn.TRANSVERSE,
        8: turn.ROTATE_270,
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = seen.transpose(as_stored[orientation]) if orientation in as_stored else seen
    for kind in ("JPEG", "PNG", "WEBP"):
        found = decode_image(stored(picture, kind, exif=exif), 32)
        assert np.abs(found[4:12, 4:12].astype(int) - RED).max() < 40
        assert found[20:].min() > 240


def test_grey_palette_cmyk_and_one_bit_pictures_are_converted():
    assert np.abs(decode_image(stored(plain(colour=90, mode="L"), "JPEG")).astype(int) - 90).max() <= 2
    assert (decode_image(stored(plain().quantize(4), "PNG")) == RED).all()
    assert (decode_image(stored(plain(colour=1, mode="1"), "PNG")) == WHITE).all()
    cmyk = plain(colour=(0, 255, 255, 0), mode="CMYK")
    assert np.abs(decode_image(stored(cmyk, "JPEG")).astype(int) - [255, 0, 0]).max() <= 4
    assert (decode_image(stored(plain(colour=(90, 0), mode="LA"), "PNG")) == WHITE).all()


def test_sixteen_bits_keep_their_brightness():
    deep = Image.fromarray(np.full((20, 20), 100 << 8, np.uint16))
    assert (decode_image(stored(deep, "PNG")) == 100).all()


def test_the_first_frame_of_a_moving_picture_counts():
    frames = {"save_all": True, "append_images": [plain(colour=(0, 0, 255))], "lossless": True}
    for kind in ("GIF", "WEBP", "PNG"):
        assert np.abs(decode_image(stored(plain(), kind, **frames)).astype(int) - RED).max() < 4


def test_a_large_jpeg_is_never_decoded_in_full(monkeypatch):
    decoded = []
    plainly = decoding._plain
    monkeypatch.setattr(decoding, "_plain", lambda picture: decoded.append(picture.size) or plainly(picture))
    found = decode_image(stored(plain((4000, 3000)), "JPEG"))
    assert decoded == [(500, 375)]
    assert np.abs(found[32].astype(int) - RED).max() < 4


def test_a_bomb_is_refused_before_it_is_decoded():
    with pytest.raises(DataError, match=r"8000 × 8000 pixels; the limit is 50,000,000"):
        decode_image(png(8000, 8000))
    with pytest.raises(DataError, match="too large"):
        decode_image(png(60_000, 60_000))


def test_a_file_of_too_many_bytes_is_refused(monkeypatch):
    monkeypatch.setattr(decoding, "MAX_BYTES", 1 << 20)
    with pytest.raises(DataError, match="more than 1 MiB"):
        decode_image(bytes((1 << 20) + 1))
    file = BytesIO(bytes(5 << 20))
    with pytest.raises(DataError, match="more than 1 MiB"):
        decode_image(file)
    assert file.tell() == (1 << 20) + 1


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "AVIF"])
def test_a_file_cut_short_is_refused_wherever_it_was_cut(kind):
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))
    data = stored(noise, kind)
    for length in range(1, len(data) // 2, max(len(data) // 40, 1)):
        with pytest.raises(DataError):
            decode_image(data[:length])
    with pytest.raises(DataError, match="broken"):
        decode_image(data[: len(data) // 2])


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "AVIF"])
def test_garbled_files_raise_data_errors_only(kind):
    rng = np.random.default_rng(1)
    data = np.frombuffer(stored(plain((48, 48)), kind), np.uint8)
    refused = 0
    for _ in range(150):
        garbled = data.copy()
        at = rng.integers(4, len(data), rng.integers(1, 7))
        garbled[at] = rng.integers(0, 256, len(at))
        try:
            assert decode_image(garbled.tobytes(), 16).shape == (16, 16, 3)
        except DataError:
            refused += 1
    assert refused < 150


def test_unsupported_files_name_the_supported_formats():
    with pytest.raises(DataError, match="not an image"):
        decode_image(b"<html><body>404</body></html>")
    with pytest.raises(DataError, match="is a TIFF; supported formats are JPEG, PNG"):
        decode_image(stored(plain(), "TIFF"))
    with pytest.raises(DataError, match="empty"):
        decode_image(b"")


def test_a_picture_without_pixels_is_refused():
    with pytest.raises(DataError):
        decode_image(png(0, 4))
    header = struct.pack("<2sIHHI", b"BM", 54, 0, 0, 54) + struct.pack(
        "<IiiHHIIiiII", 40, 0, 4, 1, 24, 0, 0, 0, 0, 0, 0
    )
    with pytest.raises(DataError, match=r"no pixels|broken"):
        decode_image(header)


def test_a_thin_picture_keeps_a_line():
    assert (decode_image(stored(plain((2000, 1)), "PNG"), 16) == RED).all(axis=2).any()
