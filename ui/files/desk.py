"""The review desk: the rows of a scored file as a table, and one of them in detail."""

from collections.abc import Iterable, Sequence

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from comment_toxicity.files.read import BLANK
from ui.catalog import label_name
from ui.comment import show_comment
from ui.files.decide import ROW, ask_for_decision, go_to
from ui.files.decisions import in_words
from ui.files.job import FileJob
from ui.files.scored_file import ScoredFile
from ui.picker import load_model
from ui.text import in_markdown, shortened

PAGE_ROWS = 12
MOST_CHARACTERS = 20_000  # of a comment in detail
LONGEST_SEARCH = 200  # characters
MOST_CELLS = 8  # of the file's own columns beside a comment
ALL, FLAGGED, UNFLAGGED, UNSCORED = "all rows", "flagged", "not flagged", "not scored"
FOREIGN, IN_FILE = "in other languages", "as in the file"
UNDECIDED, DECIDED = "not decided yet", "decided"
SHOW, ORDER, SEARCH = "show", "order", "search"
"""Keys of widgets, and names in the page's address; a search stays out of it."""

Rows = NDArray[np.integer]


def choose_rows(job: FileJob, scored: ScoredFile, flags: NDArray[np.bool_]) -> Rows:
    """Let the visitor filter and sort. Returns the positions of the rows, in order.

    flags: (rows, labels).
    """
    names = _names(job, scored)
    filters = [ALL, FLAGGED, *(f"flagged: {name}" for name in names), UNFLAGGED, UNSCORED]
    filters += [UNDECIDED, DECIDED]
    if job.foreign is not None and job.foreign.any():
        filters.append(FOREIGN)
    orders = [IN_FILE, *(f"{name}, highest first" for name in names)]
    left, middle, right = st.container(key="filters").columns(3)
    shown = left.selectbox(
        "Show", filters, key=SHOW, bind="query-params", on_change=_to_the_first, args=(job,)
    )
    order = middle.selectbox(
        "Order", orders, key=ORDER, bind="query-params", on_change=_to_the_first, args=(job,)
    )
    text = right.text_input(
        "Contains",
        key=f"{SEARCH} {job.folder.name}",
        placeholder="words in the comment",
        persist_state="session",
        on_change=_to_the_first,
        args=(job,),
    )
    wanted = _matching(filters.index(shown), shown, job, scored, flags)
    if text:
        wanted = wanted & scored.containing(text[:LONGEST_SEARCH])
    rows = np.flatnonzero(wanted)
    if order != IN_FILE:
        keys = scored.scores[rows, orders.index(order) - 1]
        rows = rows[np.argsort(-np.nan_to_num(keys, nan=-1.0), kind="stable")]
    return rows


def _names(job: FileJob, scored: ScoredFile) -> list[str]:
    return [label_name(label, job.model_name) for label in scored.labels]


