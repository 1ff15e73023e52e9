"""Models: which there are, how good each one is, and the operating point of its labels."""

import streamlit as st

from comment_toxicity.errors import UserError
from ui import session
from ui.messages import off_on_public_server, show_error
from ui.models.about_tab import show_about
from ui.models.audit_tab import show_audit
from ui.models.facts import description, facts_of
from ui.models.hub_check import check_hub_model
from ui.models.measure_tab import measure_here
from ui.models.metrics_tab import show_metrics
from ui.models.overview import overview_table
from ui.picker import FROM_HUB, load_model, origin, pick_model
from ui.settings import HUB_TYPED, PageSettings
from ui.text import in_markdown


def main() -> None:
    """Lay out the page: all models, then the chosen one."""
    st.title("Models", anchor=False)
    overview = st.container()
    _from_the_hub()  # can add one to them
    overview.html(overview_table())
    name = pick_model()
    st.write(in_markdown(description(name)))
    facts = facts_of(name)
    if facts is None:
        if origin(name) != FROM_HUB:
            load_model(name)  # it is here and cannot be read: this shows why
            return
        st.info("Not downloaded yet. Download it to see its labels and size.")
        if st.button("Download it", icon=":material/download:") and load_model(name):
            st.rerun()
        return
    about, metrics, audit, measure, card = st.tabs(
        ["About", "Metrics", "Fairness and robustness", "Measure and adjust", "Card"]
    )
    with about:
        show_about(name, facts)
    with metrics:
        show_metrics(name, facts)
    with audit:
        show_audit(name, facts.folder)
    with measure:
        measure_here(name)
    with card:
        st.markdown(facts.card or _no_card(name))


def _no_card(name: str) -> str:
    if origin(name) != FROM_HUB:
        return "This model has no card."
    repo = name.partition("@")[0]
    return f"Its card is not on this machine. Read it at <https://huggingface.co/{repo}>."


def _from_the_hub() -> None:
    """Let the visitor add a model by its Hub id, after a check."""
    settings = PageSettings.read()
    with st.expander("Add a model from the Hugging Face Hub"):
        if not settings.typed_models:
            st.write(off_on_public_server("Adding models is", HUB_TYPED))
            return
        with st.form("hub", border=False):
            name = st.text_input("Hub id", placeholder="owner/name, or owner/name@revision")
            pressed = st.form_submit_button("Check and add")
        if not pressed:
            return
        name = (name or "").strip()
        try:
            with st.spinner("Checking with the Hub …"):
                gigabytes = check_hub_model(name, settings.hub_gigabytes, settings.public)
        except UserError as error:
            show_error(error)
            return
        session.add_typed_model(name)
        st.success(in_markdown(f"{name} ({gigabytes:.2f} GB) is now in the list of models."))


main()
