"""Names for arrays by what they hold, so that a signature says which numbers it takes."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

IntArray: TypeAlias = NDArray[np.integer[Any]]
FloatArray: TypeAlias = NDArray[np.floating[Any]]
BoolArray: TypeAlias = NDArray[np.bool_]
# Counts and other numbers that a caller may give as integers or floats.
NumberArray: TypeAlias = NDArray[np.number[Any]]
# Pixels, shape (images, height, width, 3), 0…255.
ImageArray: TypeAlias = NDArray[np.uint8]
# Texts and other Python objects.
ObjectArray: TypeAlias = NDArray[np.object_]
# Arrays of any kind, such as those of an archive.
AnyArray: TypeAlias = NDArray[Any]
