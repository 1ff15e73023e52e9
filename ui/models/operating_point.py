"""The operating point of a label: from which score on it is flagged, and what that costs."""

import dataclasses
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from comment_toxicity import Classifier
from comment_toxicity.decision import FILE_NAME, Decision
from ui import charts, session
from ui.catalog import label_name
from ui.files.labelled import Labelled, OperatingPoints
from ui.html import table
from ui.text import in_markdown
from ui.words import BY_HAND

THRESHOLD, PRECISION, RECALL = "a threshold", "a precision", "a recall"
ASKED = {
    THRESHOLD: "Flag from this score on",
    PRECISION: "At least this share of flags should be right",
    RECALL: "At least this share of such comments should be found",
}


@st.fragment
def choose_operating_point(model: Classifier, labelled: Labelled) -> None:
    """Let the visitor choose a label's threshold, and use and take away what was chosen."""
    name = in_markdown(model.name)

    def named(label: str) -> str:
        return label_name(label, model.name)

    st.write(
        "A higher threshold flags less and errs less often; a lower one finds more. Choose by what "
        "a false alarm and a miss cost you."
    )
    left, right = st.columns(2)
    label = left.selectbox(
        "Label", labelled.labels, format_func=named, key=f"operating label {model.name}"
    )
    way = right.segmented_control(
        "Choose by", list(ASKED), default=THRESHOLD, required=True, key=f"way {model.name}"
    )
    points = labelled.operating_points(label)
    if points is None:
        st.info("All rows that know this label are of one kind, so there is nothing to choose by.")
        return
    place = _asked(points, str(way), _current(model, label), f"{model.name} {label}")
    if place is None:
        st.info("No threshold reaches that on these rows: ask for less.")
        return
    chosen = float(points.thresholds[place])
    _consequences(points, place)
    _draw(points, named(label), chosen)
    if st.button(f"Use {chosen:.0%} for {in_markdown(named(label))}", type="primary"):
        own = {**session.thresholds(model.name), label: chosen}
        session.set_thresholds(model.name, own)
        st.rerun()
    own = session.thresholds(model.name)
    if own:
        said = ", ".join(f"{named(key)} {value:.0%}" for key, value in own.items())
        st.success(in_markdown(f"In use for this session, on every page: {said}."))
        with st.container(horizontal=True):
            _offer(model, labelled, own)
            if st.button("Back to the model's own thresholds"):
                session.set_thresholds(model.name, {})
                st.rerun()
    st.caption(f"{points.positives:,} rows carry the label. Model: {name}.")


def with_thresholds(decision: Decision, labelled: Labelled, own: Mapping[str, float]) -> Decision:
    """Put thresholds into a decision, with how they did on the labelled rows."""
    labels = dict(decision.labels)
    own = {label: value for label, value in own.items() if label in labels}
    for label, threshold in own.items():
        points = labelled.operating_points(label)
        found: dict[str, Any] = {}
        if points is not None:
            place = points.at(threshold)
            precision = points.precision[place]
            found = {
                "positives": points.positives,
                "precision": None if np.isnan(precision) else round(float(precision), 4),
                "recall": round(float(points.recall[place]), 4),
            }
        labels[label] = dataclasses.replace(labels[label], threshold=threshold, **found)
    kept, *before = BY_HAND.split(decision.criterion or "")
    by_hand = dict.fromkeys([*", ".join(before).split(", "), *own])
    hand = f"by hand: {', '.join(filter(None, by_hand))}"
    criterion = "; ".join(filter(None, [kept, hand]))
    return dataclasses.replace(decision, labels=labels, criterion=criterion)


def decision_file(decision: Decision) -> str:
    """Give the content of decision.json."""
    with tempfile.TemporaryDirectory() as folder:
        decision.save(Path(folder))
        return (Path(folder) / FILE_NAME).read_text(encoding="utf-8")


def _current(model: Classifier, label: str) -> float:
    own = session.thresholds(model.name)
    return float(own.get(label, model.thresholds.get(label, 0.5)))


def _asked(points: OperatingPoints, way: str, current: float, key: str) -> int | None:
    begin = points.at(current)
    if way == THRESHOLD:
        start = float(points.thresholds[begin])
    else:
        share = (points.precision if way == PRECISION else points.recall)[begin]
        start = 0.8 if np.isnan(share) else round(float(np.clip(share, 0.01, 0.99)), 2)
    value = st.slider(ASKED[way], 0.01, 0.99, start, 0.01, key=f"{way} {key}")
    if way == THRESHOLD:
        return points.at(value)
    return points.at_precision(value) if way == PRECISION else points.at_recall(value)


def _consequences(points: OperatingPoints, place: int) -> None:
    precision = points.precision[place]
    figures = {
        "threshold": f"{points.thresholds[place]:.0%}",
        "precision": "–" if np.isnan(precision) else f"{precision:.1%}",
        "recall": f"{points.recall[place]:.1%}",
        "rows flagged": f"{points.flagged[place]:.1%}",
    }
    with st.container(horizontal=True, gap="medium"):
        for title, value in figures.items():
            st.metric(title, value, width="content")


def _draw(points: OperatingPoints, name: str, chosen: float) -> None:
    values = [
        {"threshold": float(threshold), "share": float(share), "label": kind}
        for kind, shares in (("precision", points.precision), ("recall", points.recall))
        for threshold, share in zip(points.thresholds, shares, strict=True)
        if not np.isnan(share)
    ]
    alt = f"Precision and recall of {name} over the threshold; a table is below."
    charts.trade_off(values, chosen, alt)
    with st.expander("The same as a table"):
        rows = [
            (
                f"{points.thresholds[place]:.0%}",
                "–" if np.isnan(points.precision[place]) else f"{points.precision[place]:.1%}",
                f"{points.recall[place]:.1%}",
                f"{points.flagged[place]:.1%}",
            )
            for place in range(4, 99, 5)
        ]
        st.html(table(("threshold", "precision", "recall", "rows flagged"), rows, numbers=3))


def _offer(model: Classifier, labelled: Labelled, own: Mapping[str, float]) -> None:
    if not model.calibrated:
        st.caption(
            "This model brings no decision.json to put them in: calibrate it with finetune first."
        )
        return
    content = decision_file(with_thresholds(model.decision, labelled, own))
    st.download_button(
        "Download decision.json",
        content,
        "decision.json",
        "application/json",
        on_click="ignore",
        help="Put it into the model's folder in place of the one there, and every reader of the "
        "model goes by your thresholds.",
    )
