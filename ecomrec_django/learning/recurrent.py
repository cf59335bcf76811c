"""What comes next in a history: a recurrent network's forward pass, by numpy alone.

Sources: K. Cho et al., Learning Phrase Representations using RNN Encoder-Decoder, EMNLP 2014 (the GRU, here with the
reset gate after the product, as cuDNN and Keras have it); B. Hidasi et al., Session-based Recommendations with
Recurrent Neural Networks, ICLR 2016; `sequences` trains it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import DataError
from .interactions import KINDS

# Number 0 is the first event's; number k > 0 is for about 4 ** k seconds since the event before, the last for 3 weeks
# and more.
GAPS = 12
# Events of a visitor's history that are read.
LATEST = 50
# Bias of an item that is not foretold.
NEVER = -30.0
# Items whose content is read at once.
_AT_ONCE = 10_000
# What session neighbours are taken to give each item that they do not name; chosen on a validation day of yoochoose.
_UNNAMED = 1e-4


def gaps(time: np.ndarray) -> np.ndarray:
    """Numbers of time gaps 0…GAPS - 1, from ascending seconds, shape (events,)."""
    numbers = np.zeros(len(time), np.int64)
    numbers[1:] = gap_numbers(np.diff(time))
    return numbers


def gap_numbers(seconds: np.ndarray) -> np.ndarray:
    """Numbers 1…GAPS - 1 of ``seconds`` between two events, any shape."""
    return np.clip(np.log2(np.maximum(seconds, 1.0)) / 2 + 0.5, 1, GAPS - 1).astype(np.int64)


def last_of_runs(items: np.ndarray) -> np.ndarray:
    """Whether each event is the last of those of one item in a row, shape (events,).

    To look at an item, put it into the cart and buy it is one step: what comes next is another item.
    """
    return np.r_[items[1:] != items[:-1], np.ones(min(len(items), 1), bool)]


def with_neighbours(logits: np.ndarray, items: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """``logits`` of all items, shape (items,), and what `SessionNeighbours.next` named, as one score for each item.

    score(j) = logit(j) + log(s(j) / Σ s + 1e-4): the chances that both give are multiplied (G. Hinton, Training
    Products of Experts, Neural Computation 14 (2002)).
    """
    share = np.zeros(len(logits))
    if len(items):
        share[items] = scores / scores.sum()
    return logits + np.log(share + _UNNAMED)


@dataclass(frozen=True)
class Recurrent:
    """A trained network as float32 arrays, for vectors of ``width`` numbers and ``units`` states.

    items (items + 1, width + 1): each item's vector (of its id, category and content) and its bias; the last row is an
    item of which nothing is known · kinds (len(KINDS), width), gaps (GAPS, width): added to the item's vector at a
    step · kernel (width, 3 units), recurrent (units, 3 units), bias (2, 3 units): of the update gate, the reset gate
    and the candidate, in Keras' order; ``units`` equals ``width``.
    """

    items: np.ndarray
    kinds: np.ndarray
    gaps: np.ndarray
    kernel: np.ndarray
    recurrent: np.ndarray
    bias: np.ndarray

    @property
    def units(self) -> int:
        return len(self.recurrent)

    def states(self, items: np.ndarray, kinds: np.ndarray, gaps: np.ndarray) -> np.ndarray:
        """Hidden states after each event, shape (…, events, units), of one history or of many side by side.

        ``items``: item numbers, others than those of the catalog being unknown · ``kinds``: places in KINDS ·
        ``gaps``: see `gaps`; all of shape (…, events).
        """
        units, last = self.units, len(self.items) - 1
        known = np.where((items >= 0) & (items < last), items, last)
        read = (self.items[known, :-1] + self.kinds[kinds] + self.gaps[gaps]) @ self.kernel + self.bias[0]
        states = np.zeros((*items.shape, units), np.float32)
        state = np.zeros((*items.shape[:-1], units), np.float32)
        for at in range(items.shape[-1]):
            step, before = read[..., at, :], state @ self.recurrent + self.bias[1]
            gates = 1 / (1 + np.exp(-(step[..., : 2 * units] + before[..., : 2 * units])))
            candidate = np.tanh(step[..., 2 * units :] + gates[..., units:] * before[..., 2 * units :])
            state = candidate + gates[..., :units] * (state - candidate)
            states[..., at, :] = state
        return states

    def state(self, items: np.ndarray, kinds: np.ndarray, gaps: np.ndarray) -> np.ndarray:
        """The hidden state after all events, shape (units,); see `states`. Zero after none."""
        return self.states(items, kinds, gaps)[-1] if len(items) else np.zeros(self.units, np.float32)

    def visitor(self, items: np.ndarray, kinds: np.ndarray, time: np.ndarray) -> np.ndarray:
        """A shopper's vector, shape (units,): the state after their LATEST steps (see `last_of_runs`), ``time`` in
        ascending seconds.

        Of the events of one session it is the session's vector.
        """
        kept = last_of_runs(items)
        items, kinds, numbers = items[kept], kinds[kept], gaps(time[kept])
        return self.state(items[-LATEST:], kinds[-LATEST:], numbers[-LATEST:])

    def scores(self, state: np.ndarray, items: np.ndarray | None = None) -> np.ndarray:
        """How much speaks for each of ``items`` (numbers; None: all) as the next: logits, shape (items,)."""
        vectors = self.items[:-1] if items is None else self.items[items]
        return vectors[:, :-1] @ state + vectors[:, -1]

    def arrays(self) -> dict[str, np.ndarray]:
        """All fields, to be stored; `Recurrent.stored` reads them back."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    @classmethod
    def stored(cls, arrays: dict[str, np.ndarray]) -> Recurrent:
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
class Origin:
    """What items' vectors (and biases) are made of, so that items which came after the training have theirs too.

    unknown (width + 1,): in the place of an id · categories (1 + categories, width + 1): added to an item, the first
    row to one without a category · project, gate (features, width + 1): of what is added by a picture or a text, each
    number let through by a gate of its own.
    """

    unknown: np.ndarray
    categories: np.ndarray
    project: np.ndarray
    gate: np.ndarray

    def vectors(self, ids: np.ndarray, category: np.ndarray, content: np.ndarray) -> np.ndarray:
        """Shape (items, width + 1), from ``ids`` of that shape, and ``category`` and ``content`` as in `About`."""
        found = ids + self.categories[category + 1]
        if len(self.project):
            for at in range(0, len(found), _AT_ONCE):
                part = content[at : at + _AT_ONCE]
                found[at : at + _AT_ONCE] += (part @ self.project) / (1 + np.exp(-(part @ self.gate)))
        return found

    @property
    def says_something(self) -> bool:
        """Whether anything but the id tells of an item."""
        return bool(len(self.project) or self.categories.any())
