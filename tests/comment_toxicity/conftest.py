"""The tiny BERT as an exported, calibrated model folder."""

import shutil
from pathlib import Path

import pytest

from comment_toxicity import Classifier, load_classifier


@pytest.fixture(scope="session")
def exported(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder with model.onnx and decision.json; not to be changed."""
    from tests.exported import export_calibrated

    folder = tmp_path_factory.mktemp("exported") / "tiny"
    export_calibrated(tiny_base, folder, ["onnx"])
    return folder


@pytest.fixture
def model_folder(exported: Path, tmp_path: Path) -> Path:
    """A copy of the exported folder, to be spoilt."""
    return Path(shutil.copytree(exported, tmp_path / "model"))


@pytest.fixture(scope="session")
def tiny(exported: Path) -> Classifier:
    """The exported model, loaded."""
    return load_classifier(exported)
