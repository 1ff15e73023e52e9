"""A report, as metrics.json keeps it, on the page: figures, table, reliability."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from ui import charts, comment
from ui.catalog import label_name
from ui.text import in_markdown

Report = Mapping[str, Any]
COLUMNS = {
    "positives": "rows with it",
    "roc_auc": "ROC-AUC",
    "average_precision": "average precision",
    "threshold": "threshold",
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "calibration_error": "calibration error",
}
HELP = {
    "ROC-AUC": "How often a comment with the label scores higher than one without; 0.5 is chance.",
    "average precision": "Precision, averaged over all thresholds; the share of rows with the "
    "label is chance.",
    "F1": "Balance of precision (right flags of all flags) and recall (flags of all there are).",
    "calibration error": "How far scores are from the shares that they promise, on average.",
}


def show_report(report: Report, model: str) -> None:
    """Show headline figures, a table with a row a label, and what could not be measured."""
    show_headline(report)
    st.html(report_table(report, model))
    if "original_at_thresholds" in report:
        st.html(_original(report))
    for note in report.get("notes", []):
        st.caption(in_markdown(note))


def show_headline(report: Report) -> None:
    """Show the means over all labels."""
    means = report["means"]
    figures = {
        "mean ROC-AUC": means.get("roc_auc"),
        "mean average precision": means.get("average_precision"),
        "mean F1": means.get("f1"),
        "mean calibration error": means.get("calibration_error"),
    }
    if "accuracy" in report:
        figures = {"accuracy": report["accuracy"], **figures}
    with st.container(horizontal=True, gap="medium"):
        for title, value in figures.items():
            help = HELP.get(title.removeprefix("mean "))
            st.metric(title, figure(value), help=help, width="content")
    rows = f"{report['rows']:,} rows" + (", by their weights" if report.get("weighted") else "")
    blank = f"; {report['blank']:,} without scores left out" if report.get("blank") else ""
    st.caption(f"On {rows}{blank}.")


def report_table(report: Report, model: str) -> str:
    """Write one line a label, and one for the means."""
    rows = [
        [label_name(label, model), *(figure(values.get(name)) for name in COLUMNS)]
        for label, values in report["labels"].items()
    ]
    means = (report["means"].get(name) for name in COLUMNS)
    rows.append(["mean", *("" if value is None else figure(value) for value in means)])
    return comment.table(("label", *COLUMNS.values()), rows, numbers=len(COLUMNS))


def _original(report: Report) -> str:
    names = {"original_at_half": "at 50 %", "original_at_thresholds": "at the thresholds"}
    rows = [
        [title, *(figure(value) for value in report[key].values())] for key, title in names.items()
    ]
    header = ("all labels together", "label accuracy", "exact match", "precision", "recall")
    return comment.table(header, rows, numbers=4)


def show_reliability(report: Report, model: str) -> None:
    """Draw what was said against what was found, a line a label."""
    points = [
        {
            "label": label_name(label, model),
            "score": point["mean_score"],
            "share with the label": point["share_positive"],
        }
        for label, values in report["labels"].items()
        for point in values["reliability"]
    ]
    wide, _ = st.columns([3, 2])
    with wide:
        charts.lines(
            points,
            "score",
            "share with the label",
            alt="Reliability diagram: for each label, the share of rows that carry it by score. "
            "On the diagonal a score is what it says.",
            diagonal=True,
        )


def figure(value: float | int | None) -> str:
    """Write a figure; a dash where there is none, or none that is a number."""
    if value is None or value != value:
        return "–"
    return f"{value:,}" if isinstance(value, int) else f"{value:.3f}"
