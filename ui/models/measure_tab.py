"""The tabs Adjust and Compare: a model, or two of them, on labelled comments."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from comment_toxicity.errors import UserError
from finetune.measure.tables import decimals, percentage, weight
from ui import charts, session
from ui.catalog import label_name
from ui.files.ask import ask_for_labelled
from ui.files.job import FileJob
from ui.files.labelled import X_ROC, Y_ROC, can_measure, labelled_rows, report_on
from ui.files.truth import Truth
from ui.files.upload import Source
from ui.markup import table
from ui.messages import CALIBRATION, show_error, show_needs_full_installation
from ui.models.facts import facts_of
from ui.models.operating_point import choose_operating_point
from ui.models.shelf import show_use
from ui.models.truth import ask_for_truth
from ui.picker import load_model, pick_second_model
from ui.report import show_reliability, show_report
from ui.text import in_markdown
from ui.workspace import workspace

MEASURED, COMPARED, MEASURED_SOURCE = "measured", "compared", "rows to measure on"
SECOND_MEASURED = "second measured model"
AT_ONCE = "measure at once"
"""Session key that another page sets, so that a visitor who asked there need not ask here."""
TRUTHS = "truths of"  # with one of the first two: model → Truth
LAYOUT = (
    "One column per label, with 0 or 1, and -1 or nothing for unknown; or one column with the "
    "class. A column “weight” sets how much each row counts."
)


def adjust(name: str) -> None:
    """Show the tab Adjust: measure on labelled comments, then choose thresholds."""
    if not can_measure():
        show_needs_full_installation("Measuring")
        return
    reports, jobs = _measured([name], MEASURED)
    for report in reports.values():
        st.subheader(f"Results on {in_markdown(jobs[0].source.name)}", anchor=False)
        show_report(report, name)
        _curves(jobs[0], report)


def compare(name: str) -> None:
    """Show the tab Compare: two models on the same labelled comments."""
    if not can_measure():
        show_needs_full_installation("Measuring")
        return
    st.write(
        "Both models score the same rows. Rows that a model was trained on make it look better "
        "than it is: take others."
    )
    second = pick_second_model(name, key=SECOND_MEASURED)
    if second is None:
        return
    if facts_of(second) is None:
        st.info(f"{in_markdown(second)} is not downloaded yet.")
        if st.button("Download it", icon=":material/download:") and load_model(second):
            st.rerun()
        return
    reports, jobs = _measured([name, second], COMPARED)
    if not reports:
        return
    st.subheader(f"Results on {in_markdown(jobs[0].source.name)}", anchor=False)
    if len(reports) > 1:
        _side_by_side(reports, st.session_state.get(f"{TRUTHS} {COMPARED}", {}))
        show_use(name, f"Use {in_markdown(name)}")
    for model, report in reports.items():
        st.markdown(f"**{in_markdown(model)}**")
        show_report(report, model)


def _measured(names: list[str], key: str) -> tuple[dict[str, Any], list[FileJob]]:
    """Ask for labelled comments and measure models on them. Returns a report per model, and jobs.

    key: names what was measured last, in the session. No report before it is done.
    """
    labelled, truths, ready = None, dict[str, Truth | None](), False
    try:
        labelled = ask_for_labelled(MEASURED_SOURCE, LAYOUT)
        if labelled:
            truths = {name: _truth(name, *labelled) for name in names}
            ready = None not in truths.values()
            if not ready:
                st.caption("Choose what the labels of the file are called by each model.")
    except UserError as error:
        show_error(error)
    pressed = st.button("Measure", type="primary", icon=":material/play_arrow:", disabled=not ready)
    at_once = ready and st.session_state.pop(AT_ONCE, False)
    if (pressed or at_once) and labelled:
        _start(names, *labelled, truths, key)
    jobs: list[FileJob] = st.session_state.get(key, [])
    if [job.model_name for job in jobs] != names:
        return {}, []
    if any(not job.progress.over for job in jobs):
        _follow(jobs, key)
        return {}, []
    return _reports(jobs, st.session_state.get(f"{TRUTHS} {key}", {})), jobs


def _truth(name: str, source: Source, comments: str) -> Truth | None:
    facts = facts_of(name)
    if facts is None:
        return None
    folder = facts.folder
    return ask_for_truth(source, comments, name, folder.labels, folder.decision.single_label)


def _start(
    names: list[str], source: Source, comments: str, truths: Mapping[str, Truth | None], key: str
) -> None:
    """Start, if every model can be loaded."""
    _stop(key)
    loaded = [model for name in names if (model := load_model(name))]
    # Errors stay only where no job starts: the end of a job runs the page again.
    if len(loaded) == len(names):
        mine = workspace()
        st.session_state[f"{TRUTHS} {key}"] = dict(truths)
        st.session_state[key] = [
            FileJob(source, comments, model, mine.new_folder(), mine.ended) for model in loaded
        ]


def _stop(key: str) -> None:
    for job in st.session_state.pop(key, []):
        job.discard()


@st.fragment(run_every=0.5)
def _follow(jobs: list[FileJob], key: str) -> None:
    if all(job.progress.over for job in jobs):
        st.rerun()
    with st.container(key=f"watched {key}"):
        for job in jobs:
            now = job.progress
            rows = f"{now.rows:,} of {now.total:,} rows" if now.total else "waiting …"
            st.progress(now.share, in_markdown(f"{job.model_name}: {rows}"))
        st.button("Cancel", on_click=_stop, args=(key,), icon=":material/stop:")


def _reports(jobs: list[FileJob], truths: Mapping[str, Truth | None]) -> dict[str, Any]:
    reports: dict[str, Any] = {}
    for job in jobs:
        name = job.model_name
        if job.result is None:
            show_error(job.progress.message or "Cancelled.")
            continue
        try:
            with st.spinner("Measuring …"):
                reports[name] = report_on(job, session.thresholds(name), truths.get(name))
        except UserError as error:
            show_error(error)
    return reports


def _side_by_side(reports: dict[str, Any], truths: Mapping[str, Truth]) -> None:
    """Show two models side by side, by the labels of the file that both know.

    First what they get wrong, in rows: that holds for a handful of rows, too.
    """
    named = [
        {
            truths[model].names.get(label, label_name(label, model)): metrics
            for label, metrics in report["labels"].items()
        }
        for model, report in reports.items()
    ]
    labels = [label for label in named[0] if label in named[1]]
    if not labels:
        st.info("No label of the file is known to both models, so there is nothing to compare.")
        return
    if named[0].keys() == named[1].keys():
        st.markdown(_wholly_right(reports))
    pairs = [(label, *(labels[label] for labels in named)) for label in labels]
    _errors(list(reports), pairs)
    _metrics(list(reports), pairs)


def _wholly_right(reports: Mapping[str, Any]) -> str:
    """How many rows each model gets right in every label, in one sentence of Markdown."""
    said = []
    for model, report in reports.items():
        exact = report.get("original_at_thresholds", {}).get("exact_match")
        share = report.get("accuracy", exact)
        if share is None:
            return ""
        said.append(f"{in_markdown(model)} **{percentage(share)}**")
    rows = next(iter(reports.values()))["rows"]
    return f"Of {rows:,} rows, right in every label: {', '.join(said)}."


Pairs = Sequence[tuple[str, Mapping[str, Any], Mapping[str, Any]]]
"""A label as the file calls it, and the metrics of both models."""


def _errors(models: Sequence[str], pairs: Pairs) -> None:
    """Show the false alarms and the misses of each label, in rows."""
    rows = []
    for label, *both in pairs:
        cells = [cell for each in both if (cell := each.get("confusion"))]
        if len(cells) == len(both):
            counts = [cell[kind] for kind in ("false_positive", "false_negative") for cell in cells]
            rows.append((label, *map(weight, counts)))
    if rows:
        titles = [f"{what}, {model}" for what in ("false alarms", "missed") for model in models]
        st.html(table(("label in the file", *titles), rows, numbers=4))


def _metrics(models: Sequence[str], pairs: Pairs) -> None:
    """Show the metrics that both models have, and the first's lead over the second."""
    rows = []
    for key, title in (
        ("roc_auc", "ROC-AUC"),
        ("average_precision", "average precision"),
        ("f1", "F1"),
    ):
        for label, first, second in pairs:
            ours, theirs = first.get(key), second.get(key)
            if ours is not None and theirs is not None:
                lead = f"{ours - theirs:+.4f}"
                rows.append((title, label, decimals(ours), decimals(theirs), lead))
    if not rows:
        st.caption(
            "No label has rows with it and rows without it, so there is no ROC-AUC and no F1."
        )
        return
    st.html(table(("metric", "label in the file", *models, "difference"), rows, numbers=3))


def _curves(job: FileJob, report: dict) -> None:
    name = job.model_name
    truth = st.session_state.get(f"{TRUTHS} {MEASURED}", {}).get(name)
    labelled = labelled_rows(job, truth)
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
