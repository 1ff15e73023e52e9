"""Models: a shelf with a card for each one; with ?model=NAME, the page of that model."""

from collections.abc import Callable

import streamlit as st

from comment_toxicity.errors import UserError
from ui import session
from ui.messages import off_on_public_server, show_error
from ui.models.about_tab import show_about
from ui.models.audit_tab import show_audit
from ui.models.code_tab import show_code
from ui.models.facts import ModelFacts, description, facts_of
from ui.models.hub_check import check_hub_model
from ui.models.measure_tab import adjust, compare
from ui.models.metrics_tab import show_metrics
from ui.models.shelf import MODEL_IN_ADDRESS, look_at, show_shelf, show_use
from ui.models.verdict import good_and_bad
from ui.picker import FROM_HUB, load_model, origin, pickable
from ui.settings import HUB_TYPED, PageSettings
from ui.text import in_markdown


def main() -> None:
    """Lay out the shelf, or the page of the model that the address names."""
    name = st.query_params.get(MODEL_IN_ADDRESS)
    if name in pickable():
        _model(name)
        return
    st.title("Models", anchor=False)
    if name is not None:
        show_error(f"There is no model called {name} here. These can be chosen:")
    shelf = st.container()
    _from_the_hub()  # can add one to it
    with shelf:
        show_shelf()


def _model(name: str) -> None:
    """Show one model. To look at it does not choose it for Score and File; its button does."""
    st.button("All models", icon=":material/arrow_back:", on_click=look_at, args=(None,))
    st.title(in_markdown(name), anchor=False)
    st.write(in_markdown(description(name)))
    show_use(name)
    facts = facts_of(name)
    if facts is None:
        if origin(name) != FROM_HUB:
            load_model(name)  # it is here and cannot be read: this shows why
            return
        st.info("Not downloaded yet. Download it to see its labels and size.")
        if st.button("Download it", icon=":material/download:") and load_model(name):
            st.rerun()
        return
    _good_and_bad(name, facts)
    # The open tab is in the address; what the others show is not computed.
    tabs = st.tabs(list(TABS), key="tab", bind="query-params")
    for tab, show in zip(tabs, TABS.values(), strict=True):
        if tab.open:
            with tab:
                show(name, facts)


def _good_and_bad(name: str, facts: ModelFacts) -> None:
    """List what the model does well, and what it does not, in plain words."""
    good, bad = good_and_bad(name, facts)
    for title, sentences, column in zip(
        ("Good at", "Not good at"), (good, bad), st.columns(2, gap="medium"), strict=True
    ):
        with column:
            st.header(title, anchor=False)
            lines = (f"- {in_markdown(sentence)}" for sentence in sentences)
            st.markdown("\n".join(lines) if sentences else "Nothing that was measured.")


def _adjust(name: str, facts: ModelFacts) -> None:
    show_about(name, facts)
    st.header("Choose thresholds on your own rows", anchor=False)
    adjust(name)


def _show_card(name: str, facts: ModelFacts) -> None:
    st.markdown(facts.card or _no_card(name))


TABS: dict[str, Callable[[str, ModelFacts], None]] = {
    "Adjust": _adjust,
    "Compare": lambda name, facts: compare(name),
    "Metrics": show_metrics,
    "Fairness": lambda name, facts: show_audit(name, facts.folder),
    "Use from code": lambda name, facts: show_code(name),
    "Card": _show_card,
}


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
