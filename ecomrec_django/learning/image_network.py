"""The network that looks at product pictures: its layers, its losses, and how it is shown each picture anew.

Sources: depthwise separable convolutions, F. Chollet, Xception, CVPR 2017; InfoNCE, A. van den Oord et al.,
Representation Learning with Contrastive Predictive Coding, arXiv:1807.03748, on two views of a batch as in T. Chen et
al., A Simple Framework for Contrastive Learning of Visual Representations, ICML 2020; cutout, T. DeVries and
G. W. Taylor, arXiv:1708.04552.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

VECTOR = "vector"
LENGTH = 128
# A head reads the unit vector times this, so that a chance can come near 1 while nearness still decides it.
SHARPNESS = 12.0
TEMPERATURE = 0.2
SMOOTHING = 0.1
# How far a picture may be shifted (share of its side), zoomed (power of e) and brightened (factor), and the side of the
# square that is cut out, as a share of the picture's.
SHIFT, ZOOM, LIGHT, CUTOUT = 0.1, 0.1, 0.2, 0.4

# Either multiplies bfloat16 in hardware.
_BFLOAT16 = {"avx512_bf16", "amx_bf16"}

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Backbone:
    """A network of `keras.applications` that was trained on other pictures; what it says is read, not changed.

    name: one of BACKBONES · weights: their file without the top; None is where Keras keeps what it has downloaded ·
    download: fetch the weights if they are not there.
    """

    name: str
    weights: Path | None = None
    download: bool = False


# By name: where Keras keeps the weights, and the scale and offset of pixels 0…255 that the network wants.
BACKBONES = {
    "MobileNetV2": ("mobilenet_v2_*_1.0_224_no_top.h5", 1 / 127.5, -1.0),
    "EfficientNetV2B0": ("efficientnetv2-b0_notop.h5", 1.0, 0.0),
}


def network(
    size: int,
    classes: Mapping[str, int],
    widths: tuple[int, ...],
    body: Any = None,
    seed: int = 0,
    together: bool = False,
) -> Any:
    """A Keras model from pictures (n, size, size, 3), 0…255, to a dict: VECTOR (n, LENGTH) of length 1, and per name
    of ``classes`` its logits (n, classes).

    Its features are those of ``body`` (see `pretrained`), or else of layers of ``widths`` channels, one per resolution.
    A picture of more than 32 pixels a side is halved by the first of them. ``together``: each of several workers sees
    a part of a batch, of which all of it is to be normalised by.
    """
    import keras

    layers = keras.layers
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(_policy())
    try:
        pixels = keras.Input((size, size, 3))
        seeds = (keras.initializers.HeNormal(seed=seed * 1_000 + at) for at in count())
        features = body(pixels, training=False) if body else _own(pixels, size, widths, seeds, together)
        vector = layers.Dense(LENGTH, kernel_initializer=next(seeds))(features)
        vector = layers.UnitNormalization(dtype="float32", name=VECTOR)(vector)
        sharp = layers.Rescaling(SHARPNESS, dtype="float32")(vector)
        heads = {
            name: layers.Dense(number, kernel_initializer=next(seeds), dtype="float32")(sharp)
            for name, number in classes.items()
        }
        return keras.Model(pixels, {VECTOR: vector, **heads})
    finally:
        keras.config.set_dtype_policy(before)


def _policy() -> str:
    """Half the bits where the GPU, or without one the processor, computes with them faster; weights and losses keep
    all."""
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    fast = [tf.config.experimental.get_device_details(gpu).get("compute_capability", (0,)) >= (8,) for gpu in gpus]
    return "mixed_bfloat16" if (all(fast) if fast else _BFLOAT16 & _abilities()) else "float32"


def _abilities() -> set[str]:
    """What the processor says that it can do; nothing where Linux does not tell."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return set()
    return set(next((line.split(":", 1)[1] for line in lines if line.startswith("flags")), "").split())


def _own(pixels: Any, size: int, widths: tuple[int, ...], seeds: Iterator[Any], together: bool) -> Any:
    import keras

    layers = keras.layers

    def block(x: Any, width: int, strides: int, separable: bool) -> Any:
        if separable:
            first, second = next(seeds), next(seeds)
            convolution = layers.SeparableConv2D(
                width, 3, padding="same", use_bias=False, depthwise_initializer=first, pointwise_initializer=second
            )
        else:
            convolution = layers.Conv2D(
                width, 3, strides=strides, padding="same", use_bias=False, kernel_initializer=next(seeds)
            )
        # Short trainings see few batches, over which the default of .99 would not settle.
        normal = layers.BatchNormalization(momentum=0.9, synchronized=True) if together else fused(momentum=0.9)
        return layers.ReLU()(normal(convolution(x)))

    fused = _fused_normalization()
    x = layers.Rescaling(1 / 127.5, offset=-1.0)(pixels)
    x = block(x, widths[0], 2 if size > 32 else 1, separable=False)
    for width in widths[1:]:
        x = block(x, width, 2, separable=False)
        inner = block(block(x, width, 1, separable=True), width, 1, separable=True)
        x = layers.Add()([x, inner])
    return layers.GlobalAveragePooling2D()(x)


