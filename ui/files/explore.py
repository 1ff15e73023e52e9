"""A look at a scored file: thresholds that recount at once, histograms, and its rows."""

from collections.abc import Mapping

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from comment_toxicity.decision import reaches
from finetune.measure.tables import percentage
from ui import charts
from ui.catalog import label_name
from ui.files.scored_file import ScoredFile
from ui.text import in_markdown, shortened

MOST_SHOWN = 200
ALL, FLAGGED, UNFLAGGED, UNSCORED = "all rows", "flagged", "not flagged", "not scored"


def choose_thresholds(
    scored: ScoredFile, thresholds: Mapping[str, float], model: str, key: str
) -> dict[str, float]:
    """Show a histogram, a slider and a count per label. Returns the thresholds that were set.

    thresholds: where the sliders begin; empty for a single-label model.
    """
    chosen = {}
    for index, label in enumerate(scored.labels):
        if index % 3 == 0:  # a row of columns at a time, so that a phone keeps the labels' order
            columns = st.columns(3)
        with columns[index % 3], st.container(border=True):
            name = label_name(label, model)
            st.markdown(f"**{in_markdown(name)}**")
            threshold = None
            if label in thresholds:
                initial = round(float(np.clip(thresholds[label], 0.01, 0.99)), 2)
                threshold = st.slider(
                    f"Threshold for {in_markdown(name)}",
                    0.01,
                    0.99,
                    initial,
                    0.01,
                    key=f"threshold {label} {key}",
                    label_visibility="collapsed",
                )
                # Of a slider that was not moved, the model's own threshold holds, unrounded.
                moved = abs(threshold - initial) > 0.001
                chosen[label] = threshold if moved else thresholds[label]
            st.caption(_count(scored, label, chosen))
            charts.histogram(scored.histogram(label), threshold, name)
    return chosen


def _count(scored: ScoredFile, label: str, chosen: Mapping[str, float]) -> str:
    if label in chosen:
        column = scored.scores[:, scored.labels.index(label)]
        rows, what = int(reaches(column, chosen[label]).sum()), "flagged"
    else:
        rows, what = int(scored.flags({})[:, scored.labels.index(label)].sum()), "most likely"
    total = int(scored.scored.sum())
    return f"**{rows:,}** of {total:,} rows {what} ({percentage(rows / max(1, total))})"


def browse(scored: ScoredFile, flags: NDArray[np.bool_], model: str, key: str) -> None:
    """Show rows, filtered and sorted over the whole file; the first of them as a table.

    flags: (rows, labels), from ScoredFile.flags.
    """
    names = {label: label_name(label, model) for label in scored.labels}
    left, middle, right = st.columns([2, 2, 3])
    filters = [ALL, FLAGGED, *(f"flagged: {name}" for name in names.values()), UNFLAGGED, UNSCORED]
    chosen = left.selectbox("Show", filters, key=f"shown rows {key}")
    orders = ["as in the file", *(f"{name}, highest first" for name in names.values())]
    chosen_order = middle.selectbox("Order", orders, key=f"order of rows {key}")
    text = right.text_input(
        "Contains", key=f"search {key}", placeholder="words in the comment", max_chars=200
    )

    wanted = _matching(filters, chosen, scored, flags)
    if text:
        wanted = wanted & scored.containing(text)
    rows = np.flatnonzero(wanted)
    if chosen_order != orders[0]:
        keys = scored.scores[rows, orders.index(chosen_order) - 1]
        rows = rows[np.argsort(-np.nan_to_num(keys, nan=-1.0), kind="stable")]
    first = rows[:MOST_SHOWN]
    if not len(first):
        st.info("No rows match.")
        return
    first_of = f"the first {len(first):,} of " if len(first) < len(rows) else ""
    st.caption(f"Showing {first_of}{len(rows):,} rows; the downloads have every row.")
    _table(scored, first, flags, names)


def _matching(
    filters: list[str], chosen: str, scored: ScoredFile, flags: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    if chosen == ALL:
        return np.ones(scored.rows, dtype=bool)
    if chosen == FLAGGED:
        return np.asarray(flags.any(axis=1))
    if chosen == UNSCORED:
        return ~scored.scored
    if chosen == UNFLAGGED:
        return scored.scored & ~flags.any(axis=1)
    return flags[:, filters.index(chosen) - 2]


def _table(
    scored: ScoredFile, rows: NDArray[np.integer], flags: NDArray[np.bool_], names: dict[str, str]
) -> None:
    added = scored.added
    columns = [scored.text_column, *added.scores]
    reasons = [added.reason] if added.reason in scored.columns else []
    table = scored.take(rows, columns + reasons)
    texts = table[scored.text_column].fillna("").astype(str)
    table[scored.text_column] = [shortened(text, 300) for text in texts]
    table[added.scores] *= 100
    labels = np.array(list(names.values()))
    table.insert(1, added.flags, [", ".join(labels[flags[row]]) for row in rows])
    progress = {
        column: st.column_config.ProgressColumn(
            name, format="%.0f %%", min_value=0, max_value=100, width="small"
        )
        for column, name in zip(added.scores, names.values(), strict=True)
    }
    st.dataframe(
        table,
        column_config={
            "_index": st.column_config.NumberColumn("row", width="small"),
            scored.text_column: st.column_config.TextColumn("comment", width="large"),
            added.flags: "flagged",
            **progress,
        },
        alt="Rows of the file with their scores",
    )
