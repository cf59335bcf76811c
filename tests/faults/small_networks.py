"""The example shop with networks that are trained for seconds."""

from functools import partial

from ecomrec_django.learning.images import model
from ecomrec_django.learning.sequences import training
from example_shop.settings import *  # noqa: F403

model.ImageSettings = partial(  # type: ignore[misc, assignment]
    model.ImageSettings, epochs=1, steps=120, batch=32, widths=(16, 32), rate=1e-2
)
training.GRUSettings = partial(training.GRUSettings, units=32, epochs=6)  # type: ignore[misc, assignment]
