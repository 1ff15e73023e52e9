"""The tab Metrics: those that came with the model."""

import streamlit as st

from comment_toxicity.languages import NAMES
from finetune.measure.languages import language_table
from ui.catalog import label_name
from ui.messages import CALIBRATION, measured_on
from ui.models.facts import ModelFacts
from ui.report import show_reliability, show_report, show_table
from ui.text import in_markdown


def show_metrics(name: str, facts: ModelFacts) -> None:
    """Show the tab; metrics.json can be a stranger's."""
    if facts.measured is None:
        st.info("This model has no metrics yet. Measure it on your own labelled comments.")
        return
    split, report = facts.measured
    try:
        data = facts.metrics.get("data", {}).get("name", "")
        of = f" of {in_markdown(data)}" if split == "test" and data else ""
        st.write(measured_on(f"{split} rows{of}"))
        show_report(report, name)
        if languages := facts.metrics.get("languages"):
            label = label_name(languages["label"], name)
            st.subheader(in_markdown(f"{label} by language"), anchor=False)
            by_language = language_table(languages).renamed("language", _named)
            show_table(by_language)
            st.caption(in_markdown(by_language.note.replace("`", "")))
        st.subheader(CALIBRATION, anchor=False)
        show_reliability(report, name)
    except (KeyError, TypeError, ValueError, AttributeError):
        st.info("Its metrics.json has a format that this page cannot show.")


def _named(code: str) -> str:
    """The name of a language, which keeps the mark of one without training rows."""
    code, *mark = code.split(" ")
    return " ".join([NAMES.get(code, code), *mark])
