"""The example shop with networks that are trained for seconds."""

from functools import partial

from ecomrec_django.learning import images
from example_shop.settings import *  # noqa: F403

images.Settings = partial(images.Settings, epochs=1, steps=120, batch=32, widths=(16, 32), rate=1e-2)  # type: ignore[misc, assignment]
