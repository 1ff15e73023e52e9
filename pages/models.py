"""Models: what can be picked, how good each is, and the operating point of its labels."""

import time

import numpy as np
import streamlit as st

from comment_toxicity import Classifier
from comment_toxicity.errors import UserError
from ui import session
from ui.catalog import definition, label_name
from ui.comment import table
from ui.examples import SAMPLES
from ui.models.audit_tab import show_audit
from ui.models.facts import ModelFacts, description, facts
from ui.models.hub_check import check_hub_model
from ui.models.measure_tab import measure_here
from ui.picker import FROM_HUB, kind, load_model, pick_model, pickable, tell
from ui.report import figure, show_reliability, show_report
from ui.settings import HUB_TYPED, PageSettings
from ui.text import in_markdown
from ui.words import meaning, percent

LATENCY = "latency"


def main() -> None:
    """Lay out the page: all models, then the one that is picked."""
    st.title("Models", anchor=False)
    overview = st.container()
    _from_the_hub()  # can add one to them
    overview.html(_overview())
    name = pick_model("Look at")
    st.write(in_markdown(description(name)))
    known = facts(name)
    if known is None:
        if kind(name) != FROM_HUB:
            load_model(name)  # it is here and cannot be read: this tells why
            return
        st.info("This model lies on the Hub. Once it is loaded here, more is known of it.")
        if st.button("Load it", icon=":material/download:") and load_model(name):
            st.rerun()
        return
    about, figures, audit, measure, card = st.tabs(
        ["About", "Figures", "Fairness and robustness", "Measure and adjust", "Card"]
    )
    with about:
        _about(name, known)
    with figures:
        _figures(name, known)
    with audit:
        show_audit(name, known.folder)
    with measure:
        measure_here(name)
    with card:
        st.markdown(known.card or _no_card(name))


def _no_card(name: str) -> str:
    if kind(name) != FROM_HUB:
        return "This model brings no card."
    repo = name.partition("@")[0]
    return f"Its card is not on this machine: read it on <https://huggingface.co/{repo}>."


def _overview() -> str:
    """List all models with where they are and, where measured, their mean ROC-AUC."""
    rows = []
    for name in pickable():
        known = facts(name)
        area = known.mean_roc_auc if known else None
        labels = str(len(known.folder.labels)) if known else "–"
        size = f"{known.megabytes:,.0f} MB" if known else "–"
        rows.append((name, kind(name), labels, size, figure(area)))
    return table(("model", "where", "labels", "size", "mean ROC-AUC"), rows, numbers=3)


def _from_the_hub() -> None:
    """Let the visitor add a model by its Hub id, once it has been looked at."""
    settings = PageSettings.read()
    with st.expander("Add a model from the Hugging Face Hub"):
        if not settings.typed_models:
            st.write(
                f"Off on this public server. Whoever runs it turns it on with {HUB_TYPED}\\=1."
            )
            return
        with st.form("hub", border=False):
            name = st.text_input("Hub id", placeholder="owner/name, or owner/name@revision")
            asked = st.form_submit_button("Check and add")
        if not asked:
            return
        name = (name or "").strip()
        try:
            with st.spinner("Asking the Hub …"):
                gigabytes = check_hub_model(name, settings.hub_gigabytes)
        except UserError as error:
            tell(error)
            return
        session.add_typed_model(name)
        st.success(in_markdown(f"{name} ({gigabytes:.2f} GB) is in the picker now."))


def _about(name: str, known: ModelFacts) -> None:
    """Show labels, what a score means, and how quick the model is here."""
    folder = known.folder
    limits = session.thresholds(name)
    rows = []
    for label in folder.labels:
        limit = limits.get(label, folder.decision.labels[label].threshold)
        shown = "–" if limit is None else percent(limit)
        named = label_name(label, name)
        rows.append((named, definition(named), shown))
    st.html(table(("label", "a comment carries it when it is, or does", "threshold"), rows, 1))
    st.caption(f"{known.megabytes:,.0f} MB of weights; reads {folder.window} tokens at a time.")
    if st.button("Load it and measure its speed", icon=":material/speed:"):
        model = load_model(name)
        if model:
            with st.spinner("Scoring the sample comments …"):
                st.session_state[LATENCY] = {name: _latency(model)}
            st.caption(in_markdown(meaning(model)))
    seconds = st.session_state.get(LATENCY, {}).get(name)
    if seconds:
        st.metric(
            "median of one comment on this machine, now",
            f"{1000 * seconds:,.1f} ms",
            help="Ten sample comments of some 20 tokens, one at a time, twice.",
        )


def _latency(model: Classifier) -> float:
    """Give the median seconds of one short comment."""
    model.score(SAMPLES[:1])
    seconds = []
    for sample in SAMPLES * 2:
        started = time.perf_counter()
        model.score([sample])
        seconds.append(time.perf_counter() - started)
    return float(np.median(seconds))


def _figures(name: str, known: ModelFacts) -> None:
    """Show the figures that came with the model."""
    if known.measured is None:
        st.info("This model brings no figures: measure it on labelled comments of your own.")
        return
    side, report = known.measured
    try:
        data = known.metrics.get("data", {}).get("name", "")
        of = f" of {in_markdown(data)}" if side == "test" and data else ""
        st.write(f"Measured on {side} rows{of}, which it was not trained on.")
        show_report(report, name)
        st.subheader("Is a score what it says?", anchor=False)
        show_reliability(report, name)
    except (KeyError, TypeError, ValueError, AttributeError):
        st.info("Its metrics.json is of another kind than this page can show.")
    for picture in known.pictures:
        alt = "ROC and precision-recall curves" if picture.stem == "curves" else "Confusion"
        st.image(str(picture), caption=f"{alt} of the run's test rows, a line or field a label")


main()