def _matching(
    index: int, shown: str, job: FileJob, scored: ScoredFile, flags: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    if shown == ALL:
        return np.ones(scored.rows, dtype=bool)
    if shown == FLAGGED:
        return np.asarray(flags.any(axis=1))
    if shown == UNSCORED:
        return ~scored.scored
    if shown == UNFLAGGED:
        return scored.scored & ~flags.any(axis=1)
    if shown in (UNDECIDED, DECIDED):
        decided = np.zeros(scored.rows, dtype=bool)
        decided[list(job.decisions)] = True
        return decided if shown == DECIDED else scored.scored & ~decided
    if shown == FOREIGN and job.foreign is not None:
        return job.foreign
    return flags[:, index - 2]


def show_rows(job: FileJob, scored: ScoredFile, rows: Rows, flags: NDArray[np.bool_]) -> None:
    """Show a page of the rows, and the current one in detail. rows: from choose_rows."""
    if not len(rows):
        st.info("No rows match.")
        return
    at = _position(job, rows)
    with st.container(key="desk", horizontal=True, gap="medium"):
        with st.container(key="desk-rows"):
            _table(job, scored, rows, at, flags)
        with st.container(key="desk-row", border=True):
            _detail(job, scored, rows, at, flags)


def _position(job: FileJob, rows: Rows) -> int:
    """Where the current row is among those shown; the first where it is not among them."""
    asked = st.query_params.get(ROW, "")
    if asked.isascii() and asked.isdigit() and len(asked) < 10:
        job.row = int(asked)
    found = np.flatnonzero(rows == job.row - 1)
    at = int(found[0]) if len(found) else 0
    job.row = int(rows[at]) + 1
    if asked != str(job.row):
        st.query_params[ROW] = str(job.row)
    return at


def _to_the_first(job: FileJob) -> None:
    job.row = 0
    st.query_params.pop(ROW, None)


def _table(job: FileJob, scored: ScoredFile, rows: Rows, at: int, flags: NDArray[np.bool_]) -> None:
    first = at // PAGE_ROWS * PAGE_ROWS
    shown = rows[first : first + PAGE_ROWS]
    added, names = scored.added, _names(job, scored)
    own = [name for name in scored.columns if name not in added.names]
    others = [name for name in own if name != scored.text_column]
    order = st.session_state.get(ORDER, IN_FILE)
    scores = dict(zip(added.scores, names, strict=True))
    leading = [column for column, name in scores.items() if order == f"{name}, highest first"]
    rest = [column for column in added.scores if column not in leading]
    reasons = [added.reason] if added.reason in scored.columns else []
    table = scored.take(shown, [scored.text_column, *added.scores, *others, *reasons])
    for column in [scored.text_column, *others]:
        if str(table[column].dtype) in ("object", "str", "string"):
            table[column] = [shortened(str(cell), 300) for cell in table[column].fillna("")]
    table[added.scores] *= 100
    labels = np.array(names, dtype=object)
    table[added.flags] = [", ".join(labels[flags[row]]) for row in shown]
    decided, decision = job.decisions, "your decision"
    while decision in table:
        decision += " "
    table[decision] = [
        f"✓ {in_words(names, decided[row])}" if row in decided else "" for row in map(int, shown)
    ]
    progress = {
        column: st.column_config.ProgressColumn(
            name, format="%.0f %%", min_value=0, max_value=100, width=90
        )
        for column, name in scores.items()
    }
    key = f"rows {job.folder.name}"
    st.session_state[key] = {"selection": {"rows": [at - first], "columns": [], "cells": []}}
    st.dataframe(
        table,
        height=35 * (PAGE_ROWS + 1) + 3,
        column_order=[
            *leading, scored.text_column, added.flags, *[decision] * bool(decided), *others,
            *rest, *reasons,
        ],
        column_config={
            "_index": st.column_config.NumberColumn("row", width=50),
            scored.text_column: st.column_config.TextColumn(width=300),
            added.flags: st.column_config.TextColumn("flagged", width=_width(table[added.flags])),
            decision: st.column_config.TextColumn("your decision", width=_width(table[decision])),
            **progress,
        },
        key=key,
        on_select=lambda: _selected(key, shown),
        selection_mode="single-row",
        alt="Rows of the file with their scores. Choose one to see it in detail.",
    )  # fmt: skip
    pages = -(-len(rows) // PAGE_ROWS)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"Rows {first + 1:,} to {first + len(shown):,} of {len(rows):,}")
        if pages > 1:
            page_key = f"page {job.folder.name}"
            st.session_state[page_key] = first // PAGE_ROWS + 1
            st.pagination(pages, key=page_key, on_change=lambda: _turned(page_key, rows))


def _width(cells: Iterable[str]) -> int:
    """The width in pixels of a column of label names: up to four of them are not cut off."""
    return min(300, max(120, 8 * max(map(len, cells), default=0) + 20))


def _selected(key: str, shown: Rows) -> None:
    chosen: Sequence[int] = st.session_state[key]["selection"]["rows"]
    if chosen:
        go_to(int(shown[chosen[0]]))


def _turned(key: str, rows: Rows) -> None:
    go_to(int(rows[(st.session_state[key] - 1) * PAGE_ROWS]))


def _detail(
    job: FileJob, scored: ScoredFile, rows: Rows, at: int, flags: NDArray[np.bool_]
) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**Row {job.row:,}** · {at + 1:,} of {len(rows):,}")
        before, after = rows[max(0, at - 1)], rows[min(len(rows) - 1, at + 1)]
        st.button("Previous", shortcut="K", disabled=at == 0, on_click=go_to, args=(int(before),))
        st.button(
            "Next",
            shortcut="J",
            disabled=at + 1 == len(rows),
            on_click=go_to,
            args=(int(after),),
        )
    row = scored.take(np.array([rows[at]]), scored.columns).iloc[0]
    own = [name for name in scored.columns if name not in scored.added.names]
    cells = [
        f"{in_markdown(name)}: {in_markdown(shortened(str(row[name]), 80))}"
        for name in own
        if name != scored.text_column
    ]
    text = row[scored.text_column]
    text = str(text) if isinstance(text, str) else ""
    if not scored.scored[rows[at]]:
        st.info(f"Not scored: {in_markdown(str(row.get(scored.added.reason, BLANK)))}")
        st.text(shortened(text, 2000))
    elif model := load_model(job.model_of(int(rows[at]))):
        foreign = job.foreign is not None and bool(job.foreign[rows[at]])
        if foreign:
            st.warning("This looks like a language that the model does not read.")
        ask_for_decision(job, scored, int(rows[at]), flags[rows[at]], int(after))
        scores = np.asarray(scored.scores[rows[at]])
        if model.name != job.model_name:
            st.caption(in_markdown(f"Scored by {model.name}."))
        [language] = model.languages([text])
        model = model.in_language(language)
        show_comment(model, text[:MOST_CHARACTERS], scores, job.chosen, foreign=foreign)
    if cells:
        st.caption(" · ".join(cells[:MOST_CELLS]))
