"""The form for a file of comments, on every page that takes one: the upload, and its column."""

from collections.abc import Callable
from pathlib import Path

import streamlit as st

from comment_toxicity.errors import DataError
from comment_toxicity.files.read import READABLE, SPREADSHEETS
from finetune.checkout import ROOT
from ui.files.upload import MEGABYTES, Source, look_into, save_upload
from ui.text import in_markdown
from ui.words import size_of
from ui.workspace import workspace

SAMPLE_FILE = Path("data") / "sample.csv"
SAMPLE, UPLOAD = str(SAMPLE_FILE), "Upload labelled comments"
LAYOUT = (
    "CSV (also .tsv, .txt): a header line, then one line per comment, in UTF-8. JSON: one object "
    "per line, or an array of objects. Both can be compressed with gzip (.csv.gz, .jsonl.gz). "
    "Excel: save the sheet as “CSV UTF-8” first."
)


def ask_for_upload(
    key: str, help: str = LAYOUT, look: Callable[[Path, str], Source] = look_into
) -> Source | None:
    """Show an uploader. Returns the file, copied into the visitor's folder.

    look: reads the columns of a file. Raises DataError when it cannot be read.
    """
    # With another key it is another, empty widget, and Streamlit releases its copy of the file.
    count = st.session_state.get(key, 0)
    refusal = st.session_state.pop(f"{key} refusal", None)
    upload = st.file_uploader(
        f"CSV, Parquet or JSON, up to {MEGABYTES} MB",
        type=["gz", *READABLE, *SPREADSHEETS],  # a spreadsheet is refused with advice
        max_upload_size=MEGABYTES,
        key=f"{key} {count}",
        help=help,
    )
    if refusal is not None:
        raise refusal
    if upload is None:
        return None
    st.session_state[key] = count + 1
    try:
        with st.spinner("Reading the file …"):
            return save_upload(upload, upload.name, workspace().new_folder(), look)
    except DataError as error:
        # The new widget must be on the page before another file is given to this one and lost.
        st.session_state[f"{key} refusal"] = error
        st.rerun()


def ask_for_labelled(key: str, help: str) -> tuple[Source, str] | None:
    """Let the visitor use the sample, or upload labelled comments.

    key: names the file in the session. Returns the file and its column with the comments; None
    before there is one. Raises DataError when it cannot be read.
    """
    st.session_state.setdefault(chosen_by(key), SAMPLE)
    choice = st.segmented_control(
        "Labelled comments",
        [SAMPLE, UPLOAD],
        required=True,
        key=chosen_by(key),
        persist_state="session",
    )
    if choice == SAMPLE:
        st.caption(
            "A few hundred comments to try this page with: too few to train or judge a model."
        )
        sample = look_into(ROOT / SAMPLE_FILE, SAMPLE)
        return sample, sample.text_column
    source: Source | None = st.session_state.get(key)
    uploaded = ask_for_upload(f"{key} uploads", help)
    if uploaded is not None:
        if source is not None:
            workspace().discard(source.folder)
        st.session_state[key] = uploaded
        st.rerun()
    if source is None:
        return None
    st.caption(f"{in_markdown(source.name)}, {size_of(source.path)}")
    return source, ask_for_column(source)


def chosen_by(key: str) -> str:
    """The session's key of the choice between sample and upload, of ask_for_labelled(key)."""
    return f"{key} from"


def ask_for_column(source: Source) -> str:
    """Ask which column holds the comments; the guess is preselected."""
    return st.selectbox(
        "Column with the comments",
        source.columns,
        index=source.columns.index(source.text_column),
        key=f"comments of {source.folder.name} {source.header}",
        persist_state="session",
    )
