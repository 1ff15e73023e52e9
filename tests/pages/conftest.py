"""The pages, run without a browser, with stand-ins for models."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from comment_toxicity.cache import shared_models
from tests.pages.standins import PAGES, SCRIPT, FixedScores, Hub, visit
from ui.files.scored_file import ScoredFile

# As `streamlit run` does. AppTest would take the folder of its script off the path again after each
# run, and an import that another thread does meanwhile skips an entry of the shortened path.
sys.path += [str(folder) for folder in (PAGES, SCRIPT.parent) if str(folder) not in sys.path]


@pytest.fixture(autouse=True)
def no_model_from_another_test():
    shared_models().clear()
    st.cache_data.clear()
    st.cache_resource.clear()
    yield
    shared_models().clear()


@pytest.fixture
def serve(monkeypatch) -> Callable[..., AppTest]:
    """Return a function that opens a page with these models in its picker, by name."""

    def open_page(page="score", **models):
        monkeypatch.setattr("comment_toxicity.fetch.find.available_models", lambda: list(models))
        monkeypatch.setattr("comment_toxicity.classifier.load_classifier", models.__getitem__)
        return visit(page)

    return open_page


@pytest.fixture
def scored(tmp_path: Path) -> ScoredFile:
    """A scored file of 1000 rows: toxic rises from 0 to 1, insult falls; row 3 has no scores."""
    rows = 1000
    scores = np.linspace(0, 1, rows, dtype=np.float32)
    table = pd.DataFrame({"text": [f"comment {n}" for n in range(rows)]})
    table["toxic"] = np.where(np.arange(rows) >= 600, "1", "0")
    table["toxic_score"], table["insult_score"] = scores, scores[::-1]
    table["flags"], table["reason"] = "", None
    table.loc[3, ["toxic_score", "insult_score"]] = np.nan
    table.loc[3, "reason"] = "line 5 is not UTF-8"
    path = tmp_path / "scored.parquet"
    table.to_parquet(path, row_group_size=100)
    return ScoredFile.read(path, ["toxic", "insult"], "text")


@pytest.fixture
def hub(monkeypatch) -> Callable[..., None]:
    """Return a function that sets what the Hub answers about a model."""

    def answer(**info):
        monkeypatch.setattr("huggingface_hub.HfApi", lambda: Hub(**info))

    return answer


@pytest.fixture
def bilingual(tmp_path: Path, monkeypatch) -> FixedScores:
    """A model that reads Chinese too, beside the others."""
    folder = tmp_path / "models" / "many"
    folder.mkdir(parents=True)
    (folder / "README.md").write_text("---\nlanguage:\n- en\n- zh\n---\n")
    labels = dict(enumerate(FixedScores().labels))
    (folder / "config.json").write_text(json.dumps({"id2label": labels}))
    monkeypatch.setenv("COMMENT_TOXICITY_MODELS", str(tmp_path / "models"))
    many = FixedScores(name="many", scores=[0.01] * len(labels))
    many.reads = ["en", "zh"]
    return many
