"""Loss and validation metrics of a run, as charts."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import streamlit as st

from ui import charts
from ui.catalog import label_name

LOSSES = {"loss": "training", "eval_loss": "validation"}
METRICS = ("eval_roc_auc_mean", "eval_average_precision_mean", "eval_accuracy")


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
    named = ((key, label_name(key.removeprefix("eval_"))) for key in METRICS)
    metrics = points(entries, named, "value")
    left, right = st.columns(2)
    if losses:
        with left:
            st.markdown("**Loss**")
            charts.lines(losses, "epoch", "loss", "Loss by epoch", percent=False)
    if metrics:
        with right:
            st.markdown("**On validation rows**")
            charts.lines(metrics, "epoch", "value", "Validation metrics by epoch", percent=False)