def _fused_normalization() -> Any:
    """Keras' batch normalisation as one operation forth and one back, in half the time of its own dozens."""
    import keras
    import tensorflow as tf

    class FusedNormalization(keras.layers.BatchNormalization):
        def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
            if not training:
                return super().call(inputs, training=False)
            found = tf.raw_ops.FusedBatchNormV3(
                x=inputs,
                scale=tf.cast(self.gamma, tf.float32),
                offset=tf.cast(self.beta, tf.float32),
                mean=[],
                variance=[],
                epsilon=self.epsilon,
            )
            for kept, new in ((self.moving_mean, found.batch_mean), (self.moving_variance, found.batch_variance)):
                kept.assign(self.momentum * kept + (1 - self.momentum) * new)
            return found.y

    return FusedNormalization


def pretrained(backbone: Backbone, size: int, empty: bool = False) -> Any | None:
    """A Keras model from pictures, 0…255, to features, which training leaves as it is; None if it cannot be loaded,
    which is logged. ``empty`` is without weights, to be filled in.
    """
    import keras

    layers = keras.layers
    try:
        kept, scale, offset = BACKBONES[backbone.name]
        home = Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser() / "models"
        found = sorted(home.glob(kept))
        weights = None if empty else str(backbone.weights or (found[0] if found else "imagenet"))
        if weights == "imagenet" and not backbone.download:
            raise FileNotFoundError(f"there is no {kept} in {home}")
        body = getattr(keras.applications, backbone.name)(
            include_top=False, input_shape=(size, size, 3), weights=weights, pooling="avg"
        )
    except Exception as error:
        logger.warning("%s cannot be loaded (%s); pictures are learned from scratch.", backbone.name, error)
        return None
    body.trainable = False
    pixels = keras.Input((size, size, 3))
    return keras.Model(pixels, body(layers.Rescaling(scale, offset=offset)(pixels), training=False), trainable=False)


def cross_entropy(target: Any, logits: Any) -> Any:
    """Mean of the smoothed cross-entropy over known targets (-1 is unknown), 0 where none is known."""
    import tensorflow as tf

    known = tf.cast(target >= 0, tf.float32)
    log_chances = tf.nn.log_softmax(logits)
    right = tf.gather(log_chances, tf.maximum(target, 0), batch_dims=1)
    loss = -(1 - SMOOTHING) * right - SMOOTHING * tf.reduce_mean(log_chances, axis=1)
    return tf.math.divide_no_nan(tf.reduce_sum(known * loss), tf.reduce_sum(known))


def info_nce(vector: Any, related: Any, counted: Any) -> Any:
    """InfoNCE of n pairs: ``vector`` (2n, LENGTH) holds the first of each, then the second; ``related`` (2n, 2n) marks
    those that are no counter-examples of each other; ``counted`` (2n,) weighs the rows.
    """
    import tensorflow as tf

    rows = tf.shape(vector)[0]
    partner = (tf.range(rows) + rows // 2) % rows
    alike = tf.matmul(vector, vector, transpose_b=True) / TEMPERATURE
    wanted = tf.one_hot(partner, rows, on_value=True, off_value=False)
    log_chances = tf.nn.log_softmax(tf.where(related & ~wanted, -1e9, alike))
    loss = -tf.gather(log_chances, partner, batch_dims=1)
    return tf.math.divide_no_nan(tf.reduce_sum(counted * loss), tf.reduce_sum(counted))


def equal_pairs(number: Any) -> Any:
    """Which of the numbers (n,) from 0 on are equal, shape (n, n)."""
    return (number[:, None] == number[None, :]) & (number[:, None] >= 0)


def augmented(pictures: Any, seed: Any, change: float) -> Any:
    """Pictures (n, s, s, 3), 0…255, each mirrored, shifted, zoomed, lit and covered in part by chance of ``seed`` (2,).

    ``change``, 0…1, is the share of what may be done to them. Returns float32 of the same shape. What comes in from
    outside repeats the edge.
    """
    import tensorflow as tf

    pictures = tf.cast(pictures, tf.float32)
    size = pictures.shape[1]
    chance = tf.random.stateless_uniform((tf.shape(pictures)[0], 8), seed)
    zoom = tf.exp((chance[:, 0] * 2 - 1) * ZOOM * change)
    shift = (chance[:, 1:3] * 2 - 1) * SHIFT * change * size
    flip = tf.where(chance[:, 3] < 0.5, -1.0, 1.0)
    middle, zero = (size - 1) / 2, tf.zeros_like(zoom)
    across = [zoom * flip, zero, middle * (1 - zoom * flip) + shift[:, 0]]
    down = [zero, zoom, middle * (1 - zoom) + shift[:, 1]]
    moved = tf.raw_ops.ImageProjectiveTransformV3(
        images=pictures,
        transforms=tf.stack([*across, *down, zero, zero], axis=1),
        output_shape=(size, size),
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="NEAREST",
    )
    light = 1 + (chance[:, 4] * 2 - 1) * LIGHT * change
    lit = tf.clip_by_value(moved * light[:, None, None, None], 0.0, 255.0)
    far = (
        tf.abs(tf.range(size, dtype=tf.float32)[None, :, None] - chance[:, None, 5:7] * size)
        > CUTOUT * change * size / 2
    )
    kept = far[:, :, None, 0] | far[:, None, :, 1]
    return tf.where(kept[..., None], lit, 127.5)
