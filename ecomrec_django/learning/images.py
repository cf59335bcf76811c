"""What product pictures look alike in, and what they show: a small network trained on the shop's own pictures.

Pictures are (n, size, size, 3) uint8 as `pictures.read` makes them.
TensorFlow is imported inside the functions: no web process needs it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError, TrainingError
from . import bundle
from .image_network import LENGTH, VECTOR, Backbone, network, pretrained
from .image_training import Progress, Settings, Training

FEWEST = 8
CHECKPOINT = "training.npz"
_MODEL = "images.npz"
_VERSION = 1
_EMBEDDED = 256


@dataclass(frozen=True)
class ImageModel:
    """A trained network: classes says what it suggests, by name the number of classes; figures how training went."""

    network: Any
    size: int
    classes: dict[str, int]
    settings: Settings
    figures: dict[str, Any]


def train(
    pictures: np.ndarray,
    targets: Mapping[str, np.ndarray],
    pairs: np.ndarray | None = None,
    settings: Settings | None = None,
    checkpoint: Path | None = None,
    progress: Progress | None = None,
) -> ImageModel:
    """Learn vectors and suggestions from pictures (n, size, size, 3) uint8.

    ``targets`` holds by name (category, brand, …) a class number per picture, -1 for unknown; a name with fewer than
    two classes is left out. ``pairs`` (p, 2) are pictures that shall lie near each other, as those of products seen or
    bought together; a picture in no pair is paired with itself: two altered views shall lie near each other. Other
    pictures shall lie far, but for those of the same class by the first name.

    In the folder ``checkpoint`` training is stored as it goes; called again with the same, it goes on from there.
    ``progress`` is called with (steps done, steps in all). The same seed gives the same network up to the order in
    which cores add numbers up. Where TF_CONFIG names workers, each makes the same call, in a new process with one
    device; they share every batch, and the pairs' loss knows those of a worker's own part. Raises DataError for arrays
    of other shapes, TrainingError for too few pictures.
    """
    settings = settings or Settings()
    _checked(pictures, targets, pairs)
    known = {name: np.asarray(target, np.int32) for name, target in targets.items() if _classes(target) > 1}
    if len(pictures) < FEWEST or not (known or pairs is not None):
        raise TrainingError(
            f"Nothing can be learned from {len(pictures)} pictures with {len(known)} attributes of two or more values"
            f"{'' if pairs is not None else ' and no pairs'}: at least {FEWEST} pictures are needed, and categories or "
            "products that were seen together."
        )
    classes = {name: _classes(target) for name, target in known.items()}
    training = Training(pictures, known, classes, pairs, settings)
    if checkpoint:
        checkpoint.mkdir(parents=True, exist_ok=True)
    state = training.run(checkpoint and checkpoint / CHECKPOINT, progress)
    if not training.pretrained:
        settings = replace(settings, backbone=None)
    figures = {"rounds": state.round, "best_round": state.least_at, "held_out_losses": state.losses}
    return ImageModel(training.mean, pictures.shape[1], classes, settings, figures)


def embed(
    model: ImageModel, pictures: np.ndarray | Iterable[np.ndarray], progress: Progress | None = None
) -> np.ndarray:
    """Vectors of length 1, shape (n, 128) float32, of pictures in one array or in batches of any length.

    Two pictures are as alike as their vectors' dot product. ``progress`` is called with (pictures done, known so far).
    Raises DataError for pictures of another size than the model's.
    """
    found = [outputs[VECTOR] for outputs in _outputs(model, pictures, progress)]
    return np.concatenate([np.empty((0, LENGTH), np.float32), *found])


def predict(
    model: ImageModel, pictures: np.ndarray | Iterable[np.ndarray], progress: Progress | None = None
) -> dict[str, np.ndarray]:
    """Chances of each class by name of the model's ``classes``, shape (n, classes) float32, rows of sum 1."""
    found = list(_outputs(model, pictures, progress))
    return {
        name: _softmax(np.concatenate([np.empty((0, count), np.float32), *(outputs[name] for outputs in found)]))
        for name, count in model.classes.items()
    }


def save(model: ImageModel, folder: Path) -> None:
    """Write ``model`` into ``folder``, in the place of one that is there."""
    folder.mkdir(parents=True, exist_ok=True)
    own = asdict(replace(model.settings, backbone=None))
    facts = {"version": _VERSION, "size": model.size, "classes": model.classes, "settings": own}
    facts |= {"figures": model.figures, "backbone": model.settings.backbone and model.settings.backbone.name}
    arrays = {f"weights.{at}": variable.numpy() for at, variable in enumerate(model.network.variables)}
    bundle.write(folder / _MODEL, arrays, facts)


def load(folder: Path) -> ImageModel:
    """The model that `save` has put there; raises DataError for one that is missing, broken or of another version."""
    arrays, facts = bundle.read(folder / _MODEL)
    try:
        if facts["version"] != _VERSION:
            raise DataError(f"{folder} was stored by another version of this package: train again.")
        own = facts["settings"]
        settings = Settings(**{**own, "widths": tuple(own["widths"])})
        body = None
        if facts["backbone"]:
            backbone = Backbone(facts["backbone"])
            settings, body = replace(settings, backbone=backbone), pretrained(backbone, facts["size"], empty=True)
        made = network(facts["size"], facts["classes"], settings.widths, body)
        for at, variable in enumerate(made.variables):
            variable.assign(arrays[f"weights.{at}"])
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"What was learned of pictures cannot be read from {folder} ({error}): train again.") from error
    return ImageModel(made, facts["size"], facts["classes"], settings, facts["figures"])


def _checked(pictures: np.ndarray, targets: Mapping[str, np.ndarray], pairs: np.ndarray | None) -> None:
    if pictures.ndim != 4 or pictures.shape[1] != pictures.shape[2] or pictures.shape[3] != 3:
        raise DataError(f"Pictures must have the shape (n, size, size, 3), not {pictures.shape}.")
    if pictures.dtype != np.uint8:
        raise DataError(f"Pictures must be uint8, not {pictures.dtype}.")
    for name, target in targets.items():
        if np.shape(target) != (len(pictures),):
            raise DataError(f"Targets must be one per picture; {name} has the shape {np.shape(target)}.")
        if name == VECTOR:
            raise DataError(f"No target may have the name {VECTOR}.")
    if pairs is not None and len(pairs) and not (pairs.min() >= 0 and pairs.max() < len(pictures)):
        raise DataError(f"Pairs must be numbers of pictures, from 0 to below {len(pictures)}.")


def _classes(target: np.ndarray) -> int:
    """The number of classes, 0 where fewer than two occur."""
    occurring = np.unique(np.asarray(target)[np.asarray(target) >= 0])
    return int(occurring[-1]) + 1 if len(occurring) > 1 else 0


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def _outputs(
    model: ImageModel, pictures: np.ndarray | Iterable[np.ndarray], progress: Progress | None
) -> Iterator[dict[str, np.ndarray]]:
    total = len(pictures) if isinstance(pictures, np.ndarray) else 0
    done = 0
    for batch in [pictures] if isinstance(pictures, np.ndarray) else pictures:
        for at in range(0, len(batch), _EMBEDDED):
            part = batch[at : at + _EMBEDDED]
            if part.shape[1:] != (model.size, model.size, 3):
                raise DataError(f"Pictures must have the shape (n, {model.size}, {model.size}, 3), not {part.shape}.")
            yield model.network.predict_on_batch(part)
            done += len(part)
            if progress:
                progress(done, max(done, total))
