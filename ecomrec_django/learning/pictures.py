"""Product pictures as arrays of one size, whatever a shop, a phone or an attacker has put into the file.

Pillow is imported inside the functions, as only those who learn from pictures need it.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from ..errors import DataError

if TYPE_CHECKING:
    from PIL import Image

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "AVIF")
MAX_BYTES = 32 * 2**20
MAX_PIXELS = 50_000_000
SIZE = 64

_ORIENTATION = 0x0112
_WHITE = 255


def contents(file: BinaryIO) -> bytes:
    """All bytes of an open file; raises DataError for more than MAX_BYTES, before it holds more of them."""
    data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise DataError(f"The picture's file has more than {MAX_BYTES >> 20} MiB: give a smaller one.")
    return data


def read(source: bytes | BinaryIO, size: int = SIZE) -> np.ndarray:
    """A picture as seen in a browser, scaled into a white square: shape (size, size, 3) uint8, red, green and blue.

    ``source`` holds one of FORMATS. It is turned as its EXIF data say; of a moving picture the first frame counts.
    Raises DataError for what is no such picture, has more than MAX_BYTES or MAX_PIXELS (known before anything is
    decoded), no pixels at all, or is broken; what an open file's own ``read`` raises is left as it is.
    """
    data = source if isinstance(source, bytes) else contents(source)
    if len(data) > MAX_BYTES:
        raise DataError(f"The picture's file has more than {MAX_BYTES >> 20} MiB: give a smaller one.")
    if not data:
        raise DataError("The picture's file is empty.")
    try:
        return _read(data, size)
    except DataError:
        raise
    # Decoders of broken files raise errors of every type.
    except Exception as error:
        raise DataError(f"The picture is broken: {type(error).__name__}: {error}".rstrip(": ")) from error


def _read(data: bytes, size: int) -> np.ndarray:
    from io import BytesIO

    from PIL import Image, UnidentifiedImageError

    Image.init()
    try:
        opened = Image.open(BytesIO(data), formats=[name for name in FORMATS if name in Image.OPEN])
    except Image.DecompressionBombError as error:
        raise DataError(f"The picture is too large ({error}).") from error
    except UnidentifiedImageError as error:
        raise DataError(_refusal(data)) from error
    with opened as picture:
        wide, high = picture.size
        if not wide or not high:
            raise DataError(f"The picture has no pixels ({wide} × {high}).")
        if wide * high > MAX_PIXELS:
            raise DataError(f"The picture has {wide} × {high} pixels; at most {MAX_PIXELS:,} in all are read.")
        turn = _turn(picture)
        # A JPEG is decoded at an eighth to a half of its size where that is still twice what is asked for.
        picture.draft(None, (2 * size, 2 * size))
        return _square(_plain(picture), turn, size)


def _refusal(data: bytes) -> str:
    """Why no decoder took ``data``, by their first bytes alone."""
    from PIL import Image

    for name, (_, accept) in Image.OPEN.items():
        with suppress(Exception):
            if accept and accept(data[:16]):
                if name in FORMATS:
                    return f"The picture is broken: what follows the start of a {name} file cannot be read."
                return f"The file is a {name}; pictures are read as {', '.join(FORMATS)}."
    return f"The file is not a picture; pictures are read as {', '.join(FORMATS)}."


def _turn(picture: Image.Image) -> Image.Transpose | None:
    from PIL.Image import Transpose

    orientation = 1
    # A picture with broken EXIF data is still a picture.
    with suppress(Exception):
        orientation = picture.getexif().get(_ORIENTATION, 1)
    return {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }.get(orientation)


def _plain(picture: Image.Image) -> Image.Image:
    """The decoded picture with 8 bits per channel: L, RGB or RGBA."""
    from PIL import Image

    if picture.mode.startswith("I"):
        return Image.fromarray(np.clip(np.asarray(picture) >> 8, 0, 255).astype(np.uint8))
    if picture.has_transparency_data:
        return picture.convert("RGBA")
    return picture.convert("L" if picture.mode in {"1", "L"} else "RGB")


def _square(picture: Image.Image, turn: Image.Transpose | None, size: int) -> np.ndarray:
    from PIL import Image

    scale = size / max(picture.size)
    wide, high = (max(round(side * scale), 1) for side in picture.size)
    small = picture.resize((wide, high), Image.Resampling.BILINEAR, reducing_gap=2.0)
    if turn is not None:
        small = small.transpose(turn)
    square = Image.new("RGB", (size, size), (_WHITE, _WHITE, _WHITE))
    place = ((size - small.width) // 2, (size - small.height) // 2)
    square.paste(small, place, small if small.mode == "RGBA" else None)
    return np.asarray(square)
