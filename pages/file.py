"""File: score all comments of a file, review the result, and download it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from comment_toxicity import Classifier
from comment_toxicity.errors import UserError
from comment_toxicity.fetch import find
from comment_toxicity.files.read import input_format
from ui import session
from ui.downloads import Offer, links
from ui.files.ask import ask_for_column, ask_for_upload
from ui.files.decide import show_decisions
from ui.files.desk import ORDER, SHOW, Rows, choose_rows, show_rows
from ui.files.export import write_scored
from ui.files.job import FileJob
from ui.files.kept import JOB, SOURCE, find_again, forget, keep, workspace_of_file
from ui.files.labelled import can_measure, label_columns, report_on
from ui.files.languages import LANGUAGES, offer_after, offer_before
from ui.files.preview import Preview, preview
from ui.files.reread import WINDOWS, look_without_header, reread
from ui.files.scored_file import ScoredFile
from ui.files.thresholds import choose_thresholds, show_spread
from ui.files.upload import PASTED, Source, save_lines
from ui.markup import paragraph, rows_table
from ui.messages import show_error, show_needs_full_installation
from ui.picker import load_model, pick_model, use_model
from ui.report import show_report
from ui.style import WIDE
from ui.text import in_markdown
from ui.words import size_of
from ui.workspace import workspace

UPLOADS, PREVIEW = "uploads", "first rows"
ROWS_MEASURED_AT_ONCE = 50_000
MOST_REASONS = 5


def main() -> None:
    """Lay out the page: what to score, then its progress, then the result."""
    found = find_again()
    keep()
    source: Source | None = st.session_state.get(SOURCE)
    job: FileJob | None = st.session_state.get(JOB)
    if job is not None and job.result is not None and job.progress.state == "done":
        st.html(WIDE)
        _review(job)
        return
    st.title("Review a file", anchor=False)
    if not found:
        st.info(
            "That file is no longer on this server: it was discarded, or its page was closed for "
            "some minutes. Upload it again."
        )
    if source is None:
        st.write(
            "Upload comments, read them beside their scores, and get them back with one score per "
            "label. The file is kept only while you work on it here."
        )
        _ask_for_comments()
    elif job is None or job.progress.state in ("cancelled", "failed"):
        _ask_how(source, job)
    else:
        _follow(job)


def _ask_for_comments() -> None:
    left, right = st.columns(2, gap="large")
    with left:
        try:
            source = ask_for_upload(UPLOADS, look=look_without_header)
        except UserError as error:
            show_error(error)
            source = None
    with right, st.form("paste", border=False):
        text = st.text_area("Or paste comments, one per line", height=120)
        asked = st.form_submit_button("Use these lines")
        try:
            pasted = save_lines(text or "", workspace().new_folder()) if asked else None
        except UserError as error:
            show_error(error)
            pasted = None
    if source or pasted:
        st.session_state[SOURCE] = source or pasted
        st.rerun()


def _ask_how(source: Source, failed: FileJob | None) -> None:
    with st.container(border=True):
        about = f"**{in_markdown(source.name)}** · {size_of(source.path)}"
        read = _preview(source)
        st.markdown(f"{about} · {read.in_words()}" if read else about)
        table = st.container()
        left, right = st.columns(2)
        with left:
            column = ask_for_column(source)
        with right:
            name = pick_model()
        if read:
            table.html(rows_table(read.columns, read.first, column))
        _how_it_was_read(source, read)
        model = load_model(name) if name in find.available_models() else None
        if model and read:
            offer_before(source, column, model, read.rows)
        with st.container(horizontal=True):
            pressed = st.button("Score the file", type="primary", icon=":material/play_arrow:")
            st.button("Start over", on_click=_forget)
    if failed:
        if failed.progress.state == "failed":
            show_error(failed.progress.message)
        else:
            st.info("Cancelled. Nothing was kept.")
    if pressed and (model := model or load_model(name)):
        st.session_state[JOB] = _job(source, column, model)
        st.rerun()


def _job(source: Source, column: str, model: Classifier) -> FileJob:
    mine = workspace_of_file()
    job = FileJob(source, column, model, mine.new_folder(), mine.ended, languages=True)
    own = session.thresholds(model.name)
    job.chosen = {label: own[label] for label in job.thresholds if label in own}
    return job


def _preview(source: Source) -> Preview | None:
    """The file's first rows, read once; None, and why, where they cannot be read."""
    about = (source.path, source.header, source.encoding)
    known = st.session_state.get(PREVIEW)
    if known is None or known[0] != about:
        try:
            with st.spinner("Reading the file …"):
                known = (about, preview(source))
        except UserError as error:
            show_error(error)
            return None
        st.session_state[PREVIEW] = known
    return known[1]


def _how_it_was_read(source: Source, read: Preview | None) -> None:
    """Let the visitor say that a CSV has no header, or is in Windows' encoding."""
    if input_format(str(source.path)) != "csv" or source.path.name == PASTED:
        return
    header, encoding = source.header, source.encoding
    with st.container(horizontal=True):
        header = st.toggle(
            "The first row is a header",
            source.header,
            key=f"header {source.folder.name}",
            help="Turn this off if it is a comment: then it is scored, too.",
        )
        if (read and read.not_utf8) or source.encoding:
            windows = st.toggle(
                "Windows-1252 (Western European)",
                bool(source.encoding),
                key=f"encoding {source.folder.name}",
                help="Turn this on if the rows above show � in place of letters.",
            )
            encoding = WINDOWS if windows else ""
    if (header, encoding) == (source.header, source.encoding):
        return
    try:
        st.session_state[SOURCE] = reread(source, header, encoding)
    except UserError as error:
        show_error(error)
        return
    st.rerun()


