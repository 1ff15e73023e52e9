"""Loaded models that threads share."""

import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from comment_toxicity import classifier
from comment_toxicity.cache import KEPT, LoadedModels, _shared_models, shared_models
from comment_toxicity.errors import ModelError, SettingsError


def test_a_model_is_loaded_once_however_many_ask_at_once(monkeypatch, tiny):
    loaded = []

    def slowly(name):
        loaded.append(name)
        time.sleep(0.2)
        return tiny

    monkeypatch.setattr(classifier, "load_classifier", slowly)
    models = LoadedModels(2)
    threads = [threading.Thread(target=models.get, args=("tiny",)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert loaded == ["tiny"]


def test_two_models_are_never_loaded_at_the_same_time(monkeypatch, tiny):
    at_once, most = [], []

    def slowly(name):
        at_once.append(name)
        most.append(len(at_once))
        time.sleep(0.05)
        at_once.remove(name)
        return tiny

    monkeypatch.setattr(classifier, "load_classifier", slowly)
    models = LoadedModels(2)
    threads = [threading.Thread(target=models.get, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1, 1, 1, 1]


def test_a_loaded_model_is_returned_while_another_one_loads(monkeypatch, tiny):
    models, go_on = LoadedModels(2), threading.Event()
    monkeypatch.setattr(classifier, "load_classifier", lambda name: tiny)
    models.get("quick")

    def slowly(name):
        go_on.wait(10)
        return tiny

    monkeypatch.setattr(classifier, "load_classifier", slowly)
    thread = threading.Thread(target=models.get, args=("slow",))
    thread.start()
    assert models.get("quick") is tiny
    assert thread.is_alive()
    go_on.set()
    thread.join()


def test_the_least_recently_used_model_is_dropped(monkeypatch, tiny):
    monkeypatch.setattr(classifier, "load_classifier", lambda name: tiny)
    models = LoadedModels(2)
    for name in ("a", "b", "a", "c"):
        models.get(name)
    assert models.names() == ["a", "c"]


def test_a_dropped_model_that_is_still_in_use_is_not_loaded_again(exported):
    models = LoadedModels(1)
    held = models.get(str(exported))
    models.get("toxic-minilm")
    assert models.names() == ["toxic-minilm"]
    assert models.get(str(exported)) is held


def test_a_model_whose_files_changed_is_loaded_again(model_folder, exported):
    models = LoadedModels(2)
    first = models.get(str(model_folder))
    assert models.get(str(model_folder)) is first
    shutil.copy(exported / "model.onnx", model_folder / "model.onnx")  # the same, written later
    assert models.get(str(model_folder)) is not first
    assert len(models.names()) == 1


def test_a_model_that_cannot_be_loaded_is_not_cached(tmp_path):
    models = LoadedModels(2)
    with pytest.raises(ModelError):
        models.get(str(tmp_path))
    assert models.names() == []


@pytest.fixture
def fresh_process():
    _shared_models.cache_clear()
    yield
    _shared_models.cache_clear()


def test_the_first_visitors_share_one_cache_when_they_arrive_together(monkeypatch, fresh_process):
    init = LoadedModels.__init__

    def slowly(self, kept):
        time.sleep(0.1)
        init(self, kept)

    monkeypatch.setattr(LoadedModels, "__init__", slowly)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: shared_models(), range(4)))
    assert all(models is found[0] for models in found)


def test_the_environment_sets_how_many_models_are_kept(monkeypatch, fresh_process):
    monkeypatch.setenv(KEPT, "none")
    with pytest.raises(SettingsError, match=r"^TOXICITY_MODELS_KEPT is 'none'"):
        shared_models()
    monkeypatch.setenv(KEPT, "3")
    assert shared_models().kept == 3
