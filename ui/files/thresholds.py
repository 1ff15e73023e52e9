"""The thresholds of a scored file in one strip: a slider and a count per label, kept with it."""

from collections.abc import Mapping

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from finetune.measure.tables import percentage
from ui import charts
from ui.catalog import label_name
from ui.files.job import FileJob
from ui.files.scored_file import ScoredFile
from ui.text import in_markdown
from ui.thresholds import choose_preset
from ui.words import WHOLE_PERCENT

LOWEST, HIGHEST = 1, 99  # per cent


def choose_thresholds(job: FileJob, scored: ScoredFile) -> NDArray[np.bool_]:
    """Show a slider and a count per label. Returns the flags at these thresholds: (rows, labels).

    job.chosen holds what was chosen. A single-label model has counts alone.
    """
    for label in job.limits:
        value = st.session_state.get(_key(job, label))
        if value is None:
            continue
        if value != _shown(job.limits[label]):
            job.chosen[label] = value / 100
        if label in job.chosen and value == _shown(job.thresholds[label]):
            del job.chosen[label]  # back where it was: the model's own holds, unrounded
    flags = scored.flags(job.limits, job.chosen)
    total = max(1, int(scored.scored.sum()))
    if job.limits:
        choose_preset(
            job.presets,
            job.chosen,
            f"preset {job.folder.name}",
            lambda chosen: _take(job, chosen),
            "Or move a slider. Kept with this file, and used in its downloads.",
        )
    with st.container(horizontal=True, key="thresholds", vertical_alignment="bottom"):
        for label, count in zip(scored.labels, flags.sum(axis=0), strict=True):
            name = in_markdown(label_name(label, job.model_name))
            counted = f"{name} · {count:,} ({percentage(count / total)})"
            with st.container(width=158):
                if label not in job.limits:
                    st.markdown(counted)
                    continue
                # Where a slider stands is its state alone, which a preset sets too.
                st.session_state.setdefault(_key(job, label), _shown(job.limits[label]))
                st.slider(
                    counted,
                    LOWEST,
                    HIGHEST,
                    format=WHOLE_PERCENT,
                    key=_key(job, label),
                    persist_state="session",
                )
    if scored.flagged is not None and len(job.chosen) < len(job.limits):
        st.caption(
            "Thresholds depend on a comment's language. The sliders show the general ones; one "
            "that you move holds for all languages."
        )
    return flags


def _key(job: FileJob, label: str) -> str:
    return f"threshold {label} {job.folder.name}"


def _shown(threshold: float) -> int:
    """A threshold as its slider can show it, in per cent."""
    return int(np.clip(round(100 * threshold), LOWEST, HIGHEST))


def _take(job: FileJob, chosen: Mapping[str, float]) -> None:
    """Use these thresholds, and move the sliders there."""
    job.chosen = dict(chosen)
    for label, threshold in job.limits.items():
        st.session_state[_key(job, label)] = _shown(threshold)


def show_spread(job: FileJob, scored: ScoredFile) -> None:
    """Offer the histograms."""
    with st.popover("How the scores are spread"):
        _histograms(job, scored)


def _histograms(job: FileJob, scored: ScoredFile) -> None:
    st.caption("Rows by score, the height is the square root of their number.")
    for label in scored.labels:
        name = label_name(label, job.model_name)
        st.markdown(f"**{in_markdown(name)}**")
        charts.histogram(scored.histogram(label), job.limits.get(label), name)
