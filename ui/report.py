"""A report of metrics.json on the page: headline metrics, a table, the reliability diagram."""

from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

from finetune.measure.confusion import confused_table
from finetune.measure.intervals import warnings
from finetune.measure.report import interval_table, label_table, original_table
from finetune.measure.tables import METRICS, Column, Table, interval, percentage, weight
from ui import charts
from ui.catalog import label_name
from ui.markup import in_html
from ui.text import in_markdown

Report = Mapping[str, Any]
CHARTS_ACROSS, MOST_CHARTS = 3, 12
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
    table = label_table(report, SHOWN).renamed("label", named)
    show_table(table.written("threshold", percentage))
    intervals = interval_table(report)
    if intervals:
        with st.expander("95 % intervals of each label"):
            show_table(intervals.renamed("label", named))
    show_confusion(report, model)
    flags = _flags(report, named)
    if flags:
        with st.expander("Flags in rows: right, wrong and missed"):
            show_table(flags)
    originals = original_table(report)
    if originals:
        show_table(originals)
    for note in report.get("notes", []):
        st.caption(in_markdown(note))


def _flags(report: Report, named: Callable[[str], str]) -> Table | None:
    """The confusion of each label, in rows or in sums of their weights; None for classes."""
    cells = {label: each.get("confusion") for label, each in report["labels"].items()}
    if report.get("confusion_matrix") or not all(cells.values()):
        return None
    names = ("true_positive", "false_positive", "false_negative")
    titles = ("flagged rightly", "flagged wrongly", "missed")
    columns = [Column("label"), *(Column(title, weight) for title in titles)]
    rows = [(named(label), *map(cell.get, names)) for label, cell in cells.items() if cell]
    return Table(columns=columns, rows=rows) if rows else None


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
            "rows": round(rows, 1),
            "of the true class": rows / (sum(row.values()) or 1),
        }
        for true, row in matrix.items()
        for predicted, rows in row.items()
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
    """Show accuracy, where there is one, and the means over all labels, with their intervals."""
    intervals = report.get("intervals") or {}
    with st.container(horizontal=True, gap="medium"):
        for name in HEADLINE:
            if name == "accuracy" and name not in report:
                continue
            value = report[name] if name == "accuracy" else report["means"].get(name)
            title = METRICS[name].title if name == "accuracy" else f"mean {METRICS[name].title}"
            known = intervals.get(name)
            st.metric(
                title,
                METRICS[name].write(value),
                interval(known) if known else None,
                delta_color="off",
                delta_arrow="off",
                help=HELP.get(name),
                width="content",
            )
    rows = f"{report['rows']:,} rows" + (", weighted" if report.get("weighted") else "")
    blank = f"; {report['blank']:,} rows without scores left out" if report.get("blank") else ""
    ranges = " Below each metric, its 95 % interval: how far off it can be by chance."
    st.caption(f"On {rows}{blank}.{ranges * bool(intervals)}")


def show_reliability(report: Report, model: str) -> None:
    """Draw the share of rows with the label over their score: a small chart for each label."""
    st.caption(
        "On the dashed line, scores are as high as the share of rows that carry the label. Grey "
        "bars: how many rows have such a score."
    )
    drawn = [(label, each) for label, each in report["labels"].items() if each["reliability"]]
    for first in range(0, min(len(drawn), MOST_CHARTS), CHARTS_ACROSS):
        row = drawn[first : first + CHARTS_ACROSS]
        for (label, values), column in zip(row, st.columns(CHARTS_ACROSS), strict=False):
            with column:
                _reliability(label_name(label, model), values)
    if len(drawn) > MOST_CHARTS:
        st.caption(f"{len(drawn) - MOST_CHARTS} more labels are not drawn.")


def _reliability(name: str, values: Mapping[str, Any]) -> None:
    st.markdown(
        f"**{in_markdown(name)}**  \n{values['positives']:,} of {values['rows']:,} rows carry it"
    )
    points = [
        {
            "score": point["mean_score"],
            "share with the label": point["share_positive"],
            "rows": round(point["weight"]),
        }
        for point in values["reliability"]
    ]
    described = ", ".join(
        f"{percentage(point['share with the label'])} of {point['rows']:,} rows scored about "
        f"{percentage(point['score'])}"
        for point in points
    )
    charts.reliability(points, alt=f"Reliability of {name}: the label is carried by {described}.")
