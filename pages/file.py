"""File: score all comments of a file, look at the result, and download it."""

import streamlit as st

from comment_toxicity.errors import UserError
from ui import session
from ui.downloads import links
from ui.files.ask import ask_for_column, ask_for_upload
from ui.files.explore import browse, choose_thresholds
from ui.files.job import FileJob
from ui.files.labelled import can_measure, label_columns, report_on
from ui.files.upload import Source, save_lines
from ui.messages import show_error, show_needs_full_installation
from ui.picker import load_model, pick_model
from ui.report import show_report
from ui.text import in_markdown
from ui.words import size_of
from ui.workspace import workspace

SOURCE, JOB, UPLOADS = "source", "file job", "uploads"
UPLOAD, PASTE = "Upload a file", "Paste lines"
ROWS_MEASURED_AT_ONCE = 50_000
MOST_REASONS = 5


def main() -> None:
    """Lay out the page: what to score, then its progress, then the result."""
    st.title("Score a file", anchor=False)
    st.write(
        "Upload comments and get them back with one score per label. The file is kept only while "
        "you work on it here."
    )
    source: Source | None = st.session_state.get(SOURCE)
    job: FileJob | None = st.session_state.get(JOB)
    if source is None:
        _ask_for_comments()
    elif job is None or job.progress.state in ("cancelled", "failed"):
        _ask_how(source, job)
    elif not job.progress.over:
        _follow(job)
    else:
        _show_result(job)


def _ask_for_comments() -> None:
    choice = st.segmented_control("Comments from", [UPLOAD, PASTE], default=UPLOAD, required=True)
    try:
        source = ask_for_upload(UPLOADS) if choice == UPLOAD else _pasted()
    except UserError as error:
        show_error(error)
        return
    if source:
        st.session_state[SOURCE] = source
        st.rerun()


def _pasted() -> Source | None:
    with st.form("paste", border=False):
        text = st.text_area("One comment per line", height=200)
        asked = st.form_submit_button("Use these lines", type="primary")
    return save_lines(text or "", workspace().new_folder()) if asked else None


def _ask_how(source: Source, failed: FileJob | None) -> None:
    with st.container(border=True):
        st.markdown(f"**{in_markdown(source.name)}** · {size_of(source.path)}")
        left, right = st.columns(2)
        with left:
            column = ask_for_column(source)
        with right:
            name = pick_model()
        with st.container(horizontal=True):
            pressed = st.button("Score the file", type="primary", icon=":material/play_arrow:")
            st.button("Start over", on_click=_forget)
    if failed:
        if failed.progress.state == "failed":
            show_error(failed.progress.message)
        else:
            st.info("Cancelled. Nothing was kept.")
    if pressed and (model := load_model(name)):
        mine = workspace()
        st.session_state[JOB] = FileJob(source, column, model, mine.new_folder(), mine.ended)
        st.rerun()


@st.fragment(run_every=0.5)
def _follow(job: FileJob) -> None:
    """Show the job's progress, twice a second."""
    progress = job.progress
    if progress.over:
        st.rerun()
    with st.container(border=True):
        st.progress(progress.share, progress.in_words())
        st.caption("You can use the other pages in the meantime.")
        st.button("Cancel", on_click=job.cancel, icon=":material/stop:")


def _show_result(job: FileJob) -> None:
    scored = job.result
    if scored is None:
        return
    flagged = int(scored.flags(job.thresholds).any(axis=1).sum())
    unscored = scored.rows - int(scored.scored.sum())
    with st.container(horizontal=True, gap="medium"):
        st.metric("rows", f"{scored.rows:,}", width="content")
        if not job.single_label:
            own = "At the model's own thresholds, as in the downloads."
            st.metric("flagged", f"{flagged:,}", width="content", help=own)
        st.metric("not scored", f"{unscored:,}", width="content")
        st.metric("rows/s", f"{job.progress.rate:,.0f}", width="content")
    reasons = [
        f"{rows:,} × {in_markdown(reason)}" for reason, rows in scored.unscored_reasons().items()
    ]
    if reasons:
        more = f", and {len(reasons) - MOST_REASONS} other reasons" * (len(reasons) > MOST_REASONS)
        st.caption(f"Not scored: {', '.join(reasons[:MOST_REASONS])}{more}")
    if in_part := scored.scored_in_part():
        st.caption(
            f"{in_part:,} comments are very long, so only their beginnings were scored. The column "
            "“reason” says how much of each."
        )
    name = f"{job.source.path.stem}-scored"
    csv = (job.csv, f"{name}.csv", "Download CSV")
    parquet = (scored.path, f"{name}.parquet", "Download Parquet")
    st.html(links([csv, parquet] if job.csv.exists() else [parquet]))
    own = "the labels at or above the model's own thresholds"
    flags = "the most likely class" if job.single_label else own
    st.caption(
        f"Scored with {in_markdown(job.model_name)}. The flags column holds {flags}. In the CSV, "
        "cells that a spreadsheet would read as formulas begin with an apostrophe."
    )
    for note in job.notes:
        st.caption(in_markdown(note))
    st.button("Start over", on_click=_forget)
    _explore(job)


@st.fragment
def _explore(job: FileJob) -> None:
    """What depends on the thresholds: counts, rows, and the report."""
    scored = job.result
    if scored is None:
        return
    st.subheader("Thresholds" if job.thresholds else "Classes", anchor=False)
    initial = {**job.thresholds, **session.thresholds(job.model_name)} if job.thresholds else {}
    key = scored.path.parent.name
    thresholds = choose_thresholds(scored, initial, job.model_name, key)
    st.subheader("Rows", anchor=False)
    browse(scored, scored.flags(thresholds), job.model_name, key)
    if label_columns(scored.columns, scored.labels, job.single_label, job.model_name):
        st.subheader("Report", anchor=False)
        st.write("The file has label columns, so the model can be measured on it.")
        _report(job, thresholds)


def _report(job: FileJob, thresholds: dict[str, float]) -> None:
    scored = job.result
    if scored is None:
        return
    if not can_measure():
        show_needs_full_installation("Measuring")
        return
    if scored.rows > ROWS_MEASURED_AT_ONCE and not st.toggle(
        f"Measure all {scored.rows:,} rows (takes a few seconds after each change)"
    ):
        return
    try:
        with st.spinner("Measuring …"):
            report = report_on(job, thresholds)
    except UserError as error:
        show_error(error)
        return
    show_report(report, job.model_name)


def _forget() -> None:
    """Discard the file and its result."""
    job: FileJob | None = st.session_state.pop(JOB, None)
    if job:
        job.discard()
    source: Source | None = st.session_state.pop(SOURCE, None)
    if source:
        workspace().discard(source.path.parent)


main()
