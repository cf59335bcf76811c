"""What a web process needs to rank for one shopper, as a folder of ``.npy`` files that it maps into memory.

Many processes of a machine share one copy of a mapped file. ``manifest.json`` names every file with its SHA-256; the
digest of the manifest itself is kept by who stored it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from hashlib import blake2b, file_digest, sha256
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import DataError
from ..interactions import DAY, IdMap
from ..sequences.gru import GRUModel
from ..sparse import SparseRows, positions
from ..types import AnyArray, FloatArray, IntArray
from .features import FEATURE_NAMES
from .interests import InterestWeights
from .item_features import ItemFeatures
from .ranker import Ranker
from .trees import Trees

MANIFEST = "manifest.json"
VERSION = 4
_SMALL = 4_096


@dataclass(frozen=True, kw_only=True)
class Model:
    """All that is known of items, and the rankers by task. ``newest`` and ``until`` tell what a later moment is on the
    history's own clock.

    ids: Item.pk of each item number
    external_ids: the shop's id of each item number
    needs, aisles: Category.pk, 0 for none, shape (items,)
    item_features: of all items
    rankers: by task
    newest: day of the newest event that was learned from
    until: seconds since 1970 at which learning ended
    image_vectors: each of length 1, or 0 where there is no image, float16, shape (items, width); width 0 where no image
        was looked at
    """

    ids: IdMap
    external_ids: IdIndex
    needs: IntArray
    aisles: IntArray
    item_features: ItemFeatures
    rankers: dict[str, Ranker]
    newest: float
    until: float
    image_vectors: FloatArray

    def day(self, seconds: FloatArray | float) -> Any:
        """A moment (seconds since 1970) on the history's clock, in days: an old data set stays as fresh as its last."""
        return self.newest + np.maximum(np.asarray(seconds, np.float64) - self.until, 0.0) / DAY


@dataclass(frozen=True)
class IdIndex:
    """Texts as one run of UTF-8 bytes: text k is ``data[starts[k]:starts[k + 1]]``.

    starts: int64, shape (texts + 1,)
    data: uint8, shape (bytes,)
    hashes: of the texts, ascending, uint64, shape (texts,)
    order: number of the text of each hash, int64, shape (texts,)
    """

    starts: IntArray
    data: IntArray
    hashes: IntArray
    order: IntArray

    @classmethod
    def of(cls, texts: Sequence[str]) -> IdIndex:
        """An index that gives text k the number k."""
        parts = [text.encode() for text in texts]
        starts = np.cumsum([0, *(len(part) for part in parts)], dtype=np.int64)
        hashes = _hashes(texts)
        order = np.argsort(hashes, kind="stable")
        return cls(starts, np.frombuffer(b"".join(parts), np.uint8), hashes[order], order)

    def texts(self, numbers: IntArray) -> list[str]:
        """The texts of ``numbers``, each of which must exist."""
        data = self.data.data
        bounds = zip(self.starts[numbers].tolist(), self.starts[numbers + 1].tolist(), strict=True)
        return [str(data[start:end], "utf8") for start, end in bounds]

    def numbers(self, texts: Sequence[str]) -> IntArray:
        """Numbers of ``texts``, -1 for one that is not there; shape (texts,)."""
        at = positions(self.hashes, np.frombuffer(b"".join(map(_hash_of_few, texts)), "<u8"))
        return np.where(at >= 0, self.order.take(at, mode="clip"), -1) if len(self.order) else at


def _hashes(texts: Sequence[str]) -> IntArray:
    return np.frombuffer(b"".join(map(_hash, texts)), "<u8")


def _hash(text: str) -> bytes:
    # Of a million texts, two share one of 64 bits once in forty million shops.
    return blake2b(text.encode(), digest_size=8).digest()


# Pages ask for the same few products again and again.
_hash_of_few = lru_cache(maxsize=10_000)(_hash)


def store(model: Model, folder: Path) -> str:
    """Write ``model`` into the new ``folder``; returns the digest of its manifest."""
    folder.mkdir(parents=True)
    numbers: dict[str, Any] = {"version": VERSION, "newest": model.newest, "until": model.until}
    numbers["interest_weights"] = vars(model.item_features.interest_weights)
    numbers["item_features"] = {name: getattr(model.item_features, name) for name in ("total_baskets", "recent_total")}
    numbers["uses_images"] = model.item_features.image_vectors.shape[1] > 0
    numbers["rankers"] = {
        name: {
            "slope": ranker.slope,
            "offset": ranker.offset,
            "skill": ranker.skill,
            "feature_names": list(ranker.feature_names),
        }
        for name, ranker in model.rankers.items()
    }
    hashes = {}
    for name, array in _arrays(model):
        path = folder / f"{name}.npy"
        np.save(path, array, allow_pickle=False)
        hashes[path.name] = _digest(path)
    text = json.dumps({**numbers, "files": hashes}, indent=1, sort_keys=True)
    (folder / MANIFEST).write_text(text)
    return sha256(text.encode()).hexdigest()


