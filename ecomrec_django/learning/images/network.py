"""The image network: layers, losses and image augmentation.

Sources: depthwise separable convolutions, F. Chollet, Xception, CVPR 2017; InfoNCE, A. van den Oord et al.,
Representation Learning with Contrastive Predictive Coding, arXiv:1807.03748, on two views of a batch as in T. Chen et
al., A Simple Framework for Contrastive Learning of Visual Representations, ICML 2020; cutout, T. DeVries and
G. W. Taylor, arXiv:1708.04552.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

VECTOR = "vector"
LENGTH = 128
# Heads read the unit vector multiplied by this, so that probabilities can approach 1.
SHARPNESS = 12.0
TEMPERATURE = 0.2
SMOOTHING = 0.1
# Maximum shift (share of the width), zoom (power of e) and brightness change of augmented images, and the width of the
# square that is cut out (share of the width).
SHIFT, ZOOM, LIGHT, CUTOUT = 0.1, 0.1, 0.2, 0.4

# Processor features that multiply bfloat16 in hardware.
_BFLOAT16 = {"avx512_bf16", "amx_bf16"}

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Backbone:
    """A network of `keras.applications` that was trained on other images; its weights are frozen.

    name: one of BACKBONES
    weights: file of the weights without the top; None for the downloads of Keras
    download: download the weights if they are missing
    """

    name: str
    weights: Path | None = None
    download: bool = False


# Name -> file name of the weights, and the scale and offset that the network expects of pixels 0…255.
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
    *,
    together: bool = False,
) -> Any:
    """A Keras model from images to embeddings and logits of attributes.

    For images (n, size, size, 3), 0…255, it returns a dict: VECTOR with unit-length embeddings (n, LENGTH), and the
    logits (n, classes) of each name in ``classes``.

    widths: channels of its layers, one per resolution; the first layer halves images of more than 32 pixels
    body: a model whose features are used instead of these layers (see `pretrained`)
    together: synchronise batch normalisation between workers that share each batch
    """
    import keras

    layers = keras.layers
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(_policy())
    try:
        pixels = keras.Input((size, size, 3))
        seeds = (keras.initializers.HeNormal(seed=seed * 1_000 + number) for number in count())
        features = body(pixels, training=False) if body else _layers(pixels, size, widths, seeds, together=together)
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


def inference(network: Any) -> Callable[[Any], dict[str, Any]]:
    """The outputs of a Keras model for images in batches of any length, traced once."""
    import tensorflow as tf

    images = tf.TensorSpec(network.input.shape, tf.uint8)
    return tf.function(lambda pixels: network(pixels, training=False), input_signature=[images], autograph=False)


def _policy() -> str:
    """bfloat16 if the GPU, or without one the processor, multiplies it faster; weights and losses stay float32."""
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    fast = [tf.config.experimental.get_device_details(gpu).get("compute_capability", (0,)) >= (8,) for gpu in gpus]
    return "mixed_bfloat16" if (all(fast) if fast else _BFLOAT16 & _cpu_flags()) else "float32"


def _cpu_flags() -> set[str]:
    """The processor's features as Linux names them; none on other systems."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return set()
    return set(next((line.split(":", 1)[1] for line in lines if line.startswith("flags")), "").split())


def _layers(pixels: Any, size: int, widths: tuple[int, ...], seeds: Iterator[Any], *, together: bool) -> Any:
    import keras

    layers = keras.layers

    def block(x: Any, width: int, strides: int, *, separable: bool) -> Any:
        if separable:
            first, second = next(seeds), next(seeds)
            convolution = layers.SeparableConv2D(
                width, 3, padding="same", use_bias=False, depthwise_initializer=first, pointwise_initializer=second
            )
        else:
            convolution = layers.Conv2D(
                width, 3, strides=strides, padding="same", use_bias=False, kernel_initializer=next(seeds)
            )
        # Short trainings have too few batches for the default of .99.
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
    """Keras' batch normalisation as one fused operation, which takes half the time."""
    import keras
    import tensorflow as tf

    class FusedNormalization(keras.layers.BatchNormalization):
        def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:  # noqa: ARG002, FBT001  as Keras calls it
            if not training:
                return super().call(inputs, training=False)
            normalized = tf.raw_ops.FusedBatchNormV3(
                x=inputs,
                scale=tf.cast(self.gamma, tf.float32),
                offset=tf.cast(self.beta, tf.float32),
                mean=[],
                variance=[],
                epsilon=self.epsilon,
            )
            moments = (
                (self.moving_mean, normalized.batch_mean),
                (self.moving_variance, normalized.batch_variance),
            )
            for average, new in moments:
                average.assign(self.momentum * average + (1 - self.momentum) * new)
            return normalized.y

    return FusedNormalization


