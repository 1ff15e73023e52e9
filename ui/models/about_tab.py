"""The first part of the tab Adjust: labels, what scores mean, and how fast the model is here."""

import time

import numpy as np
import streamlit as st

from comment_toxicity import Classifier
from ui import session
from ui.catalog import definition, label_name
from ui.examples import SAMPLES
from ui.markup import table
from ui.models.facts import ModelFacts
from ui.picker import load_model
from ui.text import in_markdown
from ui.words import meaning, percent

LATENCY = "latency"


def show_about(name: str, facts: ModelFacts) -> None:
    """Show them."""
    folder = facts.folder
    chosen = session.thresholds(name)
    rows = []
    for label in folder.labels:
        threshold = chosen.get(label, folder.decision.labels[label].threshold)
        shown = "–" if threshold is None else percent(threshold)
        title = label_name(label, name)
        rows.append((title, definition(title), shown))
    st.html(table(("label", "what it means", "threshold"), rows, 1))
    st.caption(in_markdown(meaning(folder.decision)))
    st.caption(f"{facts.megabytes:,.0f} MB of weights; reads {folder.window} tokens at a time.")
    if st.button("Load it and measure its speed", icon=":material/speed:"):
        model = load_model(name)
        if model:
            with st.spinner("Scoring the sample comments …"):
                st.session_state[LATENCY] = {name: median_latency(model)}
    seconds = st.session_state.get(LATENCY, {}).get(name)
    if seconds:
        st.metric(
            "median time per comment on this machine",
            f"{1000 * seconds:,.1f} ms",
            help="Ten sample comments of about 20 tokens, scored one at a time, twice.",
        )


def median_latency(model: Classifier) -> float:
    """The median seconds of one short comment."""
    model.score(SAMPLES[:1])
    seconds = []
    for sample in SAMPLES * 2:
        started = time.perf_counter()
        model.score([sample])
        seconds.append(time.perf_counter() - started)
    return float(np.median(seconds))
