"""AdamW, and a running mean of the weights that it makes.

Sources: AdamW, I. Loshchilov and F. Hutter, Decoupled Weight Decay Regularization, ICLR 2019; means of weights, B. T.
Polyak and A. B. Juditsky, Acceleration of Stochastic Approximation by Averaging, SIAM J. Control Optim. 30 (1992).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..types import FloatArray

_FIRST, _SECOND = 0.9, 0.999
_SMALLEST = 1e-7


class AveragedAdamW:
    """The variables of a network as one vector, which AdamW changes, and the running mean of that vector.

    A few operations on all variables are traced and executed faster than a few on each.

    trainable: TensorFlow variables that gradients change; biases and scales, which have one axis, do not decay
    others: those that the network itself changes
    steps: how many there will be
    rate: peak learning rate, reached after a tenth of the steps; then it falls to 0 on a cosine
    decay: weight decay
    average: decay of the running mean
    """

    def __init__(
        self,
        trainable: Sequence[Any],
        others: Sequence[Any],
        *,
        steps: int,
        rate: float,
        decay: float,
        average: float,
    ) -> None:
        import tensorflow as tf

        self.tf, self.steps, self.peak, self.average = tf, steps, rate, average
        self.trainable, self.others = list(trainable), list(others)
        self.sizes = [math.prod(variable.shape) for variable in self.trainable + self.others]
        decays = [np.full(math.prod(variable.shape), len(variable.shape) > 1) for variable in self.trainable]
        self.decay = np.concatenate(decays).astype(np.float32) * np.float32(decay)
        self.first, self.second = (tf.Variable(tf.zeros(len(self.decay))) for _ in range(2))
        self.mean = tf.Variable(self.weights())
        self.done = tf.Variable(0.0)

    def weights(self) -> Any:
        """The present values of all variables, shape (weights,)."""
        return self._vector(self.trainable + self.others)

    def assign(self, weights: Any) -> None:
        """Give all variables the values that `weights` returned."""
        tf, variables = self.tf, self.trainable + self.others
        for variable, part in zip(variables, tf.split(weights, self.sizes), strict=True):
            variable.assign(tf.reshape(part, variable.shape))

    def apply(self, gradients: Sequence[Any]) -> None:
        """One step, from the gradients of the trainable variables."""
        tf = self.tf
        rate, step = self._rate(), self.done.assign_add(1.0)
        gradient = self._vector(gradients)
        first = self.first.assign_add((gradient - self.first) * (1 - _FIRST))
        second = self.second.assign_add((gradient**2 - self.second) * (1 - _SECOND))
        scale = rate * tf.sqrt(1 - _SECOND**step) / (1 - _FIRST**step)
        trained = self._vector(self.trainable)
        trained -= rate * self.decay * trained + scale * first / (tf.sqrt(second) + _SMALLEST)
        weights = tf.concat([trained, self._vector(self.others)], 0)
        self.assign(weights)
        # At first a mean over a tenth of the steps so far, which soon forgets the initial weights.
        decay = tf.minimum(self.average, (1 + step) / (10 + step))
        self.mean.assign(decay * self.mean + (1 - decay) * weights)

    def state(self) -> dict[str, FloatArray]:
        """What `restore` takes to go on from here."""
        vectors = {"weights": self.weights(), "mean": self.mean, "first": self.first, "second": self.second}
        return {name: vector.numpy() for name, vector in {**vectors, "done": self.done}.items()}

    def restore(self, state: dict[str, FloatArray]) -> None:
        """Go on from a `state`."""
        self.assign(state["weights"])
        for name in ("mean", "first", "second", "done"):
            getattr(self, name).assign(state[name])

    def _rate(self) -> Any:
        tf, warm = self.tf, self.steps // 10
        fall = tf.minimum((self.done - warm) / max(self.steps - warm, 1), 1.0)
        rise = self.done / max(warm, 1)
        return self.peak * tf.where(self.done < warm, rise, (1 + tf.cos(math.pi * fall)) / 2)

    def _vector(self, values: Sequence[Any]) -> Any:
        tf = self.tf
        return tf.concat([tf.reshape(value, [-1]) for value in values] or [tf.zeros(0)], 0)
