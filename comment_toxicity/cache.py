"""Loaded models, one copy of each for the whole process, however many threads ask for it.

    from comment_toxicity.cache import shared_models

    classifier = shared_models().get("toxic-minilm")

Only models are kept: no text, no score.
"""

import functools
import gc
import os
import threading
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from weakref import WeakValueDictionary

from comment_toxicity import classifier
from comment_toxicity.errors import SettingsError

KEPT = "TOXICITY_MODELS_KEPT"
"""Environment: keep this many loaded models in memory (default: 2)."""

_LOCK = threading.Lock()

State = tuple[tuple[str, int, int], ...]


def shared_models() -> "LoadedModels":
    """The models that the page and the HTTP routes of this process share."""
    with _LOCK:  # else many visitors at once on a new server would each load models of their own
        return _shared_models()


@functools.cache
def _shared_models() -> "LoadedModels":
    kept = os.environ.get(KEPT, "2")
    if not kept.isdecimal() or int(kept) < 1:
        raise SettingsError(f"{KEPT} is {kept!r}; set it to a whole number of at least 1.")
    return LoadedModels(int(kept))


class LoadedModels:
    """At most `kept` models; the least recently used one is dropped for another.

    Models load one at a time: transformers imports parts of itself lazily and fails when two
    threads do that at once. A loaded model waits for no lock.
    """

    def __init__(self, kept: int):
        self.kept = kept
        self._models: OrderedDict[str, tuple[State, classifier.Classifier]] = OrderedDict()
        # Dropped models still in use, as by the HTTP service, are not loaded a second time.
        self._alive: WeakValueDictionary[str, classifier.Classifier] = WeakValueDictionary()
        self._states: dict[str, State] = {}
        self._table = threading.Lock()
        self._loading = threading.Lock()

    def get(self, name: str) -> "classifier.Classifier":
        """The model called `name`, loaded on the first call, and again when its files change.

        Raises what load_classifier raises; nothing is kept then.
        """
        model = self._fresh(name)
        if model is not None:
            return model
        with self._loading:
            model = self._fresh(name)  # another thread may have loaded it
            if model is not None:
                return model
            self._drop(name)
            model = self._in_use(name) or classifier.load_classifier(name)
            with self._table:
                self._models[name] = (_state(model), model)
                self._alive[name], self._states[name] = model, _state(model)
                crowded = list(self._models)[: -self.kept]
        self._drop(*crowded)
        return model

    def version(self, name: str) -> State:
        """The files that a model was read from: a cache key for anything computed with it."""
        return _state(self.get(name))

    def names(self) -> list[str]:
        """The names of the models in memory, the most recently used last."""
        with self._table:
            return list(self._models)

    def clear(self) -> None:
        """Drop all models, and load even those in use again when asked."""
        self._drop(*self.names())
        self._alive.clear()

    def _fresh(self, name: str) -> "classifier.Classifier | None":
        with self._table:
            entry = self._models.get(name)
            if entry is None:
                return None
            state, model = entry
            if state != _state(model):
                return None
            self._models.move_to_end(name)
            return model

    def _in_use(self, name: str) -> "classifier.Classifier | None":
        model = self._alive.get(name)
        return model if model is not None and self._states[name] == _state(model) else None

    def _drop(self, *names: str) -> None:
        with self._table:
            dropped = [self._models.pop(name) for name in names if name in self._models]
        if dropped:
            del dropped
            gc.collect()  # a torch model holds cycles, which would stay in memory


def _state(model: "classifier.Classifier") -> State:
    """Path, size and time of the files that decide scores; missing ones are left out.

    A run that is trained again under its name replaces them.
    """
    return tuple(_stamps(model.folder.path, model.folder.weights))


def _stamps(folder: Path, weights: Path) -> Iterator[tuple[str, int, int]]:
    for path in (weights, folder / "config.json", folder / "decision.json"):
        try:
            status = path.stat()
        except OSError:
            continue
        yield str(path), status.st_size, status.st_mtime_ns
