"""Asking for a file of comments, on every page that takes one: the upload, and its column."""

from pathlib import Path

import streamlit as st

from comment_toxicity.fetch.find import ROOT
from ui.files.upload import MEGABYTES, Source, look_into, save_upload
from ui.text import in_markdown
from ui.workspace import workspace

SAMPLE_FILE = Path("data") / "sample.csv"
SAMPLE, UPLOAD = str(SAMPLE_FILE), "Upload labelled comments"
LAYOUT = (
    "CSV: a header line, then one line a comment, UTF-8. JSON lines: one object a line. "
    "CSV and JSON lines can be packed with gzip (.csv.gz, .jsonl.gz). "
    "An Excel file: save it as “CSV UTF-8” first."
)


def ask_for_upload(key: str, help: str = LAYOUT) -> Source | None:
    """Show an uploader; give what was handed in, copied into the visitor's folder.

    Raises DataError when it cannot be read.
    """
    # With another key it is another, empty widget: Streamlit lets go of its copy of the file.
    count = st.session_state.get(key, 0)
    upload = st.file_uploader(
        f"CSV, Parquet or JSON lines, up to {MEGABYTES} MB",
        type=["csv", "gz", "jsonl", "parquet"],
        max_upload_size=MEGABYTES,
        key=f"{key} {count}",
        help=help,
    )
    if upload is None:
        return None
    st.session_state[key] = count + 1
    with st.spinner("Reading the file …"):
        return save_upload(upload, upload.name, workspace().new_folder())


def ask_for_labelled(key: str, help: str) -> tuple[Source, str] | None:
    """Let the visitor take the sample, or hand in labelled comments. None before that was done.

    key: of this question, by which the session keeps the file. Gives the file, and its column with
    the comments. Raises DataError when it cannot be read.
    """
    way = st.segmented_control(
        "Labelled comments", [SAMPLE, UPLOAD], default=SAMPLE, required=True, key=f"{key} from"
    )
    if way == SAMPLE:
        st.caption("A few hundred comments to try this page with; too few to train or judge by.")
        sample = look_into(ROOT / SAMPLE_FILE, SAMPLE)
        return sample, sample.text_column
    source: Source | None = st.session_state.get(key)
    handed_in = ask_for_upload(f"{key} uploads", help)
    if handed_in is not None:
        if source is not None:
            workspace().discard(source.path.parent)
        st.session_state[key] = handed_in
        st.rerun()
    if source is None:
        return None
    st.caption(f"{in_markdown(source.name)}, {source.megabytes():,.1f} MB")
    return source, ask_for_column(source)


def ask_for_column(source: Source) -> str:
    """Ask which column holds the comments; the guess stands first."""
    return st.selectbox(
        "Column with the comments",
        source.columns,
        index=source.columns.index(source.text_column),
        key=f"comments of {source.path.parent.name}",
    )