@st.fragment(run_every=0.5)
def _follow(job: FileJob) -> None:
    """Show the job's progress, twice a second."""
    progress = job.progress
    if progress.over:
        st.rerun()
    with st.container(border=True, key="watched"):
        st.progress(progress.share, progress.in_words())
        st.caption("You can use the other pages in the meantime.")
        st.button("Cancel", on_click=job.cancel, icon=":material/stop:")


@st.fragment
def _review(job: FileJob) -> None:
    """The desk: all that depends on the thresholds and on the row that is looked at."""
    scored = job.result
    if scored is None:
        return
    with st.container(key="head", horizontal=True, vertical_alignment="center", gap="medium"):
        st.title(in_markdown(job.source.name), anchor=False, width="content")
        figures = st.container(width="content")
        if st.button("Start over", icon=":material/delete:"):
            _ask_to_discard(job)
    if other := offer_after(job):
        _score_again(job, other)
    flags = choose_thresholds(job, scored)
    figures.html(_figures(job, scored, flags))
    rows = choose_rows(job, scored, flags)
    show_rows(job, scored, rows, flags)
    with st.container(horizontal=True, vertical_alignment="center"):
        _downloads(job, scored, rows, flags)
        show_spread(job, scored)
    show_decisions(job, flags)
    _notes(job, scored)
    if label_columns(scored.columns, scored.labels, job.single_label, job.model_name):
        st.subheader("Report", anchor=False)
        st.write("The file has label columns, so the model can be measured on it.")
        _report(job, job.chosen)


def _score_again(job: FileJob, name: str) -> None:
    """Score the file with another model of the same labels; what was decided stays."""
    if model := load_model(name):
        use_model(name)
        again = _job(job.source, job.text_column, model)
        again.decisions, again.row = job.decisions, job.row
        st.session_state[JOB] = again
        job.discard()
        st.rerun()


def _figures(job: FileJob, scored: ScoredFile, flags: NDArray[np.bool_]) -> str:
    figures = [f"{scored.rows:,} rows"]
    if not job.single_label:
        figures.append(f"{int(flags.any(axis=1).sum()):,} flagged")
    unscored = scored.rows - int(scored.scored.sum())
    foreign = int(job.foreign.sum()) if job.foreign is not None else 0
    figures += [f"{unscored:,} not scored"] * bool(unscored)
    figures += [f"{foreign:,} in other languages"] * bool(foreign)
    return paragraph(" · ".join(figures), "figures")


def _downloads(job: FileJob, scored: ScoredFile, rows: Rows, flags: NDArray[np.bool_]) -> None:
    """Offer the rows shown, and all rows; both in the format that came in."""
    wanted = np.zeros(scored.rows, dtype=bool)
    wanted[rows] = True
    layout, name = job.layout, f"{job.source.path.stem}-scored{job.layout.suffix}"

    def write(which: NDArray[np.bool_] | None) -> Callable[[Path], None]:
        return lambda path: write_scored(scored, path, layout, flags, which)

    everything = Offer(job.folder, "all", write(None))
    at = "" if job.single_label else ", flags at these thresholds"
    offers = [(everything, name, f"Download all{at}")]
    if len(rows) < scored.rows:
        part = Offer(job.folder, "shown", write(wanted))
        title = f"Download the {len(rows):,} row{'s' * (len(rows) != 1)} shown"
        offers.insert(0, (part, name.replace("-scored", "-shown"), title))
    st.html(links(offers))


def _notes(job: FileJob, scored: ScoredFile) -> None:
    """What to know about the scores and the downloads."""
    reasons = [
        f"{rows:,} row{'s' * (rows != 1)} skipped: {in_markdown(reason)}"
        for reason, rows in scored.unscored_reasons().items()
    ]
    if reasons:
        more = f"; and {len(reasons) - MOST_REASONS} other reasons" * (len(reasons) > MOST_REASONS)
        st.caption("; ".join(reasons[:MOST_REASONS]) + more)
    if in_part := scored.scored_in_part():
        st.caption(
            f"{in_part:,} comments are very long, so only their beginnings were scored. The column "
            "“reason” says how much of each."
        )
    flags = "the most likely class" if job.single_label else "the labels at these thresholds"
    formulas = (
        " Cells that a spreadsheet would read as formulas begin with an apostrophe."
        * job.layout.is_csv
    )
    st.caption(
        f"Scored with {in_markdown(_models(job))}, {job.progress.rate:,.0f} rows/s. Downloads "
        f"are {in_markdown(job.layout.in_words)}, as the file was. Their column “flags” holds "
        f"{flags}.{formulas}"
    )
    for note in job.notes:
        st.caption(in_markdown(note))


def _models(job: FileJob) -> str:
    """The model that scored the file, or each model and how many rows it scored."""
    rows = job.rows_by_model()
    if len(rows) == 1:
        return job.model_name
    return " and ".join(
        f"{name} ({count:,} row{'s' * (count != 1)})" for name, count in rows.items()
    )


@st.dialog("Discard this file?")
def _ask_to_discard(job: FileJob) -> None:
    made = len(job.decisions)
    decisions = f", with your {made:,} decision{'s' * (made != 1)}" * bool(made)
    st.write(
        f"{in_markdown(job.source.name)} and its scores are deleted from this server{decisions}."
    )
    if st.button("Discard", type="primary", on_click=_forget):
        st.rerun()


def _report(job: FileJob, chosen: dict[str, float]) -> None:
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
            report = report_on(job, chosen)
    except UserError as error:
        show_error(error)
        return
    show_report(report, job.model_name)


def _forget() -> None:
    """Discard the file and its result, and begin again."""
    forget()
    for key in (PREVIEW, LANGUAGES, SHOW, ORDER):
        st.session_state.pop(key, None)
    st.query_params.clear()


main()
