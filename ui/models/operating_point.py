"""The operating point of a label: the score from which it is flagged, and the consequences."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import streamlit as st

from comment_toxicity import Classifier
from comment_toxicity.decision import Decision
from comment_toxicity.policy import snippet
from finetune.measure.tables import percentage
from ui import charts, session
from ui.catalog import label_name
from ui.files.labelled import Labelled, OperatingPoints
from ui.markup import table
from ui.text import in_markdown
from ui.thresholds import by_hand, decision_file
from ui.words import WHOLE_PERCENT, percent

THRESHOLD, PRECISION, RECALL = "threshold", "precision", "recall"
COLUMNS = (THRESHOLD, PRECISION, RECALL, "rows flagged")
QUESTIONS = {
    THRESHOLD: "Flag from this score on",
    PRECISION: "At least this share of flags should be right",
    RECALL: "At least this share of comments with the label should be found",
}


@st.fragment
def choose_operating_point(model: Classifier, labelled: Labelled) -> None:
    """Let the visitor choose a label's threshold, use it, and download it."""
    name = in_markdown(model.name)

    def named(label: str) -> str:
        return label_name(label, model.name)

    st.write(
        "A higher threshold gives fewer false alarms; a lower one catches more. Choose by what a "
        "false alarm and a miss cost you."
    )
    left, right = st.columns(2)
    label = left.selectbox(
        "Label", labelled.labels, format_func=named, key=f"operating label {model.name}"
    )
    choose_by = right.segmented_control(
        "Choose by", list(QUESTIONS), default=THRESHOLD, required=True, key=f"way {model.name}"
    )
    points = labelled.operating_points(label)
    if points is None:
        st.info("All rows have this label, or none has it, so there is nothing to choose by.")
        return
    index = _choice(points, str(choose_by), _current(model, label), f"{model.name} {label}")
    if index is None:
        st.info("No threshold reaches that on these rows. Ask for less.")
        return
    chosen = float(points.thresholds[index])
    _show_consequences(points, index)
    _draw(points, named(label), chosen)
    if st.button(f"Use {percent(chosen)} for {in_markdown(named(label))}", type="primary"):
        own = {**session.thresholds(model.name), label: chosen}
        session.set_thresholds(model.name, own)
        st.rerun()
    own = session.thresholds(model.name)
    if own:
        in_use = ", ".join(f"{named(key)} {percent(value)}" for key, value in own.items())
        st.success(in_markdown(f"In use for this session, on every page: {in_use}."))
        with st.container(horizontal=True):
            _offer(model, labelled, own)
            if st.button("Reset to the model's own thresholds"):
                session.set_thresholds(model.name, {})
                st.rerun()
        if model.thresholds:
            st.caption("As a policy of the HTTP service, for the file of `serve --policy`:")
            st.code(snippet(own), language="toml")
    st.caption(f"{points.positives:,} rows have the label. Model: {name}.")


def with_thresholds(decision: Decision, labelled: Labelled, own: Mapping[str, float]) -> Decision:
    """A decision with other thresholds, and their metrics on the labelled rows."""
    measured: dict[str, dict[str, Any]] = {}
    for label, threshold in own.items():
        points = labelled.operating_points(label) if label in decision.labels else None
        if points is not None:
            index = points.at(threshold)
            precision = points.precision[index]
            measured[label] = {
                "positives": points.positives,
                "precision": None if np.isnan(precision) else round(float(precision), 4),
                "recall": round(float(points.recall[index]), 4),
            }
    return by_hand(decision, own, measured)


def _current(model: Classifier, label: str) -> float:
    own = session.thresholds(model.name)
    return float(own.get(label, model.thresholds.get(label, 0.5)))


def _choice(points: OperatingPoints, choose_by: str, current: float, key: str) -> int | None:
    index = points.at(current)
    if choose_by == THRESHOLD:
        share = points.thresholds[index]
    else:
        share = (points.precision if choose_by == PRECISION else points.recall)[index]
        share = 0.8 if np.isnan(share) else share
    question, key = QUESTIONS[choose_by], f"{choose_by} {key}"
    initial = int(np.clip(round(100 * float(share)), 1, 99))
    value = st.slider(question, 1, 99, initial, format=WHOLE_PERCENT, key=key) / 100
    if choose_by == THRESHOLD:
        return points.at(value)
    return points.at_precision(value) if choose_by == PRECISION else points.at_recall(value)


def _show_consequences(points: OperatingPoints, index: int) -> None:
    with st.container(horizontal=True, gap="medium"):
        for title, value in zip(COLUMNS, _row(points, index), strict=True):
            st.metric(title, value, width="content")


def _row(points: OperatingPoints, index: int) -> tuple[str, str, str, str]:
    """A threshold and its consequences in words, as COLUMNS names them."""
    shares = (points.precision[index], points.recall[index], points.flagged[index])
    precision, recall, flagged = map(percentage, map(float, shares))
    return percent(float(points.thresholds[index])), precision, recall, flagged


def _draw(points: OperatingPoints, name: str, chosen: float) -> None:
    values = [
        {"threshold": float(threshold), "share": float(share), "label": metric}
        for metric, shares in (("precision", points.precision), ("recall", points.recall))
        for threshold, share in zip(points.thresholds, shares, strict=True)
        if not np.isnan(share)
    ]
    alt = f"Precision and recall of {name} over the threshold. A table is below."
    charts.trade_off(values, chosen, alt)
    with st.expander("Show as a table"):
        rows = [_row(points, index) for index in range(4, 99, 5)]
        st.html(table(COLUMNS, rows, numbers=3))


def _offer(model: Classifier, labelled: Labelled, own: Mapping[str, float]) -> None:
    if not model.calibrated:
        st.caption(
            "This model has no decision.json to hold them. Calibrate it with finetune first."
        )
        return
    content = decision_file(with_thresholds(model.decision, labelled, own))
    st.download_button(
        "Download decision.json",
        content,
        "decision.json",
        "application/json",
        on_click="ignore",
        help="Replace the file of this name in the model's folder with it, and the page, files and "
        "the HTTP service use your thresholds.",
    )