def pretrained(backbone: Backbone, size: int, *, empty: bool = False) -> Any | None:
    """A frozen Keras model from images, 0…255, to features; None if it cannot be loaded, which is logged.

    empty: without weights, to be filled in
    """
    import keras

    layers = keras.layers
    try:
        pattern, scale, offset = BACKBONES[backbone.name]
        home = Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser() / "models"
        files = sorted(home.glob(pattern))
        weights = None if empty else str(backbone.weights or (files[0] if files else "imagenet"))
        if weights == "imagenet" and not backbone.download:
            raise FileNotFoundError(f"there is no {pattern} in {home}")
        body = getattr(keras.applications, backbone.name)(
            include_top=False, input_shape=(size, size, 3), weights=weights, pooling="avg"
        )
    except Exception as error:
        logger.warning("%s cannot be loaded (%s); the image network is trained from scratch.", backbone.name, error)
        return None
    body.trainable = False
    pixels = keras.Input((size, size, 3))
    return keras.Model(pixels, body(layers.Rescaling(scale, offset=offset)(pixels), training=False), trainable=False)


def cross_entropy(target: Any, logits: Any) -> Any:
    """Mean label-smoothed cross-entropy over known targets (-1 is unknown); 0 if none is known."""
    import tensorflow as tf

    known = tf.cast(target >= 0, tf.float32)
    log_probabilities = tf.nn.log_softmax(logits)
    right = tf.gather(log_probabilities, tf.maximum(target, 0), batch_dims=1)
    loss = -(1 - SMOOTHING) * right - SMOOTHING * tf.reduce_mean(log_probabilities, axis=1)
    return tf.math.divide_no_nan(tf.reduce_sum(known * loss), tf.reduce_sum(known))


def info_nce(vector: Any, related: Any, weights: Any) -> Any:
    """InfoNCE of n pairs.

    vector: embeddings of the first of each pair, then of the second, shape (2n, LENGTH)
    related: which rows are not negatives of each other, shape (2n, 2n)
    weights: weights of the rows, shape (2n,)
    """
    import tensorflow as tf

    rows = tf.shape(vector)[0]
    partner = (tf.range(rows) + rows // 2) % rows
    similarity = tf.matmul(vector, vector, transpose_b=True) / TEMPERATURE
    partners = tf.one_hot(partner, rows, on_value=True, off_value=False)
    log_probabilities = tf.nn.log_softmax(tf.where(related & ~partners, -1e9, similarity))
    loss = -tf.gather(log_probabilities, partner, batch_dims=1)
    return tf.math.divide_no_nan(tf.reduce_sum(weights * loss), tf.reduce_sum(weights))


def equal_pairs(number: Any) -> Any:
    """Whether two of the numbers (n,) are equal and not negative, shape (n, n)."""
    return (number[:, None] == number[None, :]) & (number[:, None] >= 0)


def augment(images: Any, seed: Any, strength: float) -> Any:
    """Images (n, s, s, 3), 0…255, randomly mirrored, shifted, zoomed, brightened and covered in part by ``seed`` (2,).

    ``strength``, 0…1, scales the changes. Returns float32 of the same shape. Pixels from outside repeat the edge.
    """
    import tensorflow as tf

    images = tf.cast(images, tf.float32)
    size = images.shape[1]
    random = tf.random.stateless_uniform((tf.shape(images)[0], 8), seed)
    zoom = tf.exp((random[:, 0] * 2 - 1) * ZOOM * strength)
    shift = (random[:, 1:3] * 2 - 1) * SHIFT * strength * size
    flip = tf.where(random[:, 3] < 0.5, -1.0, 1.0)
    middle, zero = (size - 1) / 2, tf.zeros_like(zoom)
    across = [zoom * flip, zero, middle * (1 - zoom * flip) + shift[:, 0]]
    down = [zero, zoom, middle * (1 - zoom) + shift[:, 1]]
    moved = tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=tf.stack([*across, *down, zero, zero], axis=1),
        output_shape=(size, size),
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="NEAREST",
    )
    light = 1 + (random[:, 4] * 2 - 1) * LIGHT * strength
    lit = tf.clip_by_value(moved * light[:, None, None, None], 0.0, 255.0)
    far = (
        tf.abs(tf.range(size, dtype=tf.float32)[None, :, None] - random[:, None, 5:7] * size)
        > CUTOUT * strength * size / 2
    )
    visible = far[:, :, None, 0] | far[:, None, :, 1]
    return tf.where(visible[..., None], lit, 127.5)
