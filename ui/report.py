"""A report of metrics.json on the page: headline metrics, a table, the reliability diagram."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from finetune.measure.confusion import confused_table
from finetune.measure.intervals import warnings
from finetune.measure.report import interval_table, label_table, original_table
from finetune.measure.tables import METRICS, Table
from ui import charts
from ui.catalog import label_name
from ui.html import in_html
from ui.text import in_markdown

Report = Mapping[str, Any]
SHOWN = (
    "positives", "roc_auc", "average_precision", "threshold", "precision", "recall", "f1",
    "calibration_error",
)  # fmt: skip
HEADLINE = ("accuracy", "roc_auc", "average_precision", "f1", "calibration_error")
HELP = {
    "roc_auc": "How often a comment with the label scores higher than one without; 0.5 is chance.",
    "average_precision": "Precision, averaged over all thresholds; the share of rows with the "
    "label is chance.",
    "f1": "Harmonic mean of precision (how many flags are right) and recall (how many comments "
    "with the label are flagged).",
    "calibration_error": "Mean distance between scores and the share of such comments that carry "
    "the label.",
}


def show_report(report: Report, model: str) -> None:
    """Show headline metrics, a table with a row a label, and what could not be measured."""

    def named(label: str) -> str:
        return label_name(label, model)

    for warning in warnings(report, named):
        st.warning(in_markdown(warning))
    show_headline(report)
    show_table(label_table(report, SHOWN).renamed("label", named))
    intervals = interval_table(report)
    if intervals:
        with st.expander("95 % intervals: how far off these metrics can be by chance"):
            show_table(intervals.renamed("label", named))
    show_confusion(report, model)
    originals = original_table(report)
    if originals:
        show_table(originals)
    for note in report.get("notes", []):
        st.caption(in_markdown(note))


def show_confusion(report: Report, model: str) -> None:
    """Draw the confusion matrix of a single-label model, and list its most frequent confusions."""
    matrix = report.get("confusion_matrix")
    if not matrix:
        return
    by_weight = " counted by weight" if report.get("weighted") else ""
    st.markdown(
        f"**Confusion matrix**, in rows{by_weight}; a darker cell has more of its true class"
    )
    cells = [
        {
            "true class": label_name(true, model),
            "predicted": label_name(predicted, model),
            "rows": round(weight, 1),
            "of the true class": weight / (sum(row.values()) or 1),
        }
        for true, row in matrix.items()
        for predicted, weight in row.items()
    ]
    right = sum(row.get(true, 0) for true, row in matrix.items())
    total = sum(sum(row.values()) for row in matrix.values())
    charts.matrix(
        cells,
        alt=f"Confusion matrix of {len(matrix)} classes: {right:,.0f} of {total:,.0f} rows are on "
        "its diagonal, where the predicted class is the true one.",
    )
    confused = confused_table(report)
    if confused:
        with st.expander("The most frequent confusions"):
            for column in ("true class", "predicted"):
                confused = confused.renamed(column, lambda label: label_name(label, model))
            show_table(confused)


def show_table(table: Table) -> None:
    """Show a table; names of labels and models come from files, and are escaped."""
    st.html(table.html(in_html))


def show_headline(report: Report) -> None:
    """Show accuracy, where there is one, and the means over all labels."""
    with st.container(horizontal=True, gap="medium"):
        for name in HEADLINE:
            if name == "accuracy" and name not in report:
                continue
            value = report[name] if name == "accuracy" else report["means"].get(name)
            title = METRICS[name].title if name == "accuracy" else f"mean {METRICS[name].title}"
            st.metric(title, METRICS[name].write(value), help=HELP.get(name), width="content")
    rows = f"{report['rows']:,} rows" + (", weighted" if report.get("weighted") else "")
    blank = f"; {report['blank']:,} rows without scores left out" if report.get("blank") else ""
    st.caption(f"On {rows}{blank}.")


def show_reliability(report: Report, model: str) -> None:
    """Draw the share of rows with the label over their score, a line a label."""
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
            "On the diagonal, scores are as high as these shares.",
            diagonal=True,
        )
