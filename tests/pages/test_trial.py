"""A model that a visitor typed in is loaded by another process first."""

import json
import shutil

import pytest

from comment_toxicity.errors import ModelError
from ui.models import trial


@pytest.fixture
def folder(exported, tmp_path):
    """A copy of a model folder, to be damaged."""
    return shutil.copytree(exported, tmp_path / "model")


def test_a_model_that_loads_is_accepted(folder):
    trial.try_model(str(folder), 1.0, public=True)


def test_a_models_error_is_told_in_its_own_words(folder):
    (folder / "config.json").write_text(json.dumps({"num_labels": 10**9}))
    with pytest.raises(ModelError, match="num_labels is not a number from 1 to 1,000"):
        trial.try_model(str(folder), 1.0, public=False)


def test_a_model_that_takes_too_much_memory_is_refused(folder):
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    grow = {"type": "Replace", "pattern": {"String": "a"}, "content": "a" * 10}
    tokenizer["normalizer"] = {"type": "Sequence", "normalizers": [grow] * 12}
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    with pytest.raises(ModelError, match=r"more memory or time|failed on a text"):
        trial.try_model(str(folder), 0.01, public=True)


def test_for_strangers_the_token_of_this_machine_is_not_used(monkeypatch):
    seen = []

    def run(command, env, **_):
        seen.append(env)
        return trial.subprocess.CompletedProcess(command, 0, "")

    monkeypatch.setattr(trial.subprocess, "run", run)
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    trial.try_model("owner/name", 1.0, public=True)
    trial.try_model("owner/name", 1.0, public=False)
    assert "HF_TOKEN" not in seen[0]
    assert seen[0]["HF_HUB_DISABLE_IMPLICIT_TOKEN"] == "1"  # noqa: S105 - a switch
    assert seen[1]["HF_TOKEN"] == "hf_secret"  # noqa: S105 - of this test
