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

from ..errors import DataError
from .facts import Facts
from .fusion import Ranker
from .interactions import IdMap
from .interests import Weights
from .neighbours import Rows
from .recurrent import Recurrent
from .signals import NAMES
from .trees import Trees

MANIFEST = "manifest.json"
VERSION = 3
_SMALL = 4_096


@dataclass(frozen=True)
class Model:
    """All that is known of items, and the rankers by task.

    ids: Item.pk of each item number · names: the shop's ids · needs, aisles: Category.pk, 0 for none · newest: day of
    the newest event that was learned from · until: seconds since 1970 at which learning ended; the two tell what a
    later moment is on the history's own clock · looks: vectors of the items' pictures, each of length 1, or 0 where
    there is none, shape (items, width) float16; width 0 where no picture was looked at.
    """

    ids: IdMap
    names: Names
    needs: np.ndarray
    aisles: np.ndarray
    facts: Facts
    rankers: dict[str, Ranker]
    newest: float
    until: float
    looks: np.ndarray

    def day(self, seconds: np.ndarray | float) -> Any:
        """A moment (seconds since 1970) on the history's clock, in days: an old data set stays as fresh as its last."""
        return self.newest + np.maximum(np.asarray(seconds, np.float64) - self.until, 0.0) / 86_400


@dataclass(frozen=True)
class Names:
    """Texts as one run of UTF-8 bytes: text k is ``data[starts[k]:starts[k + 1]]``. ``hashes``, ascending, are those of
    the texts ``order``, so that a text is found.
    """

    starts: np.ndarray
    data: np.ndarray
    hashes: np.ndarray
    order: np.ndarray

    @classmethod
    def of(cls, texts: Sequence[str]) -> Names:
        parts = [text.encode() for text in texts]
        starts = np.cumsum([0, *(len(part) for part in parts)], dtype=np.int64)
        hashes = _hashes(texts)
        order = np.argsort(hashes, kind="stable")
        return cls(starts, np.frombuffer(b"".join(parts), np.uint8), hashes[order], order)

    def texts(self, numbers: np.ndarray) -> list[str]:
        data = self.data.data
        bounds = zip(self.starts[numbers].tolist(), self.starts[numbers + 1].tolist(), strict=True)
        return [str(data[start:end], "utf8") for start, end in bounds]

    def numbers(self, texts: Sequence[str]) -> np.ndarray:
        """Places of ``texts``, -1 for one that is not there; shape (texts,)."""
        if not len(self.hashes) or not texts:
            return np.full(len(texts), -1)
        hashes = np.frombuffer(b"".join(map(_hash_of_few, texts)), "<u8")
        at = np.minimum(np.searchsorted(self.hashes, hashes), len(self.hashes) - 1)
        return np.where(self.hashes[at] == hashes, self.order[at], -1)


def _hashes(texts: Sequence[str]) -> np.ndarray:
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
    numbers["weights"] = vars(model.facts.weights)
    numbers["facts"] = {name: getattr(model.facts, name) for name in ("total", "recent_total")}
    numbers["asks_looks"] = model.facts.looks.shape[1] > 0
    numbers["rankers"] = {
        name: {"slope": one.slope, "offset": one.offset, "skill": one.skill, "names": list(one.names)}
        for name, one in model.rankers.items()
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


def _arrays(model: Model) -> Iterator[tuple[str, np.ndarray]]:
    yield "ids", model.ids.ids
    yield "needs", model.needs
    yield "aisles", model.aisles
    yield "looks", model.looks
    for part, array in vars(model.names).items():
        yield f"names.{part}", array
    for name, value in vars(model.facts).items():
        if isinstance(value, Rows | Recurrent):
            for part, array in vars(value).items():
                yield f"facts.{name}.{part}", array
        elif isinstance(value, np.ndarray) and name != "looks":
            yield f"facts.{name}", value
    for name, ranker in model.rankers.items():
        for part, array in ranker.trees.arrays().items():
            yield f"ranker.{name}.{part}", array


def _model(manifest: dict[str, Any], arrays: dict[str, np.ndarray]) -> Model:
    facts: dict[str, Any] = dict(manifest["facts"], weights=Weights(**manifest["weights"]))
    if manifest["asks_looks"]:
        facts["looks"] = arrays["looks"]
    if "facts.network.items" in arrays:
        facts["network"] = Recurrent(*(arrays[f"facts.network.{field.name}"] for field in fields(Recurrent)))
    for field in fields(Facts):
        if f"facts.{field.name}" in arrays:
            facts[field.name] = arrays[f"facts.{field.name}"]
        elif f"facts.{field.name}.starts" in arrays:
            facts[field.name] = Rows(
                *(arrays[f"facts.{field.name}.{part}"] for part in ("starts", "columns", "values"))
            )
    rankers = {}
    for name, numbers in manifest["rankers"].items():
        if tuple(numbers["names"]) != NAMES:
            raise DataError("Rankers were stored that ask for other signals than this version has: train again.")
        start = f"ranker.{name}."
        # Small, and read all over: in memory rather than mapped.
        trees = {key.removeprefix(start): np.array(array) for key, array in arrays.items() if key.startswith(start)}
        stored = Trees.stored(trees)
        # Their tables are made here, and not by the first page that ranks.
        stored.raw(np.empty((0, len(NAMES))))
        rankers[name] = Ranker(stored, numbers["slope"], numbers["offset"], numbers["skill"])
    return Model(
        IdMap(np.asarray(arrays["ids"])),
        Names(*(arrays[f"names.{field.name}"] for field in fields(Names))),
        arrays["needs"],
        arrays["aisles"],
        Facts(**facts),
        rankers,
        manifest["newest"],
        manifest["until"],
        arrays["looks"],
    )


def _mapped(path: Path) -> np.ndarray:
    # What is empty cannot be mapped; a plain view spares every slice the making of a memmap object.
    small = path.stat().st_size < _SMALL
    array: np.ndarray = np.load(path, mmap_mode=None if small else "r", allow_pickle=False)
    return array.view(np.ndarray)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
