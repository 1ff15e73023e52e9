"""A base as a calibrated model folder, as a run's export and calibration leave it."""

from pathlib import Path

from comment_toxicity.decision import Decision, LabelDecision, Weights
from comment_toxicity.folder import ModelFolder
from finetune.export import export_model


def export_calibrated(base: Path, folder: Path, formats: list[str]) -> None:
    """Export to `folder`; every label gets a slope of its own, and the threshold 0.4."""
    export_model(base, folder, formats=formats, max_length=32)
    labels = {
        label: LabelDecision(slope=0.5 + 0.1 * number, intercept=-0.2, threshold=0.4)
        for number, label in enumerate(ModelFolder.read(folder).labels)
    }
    Decision("sigmoid", labels, Weights.of(folder / "model.onnx"), "best-f1", 100).save(folder)
