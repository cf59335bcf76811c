"""The model of the published release in this process: read in the background, so that no page waits for it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from time import monotonic

from ..learning.artifact import Model, load
from ..pipeline.learned import folder_of
from .failures import note_failure

# The published release, and the one before it while some pages still show that.
KEPT = 2
# After which a model that could not be read is tried again: its files may still be on their way to this machine.
RETRY_SECONDS = 60.0

# By digest: the model, or when it could not be read.
_models: OrderedDict[str, Model | float] = OrderedDict()
_threads: dict[str, threading.Thread] = {}
_lock = threading.Lock()


def model_of(release: int, digest: str, *, wait: bool = False) -> Model | None:
    """The model of a release; None where it has none, or while it is being read and nobody waits for it."""
    if not digest:
        return None
    found = _models.get(digest)
    if isinstance(found, Model):
        return found
    if found is None or monotonic() - found > RETRY_SECONDS:
        thread = _started(release, digest)
        if wait:
            thread.join()
            found = _models.get(digest)
    return found if isinstance(found, Model) else None


def _started(release: int, digest: str) -> threading.Thread:
    with _lock:
        if digest not in _threads:
            _threads[digest] = threading.Thread(target=_read, args=(release, digest), daemon=True)
            _threads[digest].start()
        return _threads[digest]


def _read(release: int, digest: str) -> None:
    found: Model | float = monotonic()
    try:
        found = load(folder_of(release), digest)
    except Exception as error:
        note_failure("model", error, "Offers are not personal")
    with _lock:
        _models[digest] = found
        _threads.pop(digest, None)
        while len(_models) > KEPT:
            _models.popitem(last=False)
