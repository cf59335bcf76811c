"""A trained recurrent network with the catalog that it knows, stored and read again for the catalog of another day."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..errors import DataError
from . import bundle
from .interactions import IdMap
from .recurrent import NEVER, Origin, Recurrent


@dataclass(frozen=True)
class SequenceModel:
    """``network`` numbers the items ``ids`` (Item.pk).

    categories: Category.pk of the rows of ``origin.categories`` after the first · looks: name of the network
    that made the pictures' vectors, "" for none.
    """

    network: Recurrent
    origin: Origin
    ids: IdMap
    categories: IdMap
    looks: str

    def renumbered(self, ids: np.ndarray, category: np.ndarray, content: np.ndarray | None, looks: str) -> Recurrent:
        """The network for the items ``ids``, in this order; those that it does not know, by what is known of them.

        category: Category.pk of each, 0 for none · content: vectors of their pictures by the network ``looks``, None
        for none: another network's mean something else.
        """
        items = self.network.items
        place = self.ids.numbers(ids)
        features = self.origin.project.shape[0]
        if content is None or looks != self.looks or content.shape[1] != features:
            content = np.zeros((len(ids), features), np.float32)
        new = np.flatnonzero(place < 0)
        vectors = items[place]
        own = self.categories.numbers(category[new])
        vectors[new] = self.origin.vectors(np.tile(self.origin.unknown, (len(new), 1)), own, content[new])
        if not self.origin.says_something:
            vectors[new, -1] = NEVER
        return replace(self.network, items=np.concatenate([vectors, items[-1:]]))


def save(model: SequenceModel, path: Path) -> None:
    """Write a model into the file ``path``, whole or not at all."""
    arrays = {f"network.{name}": array for name, array in model.network.arrays().items()}
    arrays |= {f"origin.{name}": array for name, array in vars(model.origin).items()}
    bundle.write(path, {**arrays, "ids": model.ids.ids, "categories": model.categories.ids}, {"looks": model.looks})


def load(path: Path) -> SequenceModel:
    """What `save` has written; raises DataError for anything else."""
    arrays, facts = bundle.read(path)
    try:
        network = Recurrent.stored(_part(arrays, "network."))
        origin = Origin(**_part(arrays, "origin."))
        ids, categories = IdMap(arrays["ids"]), IdMap(arrays["categories"])
        model = SequenceModel(network, origin, ids, categories, str(facts["looks"]))
    except (KeyError, TypeError) as error:
        raise DataError(f"{path} holds no recurrent network ({error}): train again.") from error
    width = network.items.shape[1]
    shapes = {
        "unknown": (width,),
        "categories": (len(model.categories) + 1, width),
        "project": (len(origin.project), width),
        "gate": (len(origin.project), width),
    }
    fitting = all(getattr(origin, name).shape == shape for name, shape in shapes.items())
    if not fitting or len(model.ids) != len(network.items) - 1:
        raise DataError(f"{path} holds arrays that do not belong together: train again.")
    return model


def _part(arrays: dict[str, np.ndarray], start: str) -> dict[str, np.ndarray]:
    return {name.removeprefix(start): array for name, array in arrays.items() if name.startswith(start)}
