"""The pages, run without a browser, with stand-ins for models."""

from collections.abc import Callable
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from comment_toxicity.cache import shared_models
from comment_toxicity.decision import Decision, LabelDecision, Weights
from comment_toxicity.folder import ModelFolder
from tests.pages.standins import visit


@pytest.fixture(autouse=True)
def no_model_from_another_test():
    shared_models().clear()
    st.cache_data.clear()
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


@pytest.fixture(scope="session")
def exported_tiny(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny BERT as a calibrated model folder; not to be changed."""
    from finetune.export import export_model

    folder = tmp_path_factory.mktemp("exported_tiny") / "tiny"
    export_model(tiny_base, folder, formats=["onnx"], max_length=32)
    labels = {label: LabelDecision(threshold=0.4) for label in ModelFolder.read(folder).labels}
    Decision("sigmoid", labels, Weights.of(folder / "model.onnx"), "best-f1", 100).save(folder)
    return folder
