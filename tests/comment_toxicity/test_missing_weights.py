"""A model folder without its weights, as in a repository that cannot hold them."""

import shutil
from pathlib import Path

import pytest

from comment_toxicity.decision import Decision, Weights
from comment_toxicity.errors import ModelError
from comment_toxicity.fetch.find import WEIGHTS_VARIABLE, find_model


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    folder = tmp_path / "bare"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    Decision("sigmoid", {}, Weights("model.onnx", "ab" * 32), "best-f1", 1).save(folder)
    return folder


def test_without_a_place_to_fetch_them_the_error_says_what_to_do(bare, monkeypatch):
    monkeypatch.delenv(WEIGHTS_VARIABLE, raising=False)
    with pytest.raises(ModelError, match=r"its weights, model\.onnx, are not there"):
        find_model(str(bare))


def test_the_published_model_of_the_same_weights_is_taken(bare, tmp_path, monkeypatch):
    published = shutil.copytree(bare, tmp_path / "published")
    asked = []

    def hub_folder(repo, revision):
        asked.append(repo)
        return published

    monkeypatch.setattr("comment_toxicity.fetch.hub.hub_folder", hub_folder)
    monkeypatch.setenv(WEIGHTS_VARIABLE, "hub:ann")
    assert find_model(str(bare)) == published
    assert asked == ["ann/bare"]
    Decision("sigmoid", {}, Weights("model.onnx", "cd" * 32), "best-f1", 1).save(published)
    with pytest.raises(ModelError, match="has other weights"):
        find_model(str(bare))


def test_a_folder_with_its_weights_is_itself(bare):
    (bare / "model.onnx").write_bytes(b"")
    assert find_model(str(bare)) == bare
