"""The models of the releases that are shown, in this process: read in the background, so that no page waits for it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from time import monotonic

from ..artifacts import release_folder
from ..failures import note_failure
from ..learning.ranking.model import Model, load

# The published release, the one before it while some pages still show that, and earlier ones whose offers are shown for
# strategies that are held back.
MAX_MODELS = 4
# After which a model that could not be read is tried again: its files may still be on their way to this machine.
RETRY_SECONDS = 60.0


def load_model(release: int, digest: str) -> Model:
    """Raises DataError for files that are missing, broken or of another release."""
    return load(release_folder(release), digest)


class ModelCache:
    """The models of one process by their digest, or when one could not be read; ``load`` reads one from its files."""

    def __init__(self, load: Callable[[int, str], Model] = load_model) -> None:
        self._load = load
        self._models: OrderedDict[str, Model | float] = OrderedDict()
        self._threads: dict[str, threading.Thread] = {}
        self._lock = threading.Lock()

    def get(self, release: int, digest: str, *, wait: bool = False) -> Model | None:
        """The model of a release; None where it has none, or while it is being read and nobody waits for it."""
        if not digest:
            return None
        model = self._models.get(digest)
        if isinstance(model, Model):
            return model
        if model is None or monotonic() - model > RETRY_SECONDS:
            thread = self._started(release, digest)
            if wait:
                thread.join()
                model = self._models.get(digest)
        return model if isinstance(model, Model) else None

    def reset(self) -> None:
        """As in a fresh process."""
        with self._lock:
            self._models.clear()

    def _started(self, release: int, digest: str) -> threading.Thread:
        with self._lock:
            if digest not in self._threads:
                self._threads[digest] = threading.Thread(target=self._read, args=(release, digest), daemon=True)
                self._threads[digest].start()
            return self._threads[digest]

    def _read(self, release: int, digest: str) -> None:
        result: Model | float = monotonic()
        try:
            result = self._load(release, digest)
        except Exception as error:
            note_failure("model", error, "Offers are not personal")
        with self._lock:
            self._models[digest] = result
            self._threads.pop(digest, None)
            while len(self._models) > MAX_MODELS:
                self._models.popitem(last=False)


MODELS = ModelCache()
cached_model = MODELS.get
