"""Rows in languages that the chosen model does not read, and the model here that reads them."""

from collections import Counter

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from comment_toxicity import Classifier
from comment_toxicity.errors import UserError
from comment_toxicity.files.read import open_input
from ui.files.job import FileJob
from ui.files.upload import Source
from ui.language import detector_for, foreign_language, other_reader, read_by, rows_look_foreign
from ui.picker import offer_reader
from ui.settings import PageSettings
from ui.text import in_markdown

LOOKED_AT = 1000  # rows, before a file is scored
SHARE = 0.02
"""From this share of the rows on, another model is offered. Of English comments, one in a thousand
is taken for another language."""
LANGUAGES = "languages of the first rows"


def offer_before(source: Source, column: str, model: Classifier, total: int) -> None:
    """Warn of rows that the model does not read, and offer the model that does.

    total: rows of the file.
    """
    about = (source.path, source.header, source.encoding, column, model.name)
    known = st.session_state.get(LANGUAGES)
    if known is None or known[0] != about:
        known = st.session_state[LANGUAGES] = (about, *_first_rows(source, column, model))
    _, languages, rows = known
    if not _many(languages, rows):
        return
    other = other_reader(_frequent(languages), model.name, model.labels)
    if other and PageSettings.read().by_language:
        st.caption(in_markdown(f"{other} will score the rows that {model.name} does not read."))
        return
    in_words = f"the first {rows:,} rows" if rows < total else f"{rows:,} rows"
    with _warning(rows_look_foreign(languages, in_words, read_by(model))):
        if other:
            offer_reader(other, "other", "these languages")


def offer_after(job: FileJob) -> str | None:
    """The same of a scored file. Returns the model to score it with, when it was asked for."""
    rows = job.result.rows if job.result else 0
    languages = job.foreign_languages
    if not _many(languages, rows):
        return None
    with _warning(rows_look_foreign(languages, f"{rows:,} rows", job.reads)):
        other = other_reader(_frequent(languages), job.model_name, job.labels)
        pressed = other and st.button(
            f"Score again with {other}",
            icon=":material/translate:",
            help="It reads these languages. Your decisions stay with the file.",
        )
    return other if pressed else None


def _many(languages: Counter[str], rows: int) -> bool:
    """Whether so many of these rows are in other languages that it is no chance."""
    return languages.total() >= max(1, SHARE * rows)


def _warning(sentence: str) -> DeltaGenerator:
    """Show a warning. Returns the row that it is in, for a button beside it."""
    row = st.container(horizontal=True, vertical_alignment="center")
    row.warning(sentence, icon=":material/translate:")
    return row


def _first_rows(source: Source, column: str, model: Classifier) -> tuple[Counter[str], int]:
    """The languages that the model does not read in a file's first rows, and how many rows."""
    languages, rows = Counter[str](), 0
    detector = detector_for(model)
    if detector is None:
        return languages, rows
    try:
        with open_input(str(source.path), "csv") as file:
            for chunk in file.chunks(column):
                for text in chunk.texts[: LOOKED_AT - rows]:
                    languages[foreign_language(text or "", detector)] += 1
                    rows += 1
                if rows == LOOKED_AT:
                    break
    except UserError:  # the preview says it
        return Counter(), 0
    del languages[""]
    return languages, rows


def _frequent(languages: Counter[str]) -> list[str]:
    return [code for code, _ in languages.most_common()]
