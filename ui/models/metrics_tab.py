"""The tab Metrics: those that came with the model."""

import streamlit as st

from ui.messages import CALIBRATION, measured_on
from ui.models.facts import ModelFacts
from ui.report import show_reliability, show_report
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
        st.subheader(CALIBRATION, anchor=False)
        show_reliability(report, name)
    except (KeyError, TypeError, ValueError, AttributeError):
        st.info("Its metrics.json has a format that this page cannot show.")
    for plot in facts.plots:
        confusion = plot.stem == "confusion"
        if confusion and report.get("confusion_matrix"):
            continue  # it is above
        what = "Confusion matrices" if confusion else "ROC and precision-recall curves"
        st.image(str(plot), caption=f"{what} on the run's test rows, by label")
