"""Loss and validation metrics of a run, as charts."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import streamlit as st

from ui import charts

LOSSES = {"loss": "training", "eval_loss": "validation"}
METRICS = {
    "eval_roc_auc_mean": "ROC-AUC",
    "eval_average_precision_mean": "average precision",
    "eval_accuracy": "accuracy",
}


def points(
    entries: Sequence[Mapping[str, Any]], names: Iterable[tuple[str, str]], axis: str
) -> list[dict[str, Any]]:
    """The points of a chart. entries: the lines of curves.jsonl. names: key and label of a line."""
    return [
        {"epoch": entry["epoch"], axis: entry[key], "label": label}
        for key, label in names
        for entry in entries
        if key in entry
    ]


def show_curves(entries: Sequence[Mapping[str, Any]]) -> None:
    """Draw the curves so far."""
    losses = points(entries, LOSSES.items(), "loss")
    metrics = points(entries, METRICS.items(), "value")
    left, right = st.columns(2)
    if losses:
        with left:
            st.markdown("**Loss by epoch**")
            charts.over_epochs(losses, "loss", _in_words(losses, "loss", "Loss by epoch"))
    if metrics:
        with right:
            st.markdown("**On validation rows, by epoch**")
            alt = _in_words(metrics, "value", "Validation metrics by epoch")
            charts.over_epochs(metrics, "value", alt, most=1.0)


def _in_words(drawn: Sequence[Mapping[str, Any]], axis: str, what: str) -> str:
    """A chart for those who cannot see it: where each line is now."""
    last = {point["label"]: point for point in drawn}
    now = ", ".join(f"{label} {point[axis]:.3f}" for label, point in last.items())
    return f"{what}; at epoch {max(point['epoch'] for point in drawn):.2g}: {now}."
