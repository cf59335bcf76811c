"""Prediction of the next item of a history: a recurrent network's forward pass, by numpy alone.

Sources: K. Cho et al., Learning Phrase Representations using RNN Encoder-Decoder, EMNLP 2014 (the GRU, here with the
reset gate after the product, as cuDNN and Keras have it); B. Hidasi et al., Session-based Recommendations with
Recurrent Neural Networks, ICLR 2016; `training` trains it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...errors import DataError
from ..interactions import KINDS
from ..types import AnyArray, BoolArray, FloatArray, IntArray, NumberArray

# Number 0 is the first event's; number k > 0 is for about 4 ** k seconds since the event before, the last for 3 weeks
# and more.
GAPS = 12
# Events of a visitor's history that are read.
MAX_EVENTS = 50
# Bias of an item that is not predicted.
NEVER = -30.0
# Items whose content is read at once.
_ITEMS_AT_ONCE = 10_000


def time_gaps(time: NumberArray) -> IntArray:
    """Numbers of time gaps 0…GAPS - 1, from ascending seconds, shape (events,)."""
    numbers = np.zeros(len(time), np.int64)
    numbers[1:] = gap_numbers(np.diff(time))
    return numbers


def gap_numbers(seconds: NumberArray) -> IntArray:
    """Numbers 1…GAPS - 1 of ``seconds`` between two events, any shape."""
    return np.clip(np.log2(np.maximum(seconds, 1.0)) / 2 + 0.5, 1, GAPS - 1).astype(np.int64)


def last_of_runs(items: IntArray) -> BoolArray:
    """Whether each event is the last of those of one item in a row, shape (events,).

    Viewing an item, adding it to the cart and buying it is one step: the next item is another one.
    """
    return np.r_[items[1:] != items[:-1], np.ones(min(len(items), 1), bool)]


@dataclass(frozen=True, kw_only=True)
class GRUModel:
    """A trained network as float32 arrays, for vectors of ``width`` numbers and as many states (``units``).

    The update gate, the reset gate and the candidate stand in Keras' order.

    items: each item's vector (of its id, category and content) and its bias, shape (items + 1, width + 1); the last
        row is an item of which nothing is known.
    kinds: added to the item's vector at a step by the kind of event, shape (len(KINDS), width).
    gaps: added by the time since the event before, shape (GAPS, width).
    kernel: shape (width, 3 units).
    recurrent: shape (units, 3 units).
    bias: shape (2, 3 units).
    """

    items: FloatArray
    kinds: FloatArray
    gaps: FloatArray
    kernel: FloatArray
    recurrent: FloatArray
    bias: FloatArray

    @property
    def units(self) -> int:
        """Numbers in a hidden state."""
        return len(self.recurrent)

    def states(self, items: IntArray, kinds: IntArray, gaps: IntArray) -> FloatArray:
        """Hidden states after each event, shape (…, events, units), of one history or of many side by side.

        items: item numbers; others than those of the catalog are unknown items, shape (…, events).
        kinds: positions in KINDS, shape (…, events).
        gaps: see `time_gaps`, shape (…, events).
        """
        units, last = self.units, len(self.items) - 1
        rows = np.where((items >= 0) & (items < last), items, last)
        read = (self.items[rows, :-1] + self.kinds[kinds] + self.gaps[gaps]) @ self.kernel + self.bias[0]
        states = np.zeros((*items.shape, units), np.float32)
        state = np.zeros((*items.shape[:-1], units), np.float32)
        for event in range(items.shape[-1]):
            step, before = read[..., event, :], state @ self.recurrent + self.bias[1]
            gates = 1 / (1 + np.exp(-(step[..., : 2 * units] + before[..., : 2 * units])))
            candidate = np.tanh(step[..., 2 * units :] + gates[..., units:] * before[..., 2 * units :])
            state = candidate + gates[..., :units] * (state - candidate)
            states[..., event, :] = state
        return states

    def state(self, items: IntArray, kinds: IntArray, gaps: IntArray) -> FloatArray:
        """The hidden state after all events, shape (units,); see `states`. Zero after none."""
        return self.states(items, kinds, gaps)[-1] if len(items) else np.zeros(self.units, np.float32)

    def visitor(self, items: IntArray, kinds: IntArray, time: NumberArray) -> FloatArray:
        """A shopper's vector, shape (units,): the state after the latest MAX_EVENTS steps (see `last_of_runs`).

        ``time``: ascending seconds. Of the events of one session it is the session's vector.
        """
        steps = last_of_runs(items)
        items, kinds, numbers = items[steps], kinds[steps], time_gaps(time[steps])
        return self.state(items[-MAX_EVENTS:], kinds[-MAX_EVENTS:], numbers[-MAX_EVENTS:])

    def scores(self, state: FloatArray, items: IntArray | None = None) -> FloatArray:
        """Logits of each of ``items`` (numbers; None: all) as the next item, shape (items,)."""
        vectors = self.items[:-1] if items is None else self.items[items]
        return vectors[:, :-1] @ state + vectors[:, -1]

    def arrays(self) -> dict[str, FloatArray]:
        """All fields, to be stored; `GRUModel.stored` restores them."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    @classmethod
    def stored(cls, arrays: dict[str, AnyArray]) -> GRUModel:
        """From what `arrays` gave. Raises DataError where arrays are missing, of other shapes or not finite."""
        try:
            network = cls(**{name: arrays[name] for name in cls.__dataclass_fields__})
        except KeyError as error:
            raise DataError(f"A stored network lacks {error}: train again.") from error
        units = network.recurrent.shape[0] if network.recurrent.ndim == 2 else 0
        shapes = {
            "items": (len(network.items) if network.items.ndim else 0, units + 1),
            "kinds": (len(KINDS), units),
            "gaps": (GAPS, units),
            "kernel": (units, 3 * units),
            "recurrent": (units, 3 * units),
            "bias": (2, 3 * units),
        }
        for name, shape in shapes.items():
            array = arrays[name]
            if array.dtype != np.float32 or array.shape != shape or not array.size:
                raise DataError(
                    f"{name} of a stored network must be float32 of shape {shape}, not {array.dtype} of {array.shape}: "
                    "train again."
                )
            if not np.isfinite(array).all():
                raise DataError(f"{name} of a stored network holds numbers that are not finite: train again.")
        return network


@dataclass(frozen=True)
class ItemEmbeddingParts:
    """What items' vectors (and biases) are made of, so that items which came after the training have theirs too.

    unknown: in the place of an id, shape (width + 1,).
    categories: added to an item by its category, shape (1 + categories, width + 1); the first row is no category.
    project: added by an image or a text, shape (features, width + 1).
    gate: scales each number of what ``project`` adds, shape (features, width + 1).
    """

    unknown: FloatArray
    categories: FloatArray
    project: FloatArray
    gate: FloatArray

    def vectors(self, ids: FloatArray, category: IntArray, content: FloatArray) -> FloatArray:
        """Shape (items, width + 1), from ``ids`` of that shape; ``category`` and ``content`` as in `ItemContent`."""
        vectors = ids + self.categories[category + 1]
        if len(self.project):
            for start in range(0, len(vectors), _ITEMS_AT_ONCE):
                part = content[start : start + _ITEMS_AT_ONCE]
                vectors[start : start + _ITEMS_AT_ONCE] += (part @ self.project) / (1 + np.exp(-(part @ self.gate)))
        return vectors

    @property
    def informative(self) -> bool:
        """Whether anything but the id is known of an item."""
        return bool(len(self.project) or self.categories.any())