def load(folder: Path, digest: str) -> Model:
    """The model in ``folder``, whose manifest must have this ``digest``; raises DataError for what is not as stored."""
    try:
        text = (folder / MANIFEST).read_bytes()
        if sha256(text).hexdigest() != digest:
            raise DataError(f"{folder / MANIFEST} is not the one that was stored: train again.")
        manifest = json.loads(text)
        if manifest["version"] != VERSION:
            raise DataError(f"{folder} was stored by another version of this package: train again.")
        arrays = {}
        for name, known in manifest["files"].items():
            if _digest(folder / name) != known:
                raise DataError(f"{folder / name} was changed since it was stored: train again.")
            arrays[name.removesuffix(".npy")] = _mapped(folder / name)
        return _model(manifest, arrays)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"What was learned cannot be read from {folder} ({error}): train again.") from error


def _arrays(model: Model) -> Iterator[tuple[str, AnyArray]]:
    yield "ids", model.ids.ids
    yield "needs", model.needs
    yield "aisles", model.aisles
    yield "image_vectors", model.image_vectors
    for part, array in vars(model.external_ids).items():
        yield f"external_ids.{part}", array
    for name, value in vars(model.item_features).items():
        if isinstance(value, SparseRows | GRUModel):
            for part, array in vars(value).items():
                yield f"item_features.{name}.{part}", array
        elif isinstance(value, np.ndarray) and name != "image_vectors":
            yield f"item_features.{name}", value
    for name, ranker in model.rankers.items():
        for part, array in ranker.trees.arrays().items():
            yield f"ranker.{name}.{part}", array


def _model(manifest: dict[str, Any], arrays: dict[str, AnyArray]) -> Model:
    features: dict[str, Any] = dict(
        manifest["item_features"], interest_weights=InterestWeights(**manifest["interest_weights"])
    )
    if manifest["uses_images"]:
        features["image_vectors"] = arrays["image_vectors"]
    start = "item_features.network."
    network = {key.removeprefix(start): array for key, array in arrays.items() if key.startswith(start)}
    if network:
        features["network"] = GRUModel(**network)
    for name in (field.name for field in fields(ItemFeatures)):
        if f"item_features.{name}" in arrays:
            features[name] = arrays[f"item_features.{name}"]
        elif f"item_features.{name}.starts" in arrays:
            parts = {part: arrays[f"item_features.{name}.{part}"] for part in ("starts", "columns", "values")}
            features[name] = SparseRows(**parts)
    rankers = {}
    for name, numbers in manifest["rankers"].items():
        if tuple(numbers["feature_names"]) != FEATURE_NAMES:
            raise DataError("The stored rankers use other features than this version has: train again.")
        start = f"ranker.{name}."
        # Small, and read all over: in memory rather than mapped.
        trees = {key.removeprefix(start): np.array(array) for key, array in arrays.items() if key.startswith(start)}
        stored = Trees.stored(trees)
        # Their tables are made here, and not by the first page that ranks.
        stored.raw(np.empty((0, len(FEATURE_NAMES))))
        rankers[name] = Ranker(trees=stored, slope=numbers["slope"], offset=numbers["offset"], skill=numbers["skill"])
    return Model(
        ids=IdMap(np.asarray(arrays["ids"])),
        external_ids=IdIndex(*(arrays[f"external_ids.{field.name}"] for field in fields(IdIndex))),
        needs=arrays["needs"],
        aisles=arrays["aisles"],
        item_features=ItemFeatures(**features),
        rankers=rankers,
        newest=manifest["newest"],
        until=manifest["until"],
        image_vectors=arrays["image_vectors"],
    )


def _mapped(path: Path) -> AnyArray:
    # What is empty cannot be mapped; a plain view spares every slice the making of a memmap object.
    small = path.stat().st_size < _SMALL
    array: AnyArray = np.load(path, mmap_mode=None if small else "r", allow_pickle=False)
    return array.view(np.ndarray)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
