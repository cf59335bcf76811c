"""A trained recurrent network with the items that it knows, stored and loaded for the catalog of another day."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ...errors import DataError
from .. import npz
from ..interactions import IdMap
from ..types import AnyArray, FloatArray, IntArray
from .gru import NEVER, GRUModel, ItemEmbeddingParts


@dataclass(frozen=True, kw_only=True)
class SequenceModel:
    """A network that can be read for another catalog.

    network: of the items ``ids``, in their order.
    origin: what the items' vectors are made of.
    ids: Item.pk of the items.
    categories: Category.pk of the rows of ``origin.categories`` after the first.
    image_network: name of the network that made the image vectors, "" for none.
    """

    network: GRUModel
    origin: ItemEmbeddingParts
    ids: IdMap
    categories: IdMap
    image_network: str

    def renumbered(self, ids: IntArray, category: IntArray, content: FloatArray | None, image_network: str) -> GRUModel:
        """The network for the items ``ids``, in this order; new ones by their category and content.

        category: Category.pk of each, 0 for none.
        content: image vectors, None for none.
        image_network: which made them; those of another network than this model's mean something else.
        """
        items = self.network.items
        rows = self.ids.numbers(ids)
        features = self.origin.project.shape[0]
        if content is None or image_network != self.image_network or content.shape[1] != features:
            content = np.zeros((len(ids), features), np.float32)
        new = np.flatnonzero(rows < 0)
        vectors = items[rows]
        own = self.categories.numbers(category[new])
        vectors[new] = self.origin.vectors(np.tile(self.origin.unknown, (len(new), 1)), own, content[new])
        if not self.origin.informative:
            vectors[new, -1] = NEVER
        return replace(self.network, items=np.concatenate([vectors, items[-1:]]))


def save(model: SequenceModel, path: Path) -> None:
    """Write a model into the file ``path``, whole or not at all."""
    arrays = {f"network.{name}": array for name, array in model.network.arrays().items()}
    arrays |= {f"origin.{name}": array for name, array in vars(model.origin).items()}
    ids = {"ids": model.ids.ids, "categories": model.categories.ids}
    npz.write_npz(path, {**arrays, **ids}, {"image_network": model.image_network})


def load(path: Path) -> SequenceModel:
    """What `save` has written; raises DataError for anything else."""
    arrays, facts = npz.read_npz(path)
    try:
        network = GRUModel.stored(_part(arrays, "network."))
        origin = ItemEmbeddingParts(**_part(arrays, "origin."))
        model = SequenceModel(
            network=network,
            origin=origin,
            ids=IdMap(arrays["ids"]),
            categories=IdMap(arrays["categories"]),
            image_network=str(facts["image_network"]),
        )
    except (KeyError, TypeError) as error:
        raise DataError(f"{path} holds no recurrent network ({error}): train again.") from error
    width = network.items.shape[1]
    shapes = {
        "unknown": (width,),
        "categories": (len(model.categories) + 1, width),
        "project": (len(origin.project), width),
        "gate": (len(origin.project), width),
    }
    consistent = all(getattr(origin, name).shape == shape for name, shape in shapes.items())
    if not consistent or len(model.ids) != len(network.items) - 1:
        raise DataError(f"{path} holds arrays that do not belong together: train again.")
    return model


def _part(arrays: dict[str, AnyArray], prefix: str) -> dict[str, AnyArray]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
