"""The networks that predict the next item of a history: where their files lie, and how trainings read them."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import DataError
from .network_store import latest_network

if TYPE_CHECKING:
    from ..learning.sequences.model import SequenceModel

logger = logging.getLogger(__name__)

KIND = "sequences"
PAST_FILE, PRESENT_FILE = "past.npz", "present.npz"


@dataclass(frozen=True)
class SequenceNetworks:
    """Two networks that predict the next item of a history.

    present: trained on all events.
    past: trained on those before ``moment``, so that a replay may use it; None where there were too few.
    moment: seconds since 1970.
    """

    present: SequenceModel
    past: SequenceModel | None
    moment: float


def load_sequence_networks() -> SequenceNetworks | None:
    """The latest ones; None where there are none, or where they cannot be read."""
    from ..learning.sequences.model import load

    folder, metadata = latest_network(KIND)
    if folder is None:
        return None
    try:
        past = load(folder / PAST_FILE) if (folder / PAST_FILE).exists() else None
        return SequenceNetworks(load(folder / PRESENT_FILE), past, float(metadata["moment"]))
    except (DataError, KeyError) as error:
        logger.warning("The sequence networks cannot be read, and are not used: %s", error)
        return None
