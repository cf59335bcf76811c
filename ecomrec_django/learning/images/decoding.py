"""Product images as arrays of one size; files are not trusted.

Pillow is imported inside the functions, as only the training of image networks needs it.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from ...errors import DataError
from ..types import ImageArray

if TYPE_CHECKING:
    from PIL import Image

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "AVIF")
MAX_BYTES = 32 * 2**20
MAX_PIXELS = 50_000_000
SIZE = 64

_ORIENTATION = 0x0112
_WHITE = 255


def read_file(file: BinaryIO) -> bytes:
    """All bytes of an open file; raises DataError for more than MAX_BYTES, without reading further."""
    data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise DataError(f"The image file has more than {MAX_BYTES >> 20} MiB. Use a smaller one.")
    return data


def decode_image(source: bytes | BinaryIO, size: int = SIZE) -> ImageArray:
    """An image as a browser shows it, scaled into a white square: RGB, shape (size, size, 3).

    ``source`` has one of FORMATS. It is rotated according to its EXIF data; of an animation, the first frame is used.
    Raises DataError for other formats, broken images, images without pixels, and those above MAX_BYTES or MAX_PIXELS,
    which are not decoded. Errors of the file's own ``read`` are not caught.
    """
    data = source if isinstance(source, bytes) else read_file(source)
    if len(data) > MAX_BYTES:
        raise DataError(f"The image file has more than {MAX_BYTES >> 20} MiB. Use a smaller one.")
    if not data:
        raise DataError("The image file is empty.")
    try:
        return _read(data, size)
    except DataError:
        raise
    # Decoders of broken files raise errors of every type.
    except Exception as error:
        raise DataError(f"The image is broken: {type(error).__name__}: {error}".rstrip(": ")) from error


def _read(data: bytes, size: int) -> ImageArray:
    from io import BytesIO

    from PIL import Image, UnidentifiedImageError

    Image.init()
    try:
        opened = Image.open(BytesIO(data), formats=[name for name in FORMATS if name in Image.OPEN])
    except Image.DecompressionBombError as error:
        raise DataError(f"The image is too large ({error}).") from error
    except UnidentifiedImageError as error:
        raise DataError(_refusal(data)) from error
    with opened as picture:
        wide, high = picture.size
        if not wide or not high:
            raise DataError(f"The image has no pixels ({wide} × {high}).")
        if wide * high > MAX_PIXELS:
            raise DataError(f"The image has {wide} × {high} pixels; the limit is {MAX_PIXELS:,} in total.")
        rotation = _rotation(picture)
        # A JPEG is decoded at an eighth to a half of its size if that is still twice the requested one.
        picture.draft(None, (2 * size, 2 * size))
        return _square(_plain(picture), rotation, size)


def _refusal(data: bytes) -> str:
    """Why no decoder accepts ``data``, judged by its first bytes."""
    from PIL import Image

    for name, (_, accept) in Image.OPEN.items():
        with suppress(Exception):
            if accept and accept(data[:16]):
                if name in FORMATS:
                    return f"The image is broken: it starts like a {name} file, but the rest cannot be read."
                return f"The file is a {name}; supported formats are {', '.join(FORMATS)}."
    return f"The file is not an image; supported formats are {', '.join(FORMATS)}."


def _rotation(picture: Image.Image) -> Image.Transpose | None:
    from PIL.Image import Transpose

    orientation = 1
    # An image with broken EXIF data is still an image.
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
    """The decoded image with 8 bits per channel: L, RGB or RGBA."""
    from PIL import Image

    if picture.mode.startswith("I"):
        return Image.fromarray(np.clip(np.asarray(picture) >> 8, 0, 255).astype(np.uint8))
    if picture.has_transparency_data:
        return picture.convert("RGBA")
    return picture.convert("L" if picture.mode in {"1", "L"} else "RGB")


def _square(picture: Image.Image, rotation: Image.Transpose | None, size: int) -> ImageArray:
    from PIL import Image

    scale = size / max(picture.size)
    wide, high = (max(round(side * scale), 1) for side in picture.size)
    small = picture.resize((wide, high), Image.Resampling.BILINEAR, reducing_gap=2.0)
    if rotation is not None:
        small = small.transpose(rotation)
    square = Image.new("RGB", (size, size), (_WHITE, _WHITE, _WHITE))
    place = ((size - small.width) // 2, (size - small.height) // 2)
    square.paste(small, place, small if small.mode == "RGBA" else None)
    return np.asarray(square)
