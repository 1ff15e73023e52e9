"""The exported tiny BERT: loaded, as a copy to damage, and behind the command line."""

import csv
import shutil
from pathlib import Path

import pytest

from comment_toxicity import Classifier, load_classifier
from comment_toxicity.files import csv_rows, json_rows, read, streams


@pytest.fixture
def model_folder(exported: Path, tmp_path: Path) -> Path:
    """A copy of the exported folder, to be damaged."""
    return Path(shutil.copytree(exported, tmp_path / "model"))


@pytest.fixture(scope="session")
def tiny(exported: Path) -> Classifier:
    """The exported model, loaded."""
    return load_classifier(exported)


@pytest.fixture
def short_cells(monkeypatch):
    """Set a limit of 1,000 characters a cell, which csv keeps for the whole process."""
    for module in (read, csv_rows, json_rows, streams):
        monkeypatch.setattr(module, "LONGEST_CELL", 1000)
    before = csv.field_size_limit()
    yield
    csv.field_size_limit(before)
