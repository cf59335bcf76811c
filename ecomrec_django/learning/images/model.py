"""Embeddings and classes of product images, by a small network that is trained on the shop's own images.

Images are (n, size, size, 3) uint8 as `decoding.decode_image` makes them.
TensorFlow is imported inside the functions: no web process needs it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import DataError, TrainingError
from .. import npz
from ..progress import Progress
from ..types import FloatArray, ImageArray, IntArray
from .network import LENGTH, VECTOR, Backbone, inference, network, pretrained
from .training import ImageSettings, ImageTrainer

MIN_IMAGES = 8
CHECKPOINT = "training.npz"
_MODEL = "images.npz"
_VERSION = 1
_BATCH = 256


@dataclass(frozen=True, kw_only=True)
class ImageModel:
    """A trained network.

    network: a Keras model (see `network.network`)
    size: width and height of images in pixels
    classes: number of classes by name of the attribute
    settings: settings of the training
    figures: results of the training
    """

    network: Any
    size: int
    classes: dict[str, int]
    settings: ImageSettings
    figures: dict[str, Any]

    @cached_property
    def outputs(self) -> Callable[[Any], dict[str, Any]]:
        """`network.inference` by this network."""
        return inference(self.network)


def train(
    images: ImageArray,
    targets: Mapping[str, IntArray],
    pairs: IntArray | None = None,
    settings: ImageSettings | None = None,
    checkpoint: Path | None = None,
    progress: Progress | None = None,
) -> ImageModel:
    """Train a network that embeds images and predicts their attributes.

    images: shape (n, size, size, 3)
    targets: class number of each image by name of the attribute (category, brand, …), -1 for unknown; attributes with
        fewer than two classes are ignored
    pairs: images whose embeddings should be similar, such as those of products viewed together, shape (pairs, 2).
        Images in no pair are paired with themselves, as two augmented views. Embeddings of other images should be
        dissimilar, unless they share the class of the first attribute.
    checkpoint: folder for intermediate states; a call with the same inputs resumes from there
    progress: called with (steps done, total steps)

    The same seed gives the same network, up to the order of floating-point additions. If TF_CONFIG names workers, each
    makes the same call in a new process with one device; they share every batch, and the loss of pairs uses those in
    the worker's own part. Raises DataError for arrays of other shapes, TrainingError for too few images.
    """
    settings = settings or ImageSettings()
    _check(images, targets, pairs)
    labels = {name: np.asarray(target, np.int32) for name, target in targets.items() if _classes(target) > 1}
    if len(images) < MIN_IMAGES or not (labels or pairs is not None):
        raise TrainingError(
            f"Not enough images to train on: there are {len(images)}, with {len(labels)} attributes of two or more "
            f"values{'' if pairs is not None else ' and no pairs'}. Training needs at least {MIN_IMAGES}, and "
            "categories or products that were viewed together."
        )
    classes = {name: _classes(target) for name, target in labels.items()}
    trainer = ImageTrainer(images, labels, classes, pairs, settings)
    if checkpoint:
        checkpoint.mkdir(parents=True, exist_ok=True)
    state = trainer.run(checkpoint and checkpoint / CHECKPOINT, progress)
    if not trainer.pretrained:
        settings = replace(settings, backbone=None)
    figures = {"rounds": state.round, "best_round": state.best_round, "held_out_losses": state.losses}
    return ImageModel(
        network=trainer.network, size=images.shape[1], classes=classes, settings=settings, figures=figures
    )


def embed(model: ImageModel, images: ImageArray | Iterable[ImageArray], progress: Progress | None = None) -> FloatArray:
    """Unit-length embeddings, shape (n, 128) float32, of images in one array or in batches of any length.

    The similarity of two images is the dot product of their embeddings. ``progress`` is called with (images done,
    images known so far). Raises DataError for images of another size than the model's.
    """
    vectors = [outputs[VECTOR] for outputs in _outputs(model, images, progress)]
    return np.concatenate([np.empty((0, LENGTH), np.float32), *vectors])


def predict(
    model: ImageModel, images: ImageArray | Iterable[ImageArray], progress: Progress | None = None
) -> dict[str, FloatArray]:
    """Probabilities of each class by attribute of ``model.classes``, shape (n, classes) float32, rows of sum 1."""
    batches = list(_outputs(model, images, progress))
    return {
        name: _softmax(np.concatenate([np.empty((0, count), np.float32), *(outputs[name] for outputs in batches)]))
        for name, count in model.classes.items()
    }


def save(model: ImageModel, folder: Path) -> None:
    """Write ``model`` to ``folder``, replacing an existing one."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = asdict(replace(model.settings, backbone=None))
    facts = {"version": _VERSION, "size": model.size, "classes": model.classes, "settings": settings}
    facts |= {"figures": model.figures, "backbone": model.settings.backbone and model.settings.backbone.name}
    arrays = {f"weights.{number}": variable.numpy() for number, variable in enumerate(model.network.variables)}
    npz.write_npz(folder / _MODEL, arrays, facts)


