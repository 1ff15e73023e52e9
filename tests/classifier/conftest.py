"""The tiny BERT as an exported, calibrated model folder."""

import shutil
from pathlib import Path

import pytest

from classifier import Classifier, load_classifier
from classifier.decision import Decision, LabelDecision, Weights
from classifier.folder import ModelFolder


@pytest.fixture(scope="session")
def exported(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder with model.onnx and decision.json; not to be changed."""
    from finetune.export import export_model

    folder = tmp_path_factory.mktemp("exported") / "tiny"
    export_model(tiny_base, folder, formats=["onnx"], max_length=32)
    labels = {
        label: LabelDecision(slope=0.5 + 0.1 * number, intercept=-0.2, threshold=0.4)
        for number, label in enumerate(ModelFolder.read(folder).labels)
    }
    Decision("sigmoid", labels, Weights.of(folder / "model.onnx"), "best-f1", 100).save(folder)
    return folder


@pytest.fixture
def model_folder(exported: Path, tmp_path: Path) -> Path:
    """A copy of the exported folder, to be spoilt."""
    return Path(shutil.copytree(exported, tmp_path / "model"))


@pytest.fixture(scope="session")
def tiny(exported: Path) -> Classifier:
    """The exported model, loaded."""
    return load_classifier(exported)
