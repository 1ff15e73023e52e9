"""A word list instead of a model, a small file for each measure, and its results."""

import json
import shutil
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from finetune.audit import run
from finetune.audit.__main__ import main
from finetune.audit.audit import Audit

BAD_WORDS = ("stupid", "filth", "idiot", "vomit", "hate")
MENACE = ("kill", "shoot", "watch your back")


class WordList:
    """Knows some bad words, and takes “gay” for one."""

    labels = ("toxic", "identity_hate", "threat")
    thresholds = {"toxic": 0.5, "identity_hate": 0.5, "threat": 0.5}  # noqa: RUF012 - as constant as the rest
    calibrated = True
    single_label = False
    reads = ("en",)

    def __init__(self, name, folder):
        self.name = name
        self.folder = SimpleNamespace(path=folder, weights=folder / "model.onnx")

    def score(self, texts, languages=None):
        bad = [any(word in text.lower() for word in BAD_WORDS) for text in texts]
        gay = ["gay" in text.lower() for text in texts]
        toxic = 0.1 + 0.5 * np.array(bad) + 0.4 * np.array(gay)
        menace = [any(word in text.lower() for word in MENACE) for text in texts]
        return np.stack([toxic, 0.9 * np.array(bad), menace], axis=1).astype(np.float32)


def make_folder(parent):
    folder = parent / "model"
    folder.mkdir()
    (folder / "model.onnx").write_bytes(b"weights")
    labels = {"0": "toxic", "1": "identity_hate", "2": "threat"}
    (folder / "config.json").write_text(json.dumps({"id2label": labels}))
    return folder


def load_from(folder):
    return lambda name="embedded": WordList(name, folder)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A model folder; every name means the word list in it."""
    folder = make_folder(tmp_path)
    monkeypatch.setattr(run, "load_classifier", load_from(folder))
    return folder


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """One small file for each flag."""
    tables = {
        "data": {
            "comment_text": ["you stupid person", "nice page", "a gay friend", "idiot"] * 5,
            "toxic": [1, 0, 0, 1] * 5,
            "weight": [1, 10, 10, 1] * 5,
        },
        "madlibs": {
            "Text": ["Sam is a nice gay", "Sam is a stupid gay", "A nice deaf", "A vomit deaf"] * 5,
            "Label": ["NOT_BAD", "BAD"] * 10,
        },
        "hatecheck": {
            "test_case": ["I hate them", "I like them", "they are bad"],
            "functionality": ["derog_h", "ident_nh", "derog_h"],
            "label_gold": ["hateful", "non-hateful", "hateful"],
        },
        "davidson": {"tweet": ["filth", "stupid", "nice"] * 10, "class": [0, 1, 2] * 10},
        "dynahate": {"text": ["filth", "nice"] * 10, "label": ["hate", "nothate"] * 10},
        "civil": {"text": ["idiot", "nice"] * 10, "toxic": [1, 0] * 10, "identity_hate": [0] * 20},
    }
    flags = []
    for flag, columns in tables.items():
        path = tmp_path_factory.mktemp("files") / f"{flag}.csv"
        pd.DataFrame(columns).to_csv(path, index=False)
        flags += [f"--{flag}", str(path)]
    return flags


@pytest.fixture(scope="module")
def measured(files, tmp_path_factory):
    """The audit.json of all measures of the word list."""
    folder = make_folder(tmp_path_factory.mktemp("measured"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "load_classifier", load_from(folder))
        assert main([*files, "--summary", "--save"]) == 0
    return folder / "audit.json"


@pytest.fixture
def audit(measured, folder):
    """All measures of the word list, in its folder."""
    shutil.copy(measured, folder)
    return Audit.load(folder)
