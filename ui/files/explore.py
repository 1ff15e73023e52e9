"""A scored file, looked at: thresholds that recount at once, histograms, and its rows."""

from collections.abc import Mapping

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from comment_toxicity.decision import reaches
from comment_toxicity.files.write import FLAGS, REASON, score_columns
from ui import charts
from ui.catalog import label_name
from ui.files.scored_file import ScoredFile
from ui.text import in_markdown, shortened

MOST_SHOWN = 200
EVERY, ANY, NONE, UNSCORED = "all rows", "flagged by any label", "flagged by none", "without scores"


def choose_thresholds(
    scored: ScoredFile, thresholds: Mapping[str, float], model: str, key: str
) -> dict[str, float]:
    """Show a histogram, a slider and a count a label. Gives the thresholds that were set.

    thresholds: where the sliders begin; none where labels exclude each other.
    """
    chosen = {}
    for place, label in enumerate(scored.labels):
        if place % 3 == 0:  # a row of columns at a time, so that a phone keeps the labels' order
            columns = st.columns(3)
        with columns[place % 3], st.container(border=True):
            name = label_name(label, model)
            st.markdown(f"**{in_markdown(name)}**")
            limit = None
            if label in thresholds:
                begin = round(float(np.clip(thresholds[label], 0.01, 0.99)), 2)
                limit = st.slider(
                    f"Threshold of {in_markdown(name)}",
                    0.01,
                    0.99,
                    begin,
                    0.01,
                    key=f"threshold {label} {key}",
                    label_visibility="collapsed",
                )
                # Where the slider was not moved, the model's own threshold decides, unrounded.
                moved = abs(limit - begin) > 0.001
                chosen[label] = limit if moved else thresholds[label]
            st.caption(_count(scored, label, chosen))
            charts.histogram(scored.histogram(label), limit, name)
    return chosen


def _count(scored: ScoredFile, label: str, chosen: Mapping[str, float]) -> str:
    if label in chosen:
        column = scored.scores[:, scored.labels.index(label)]
        rows, what = int(reaches(column, chosen[label]).sum()), "flagged"
    else:
        rows, what = int(scored.flags({})[:, scored.labels.index(label)].sum()), "likeliest"
    total = int(scored.scored.sum())
    return f"**{rows:,}** of {total:,} rows {what} ({rows / max(1, total):.1%})"


def browse(scored: ScoredFile, flags: NDArray[np.bool_], model: str, key: str) -> None:
    """Show rows: filtered, sorted over the whole file, and the first of them as a table.

    flags: (rows, labels), as ScoredFile.flags gives them.
    """
    names = {label: label_name(label, model) for label in scored.labels}
    shown, order, search = st.columns([2, 2, 3])
    kinds = [EVERY, ANY, *(f"flagged: {name}" for name in names.values()), NONE, UNSCORED]
    kind = shown.selectbox("Show", kinds, key=f"shown rows {key}")
    orders = ["as in the file", *(f"{name}, highest first" for name in names.values())]
    chosen_order = order.selectbox("Order", orders, key=f"order of rows {key}")
    text = search.text_input(
        "Containing", key=f"search {key}", placeholder="words in the comment", max_chars=200
    )

    wanted = _rows_of(kind, scored, flags, kinds)
    if text:
        wanted = wanted & scored.containing(text)
    rows = np.flatnonzero(wanted)
    if chosen_order != orders[0]:
        keys = scored.scores[rows, orders.index(chosen_order) - 1]
        rows = rows[np.argsort(-np.nan_to_num(keys, nan=-1.0), kind="stable")]
    first = rows[:MOST_SHOWN]
    if not len(first):
        st.info("No row is like that.")
        return
    few = f"the first {len(first):,} of " if len(first) < len(rows) else ""
    st.caption(f"Showing {few}{len(rows):,} rows; the downloads hold all.")
    _table(scored, first, flags, names)


def _rows_of(
    kind: str, scored: ScoredFile, flags: NDArray[np.bool_], kinds: list[str]
) -> NDArray[np.bool_]:
    if kind == EVERY:
        return np.ones(scored.rows, dtype=bool)
    if kind == ANY:
        return np.asarray(flags.any(axis=1))
    if kind == UNSCORED:
        return ~scored.scored
    if kind == NONE:
        return scored.scored & ~flags.any(axis=1)
    return flags[:, kinds.index(kind) - 2]


def _table(
    scored: ScoredFile, rows: NDArray[np.integer], flags: NDArray[np.bool_], names: dict[str, str]
) -> None:
    columns = [scored.text_column, *score_columns(scored.labels)]
    reasons = [REASON] if REASON in scored.columns else []
    table = scored.take(rows, columns + reasons)
    texts = table[scored.text_column].fillna("").astype(str)
    table[scored.text_column] = [shortened(text, 300) for text in texts]
    table[score_columns(scored.labels)] *= 100
    labels = np.array(list(names.values()))
    table.insert(1, FLAGS, [", ".join(labels[flags[row]]) for row in rows])
    progress = {
        f"{label}_score": st.column_config.ProgressColumn(
            name, format="%.0f %%", min_value=0, max_value=100, width="small"
        )
        for label, name in names.items()
    }
    st.dataframe(
        table,
        column_config={
            "_index": st.column_config.NumberColumn("row", width="small"),
            scored.text_column: st.column_config.TextColumn("comment", width="large"),
            FLAGS: "flagged",
            **progress,
        },
        alt="Rows of the file with their scores",
    )