def load(folder: Path) -> ImageModel:
    """The model that `save` wrote; raises DataError if it is missing, broken or of another version."""
    arrays, facts = npz.read_npz(folder / _MODEL)
    try:
        if facts["version"] != _VERSION:
            raise DataError(f"{folder} was stored by another version of this package: train again.")
        stored = facts["settings"]
        settings = ImageSettings(**{**stored, "widths": tuple(stored["widths"])})
        body = None
        if facts["backbone"]:
            backbone = Backbone(facts["backbone"])
            settings, body = replace(settings, backbone=backbone), pretrained(backbone, facts["size"], empty=True)
        restored = network(facts["size"], facts["classes"], settings.widths, body)
        for number, variable in enumerate(restored.variables):
            variable.assign(arrays[f"weights.{number}"])
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"The image network in {folder} cannot be read ({error}): train again.") from error
    return ImageModel(
        network=restored, size=facts["size"], classes=facts["classes"], settings=settings, figures=facts["figures"]
    )


def _check(images: ImageArray, targets: Mapping[str, IntArray], pairs: IntArray | None) -> None:
    if images.ndim != 4 or images.shape[1] != images.shape[2] or images.shape[3] != 3:
        raise DataError(f"Images must have the shape (n, size, size, 3), not {images.shape}.")
    if images.dtype != np.uint8:
        raise DataError(f"Images must be uint8, not {images.dtype}.")
    for name, target in targets.items():
        if np.shape(target) != (len(images),):
            raise DataError(f"There must be one target per image; {name} has the shape {np.shape(target)}.")
        if name == VECTOR:
            raise DataError(f"No target may be named {VECTOR}.")
    if pairs is not None and len(pairs) and not (pairs.min() >= 0 and pairs.max() < len(images)):
        raise DataError(f"Pairs must be numbers of images, from 0 to {len(images) - 1}.")


def _classes(target: IntArray) -> int:
    """The number of classes; 0 if fewer than two occur."""
    occurring = np.unique(np.asarray(target)[np.asarray(target) >= 0])
    return int(occurring[-1]) + 1 if len(occurring) > 1 else 0


def _softmax(logits: FloatArray) -> FloatArray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def _outputs(
    model: ImageModel, images: ImageArray | Iterable[ImageArray], progress: Progress | None
) -> Iterator[dict[str, FloatArray]]:
    total = len(images) if isinstance(images, np.ndarray) else 0
    done = 0
    for batch in [images] if isinstance(images, np.ndarray) else images:
        for start in range(0, len(batch), _BATCH):
            part = batch[start : start + _BATCH]
            if part.shape[1:] != (model.size, model.size, 3):
                raise DataError(f"Images must have the shape (n, {model.size}, {model.size}, 3), not {part.shape}.")
            yield {name: output.numpy() for name, output in model.outputs(part).items()}
            done += len(part)
            if progress:
                progress(done, max(done, total))
