"""The tab Measure and adjust: a model, and perhaps a second one, on labelled comments."""

from typing import Any

import streamlit as st

from comment_toxicity import Classifier
from comment_toxicity.errors import DataError, UserError
from finetune.measure.tables import decimals
from ui import charts, session
from ui.catalog import card_label, label_name
from ui.files.ask import ask_for_labelled
from ui.files.job import FileJob
from ui.files.labelled import X_ROC, Y_ROC, can_measure, label_columns, labelled_rows, report_on
from ui.files.upload import Source
from ui.html import table
from ui.messages import CALIBRATION, show_error, show_needs_full_installation
from ui.models.operating_point import choose_operating_point
from ui.picker import load_model, pick_second_model
from ui.report import show_reliability, show_report
from ui.text import in_markdown
from ui.workspace import workspace

MEASURED, MEASURED_SOURCE = "measured", "rows to measure on"
LAYOUT = (
    "One column per label, with 0 or 1, and -1 or nothing for unknown. For a single-label model, a "
    "column “label” with the class. A column “weight” sets how much each row counts."
)


def measure_here(name: str) -> None:
    """Show the tab: measure on labelled comments, then choose thresholds."""
    if not can_measure():
        show_needs_full_installation("Measuring")
        return
    second = pick_second_model(name, key="second measured model")
    try:
        labelled = ask_for_labelled(MEASURED_SOURCE, LAYOUT)
    except UserError as error:
        show_error(error)
        labelled = None
    pressed = st.button(
        "Measure", type="primary", icon=":material/play_arrow:", disabled=labelled is None
    )
    if pressed and labelled:
        _start(list(filter(None, [name, second])), *labelled)
    jobs: list[FileJob] = st.session_state.get(MEASURED, [])
    jobs = [job for job in jobs if job.model_name in (name, second)]
    if any(not job.progress.over for job in jobs):
        _follow(jobs)
        return
    _results(name, jobs)


def _start(names: list[str], source: Source, comments: str) -> None:
    """Start, if every model can be loaded and the file has labels for each."""
    _stop()
    loaded = [model for name in names if (model := load_model(name))]
    refused = [model for model in loaded if not _labels_in(source, model)]
    for model in refused:
        _show_missing(source, model)
    # Errors stay only where no job starts: the end of a job runs the page again.
    if len(loaded) == len(names) and not refused:
        mine = workspace()
        st.session_state[MEASURED] = [
            FileJob(source, comments, model, mine.new_folder(), mine.ended) for model in loaded
        ]


def _labels_in(source: Source, model: Classifier) -> dict[str, str]:
    return label_columns(source.columns, model.labels, model.single_label, model.name)


def _show_missing(source: Source, model: Classifier) -> None:
    named = ", ".join(card_label(label, model.name) for label in model.labels)
    wanted = "called “label”" if model.single_label else f"for a label of {model.name} ({named})"
    columns = ", ".join(source.columns)
    show_error(DataError(f"{source.name}: has no column {wanted}; it has {columns}."))


def _stop() -> None:
    for job in st.session_state.pop(MEASURED, []):
        job.discard()


@st.fragment(run_every=0.5)
def _follow(jobs: list[FileJob]) -> None:
    if all(job.progress.over for job in jobs):
        st.rerun()
    for job in jobs:
        progress = job.progress
        rows = f"{progress.rows:,} of {progress.total:,} rows" if progress.total else "waiting …"
        st.progress(progress.share, in_markdown(f"{job.model_name}: {rows}"))
    st.button("Cancel", on_click=_stop, icon=":material/stop:")


def _results(name: str, jobs: list[FileJob]) -> None:
    reports: dict[str, Any] = {}
    for job in jobs:
        if job.result is None:
            show_error(job.progress.message or "Cancelled.")
            continue
        try:
            with st.spinner("Measuring …"):
                thresholds = {**job.thresholds, **session.thresholds(job.model_name)}
                reports[job.model_name] = report_on(job, thresholds)
        except UserError as error:
            show_error(error)
    if not reports:
        return
    st.subheader(f"Results on {in_markdown(jobs[0].source.name)}", anchor=False)
    if len(reports) > 1:
        _compare(reports)
    for model, report in reports.items():
        if len(reports) > 1:
            st.markdown(f"**{in_markdown(model)}**")
        show_report(report, model)
    if name in reports:
        _curves(next(job for job in jobs if job.model_name == name), reports[name])


def _compare(reports: dict[str, Any]) -> None:
    """Show the metrics of two models side by side, by the labels that both have."""
    first, second = reports
    named = [
        {label_name(label, model): metrics for label, metrics in report["labels"].items()}
        for model, report in reports.items()
    ]
    rows = []
    for key, title in (
        ("roc_auc", "ROC-AUC"),
        ("average_precision", "average precision"),
        ("f1", "F1"),
    ):
        for label in named[0]:
            pair = [labels.get(label, {}).get(key) for labels in named]
            if None not in pair:
                rows.append((title, label, *map(decimals, pair), f"{pair[1] - pair[0]:+.4f}"))
    st.html(table(("metric", "label", first, second, "difference"), rows, numbers=3))


def _curves(job: FileJob, report: dict) -> None:
    name, labelled = job.model_name, labelled_rows(job)
    roc, precision_recall = job.once("curves", lambda: labelled.curve_points(name))
    if roc:
        left, right = st.columns(2)
        with left:
            st.markdown("**ROC**")
            alt = "ROC curves. The table above has the areas below them."
            charts.lines(roc, X_ROC, Y_ROC, alt)
        with right:
            st.markdown("**Precision and recall**")
            alt = "Precision-recall curves. The table above has the average precisions."
            charts.lines(precision_recall, "recall", "precision", alt)
    st.subheader(CALIBRATION, anchor=False)
    show_reliability(report, name)
    model = load_model(name)
    if model and not model.single_label:
        st.subheader("Operating point", anchor=False)
        choose_operating_point(model, labelled)
