"""Which model: the list, the choice that all pages share, and its loading."""

import streamlit as st

from comment_toxicity import Classifier
from comment_toxicity.cache import shared_models
from comment_toxicity.errors import UserError
from comment_toxicity.fetch import find
from ui import session
from ui.catalog import HUB_MODELS, other_task
from ui.messages import show_error
from ui.models.facts import facts_of
from ui.models.trial import try_model
from ui.settings import PageSettings
from ui.text import in_markdown, shortened

SHIPPED = (find.EMBEDDED, "toxic-multilingual", "sentiment-minilm")
FROM_HUB = "from the Hub"
MODEL = "model"
"""Session key of the choice that all pages share."""


def pickable() -> list[str]:
    """All models that can be chosen: those on this machine, then those on the Hub."""
    local = find.available_models() or [find.EMBEDDED]
    hub = [*HUB_MODELS, *PageSettings.read().hub_models, *session.typed_models()]
    return list(dict.fromkeys([*local, *hub]))


def origin(name: str) -> str:
    """Where a model comes from, in two or three words."""
    if name in SHIPPED:
        return "shipped, works offline"
    if name.startswith("runs/"):
        return "trained here"
    return FROM_HUB if "/" in name else "in models/"


def shown_name(name: str) -> str:
    """A model as the picker shows it."""
    return f"{name} · {origin(name)}"


def chosen_model() -> str:
    """The model that Score and File use."""
    options = pickable()
    chosen = st.session_state.get(MODEL)
    return chosen if chosen in options else options[0]


def use_model(name: str) -> None:
    """Let Score and File use this model from now on."""
    st.session_state[MODEL] = name


def offer_reader(name: str, key: str, languages: str) -> None:
    """Show a button that chooses this model. languages: what it reads, in words."""
    st.button(
        f"Use {name}",
        icon=":material/translate:",
        key=key,
        on_click=use_model,
        args=(name,),
        help=f"It reads {languages}. The choice holds on all pages.",
    )


def pick_model(label: str = "Model") -> str:
    """Show the picker; every page has the same choice."""
    options = pickable()
    if st.session_state.get(MODEL) not in options:
        st.session_state[MODEL] = options[0]  # none yet, or one that has been deleted
    return st.selectbox(label, options, format_func=shown_name, key=MODEL, persist_state="session")


def pick_second_model(first: str, key: str) -> str | None:
    """Show a picker for a model to compare with. Returns None when none is chosen."""
    options = [name for name in pickable() if name != first]
    if st.session_state.get(key) not in options:
        st.session_state[key] = None
    return st.selectbox(
        "Compare with",
        options,
        index=None,
        format_func=lambda name: " · ".join(filter(None, [shown_name(name), _other(name, first)])),
        key=key,
        placeholder="a second model, side by side",
        persist_state="session",
    )


def _other(name: str, first: str) -> str:
    """What a model judges where it has no label of the first; empty where it has, or is unknown."""
    facts, firsts = facts_of(name), facts_of(first)
    if facts is None or firsts is None:
        return other_task(name)
    labels = facts.folder.labels
    if set(labels) & set(firsts.folder.labels):
        return ""
    return f"other labels: {shortened(', '.join(labels), 40)}"


def load_model(name: str) -> Classifier | None:
    """Load a model. Where that fails, show why on the page and return None."""
    try:
        if name in shared_models().names():
            return shared_models().get(name)
        with st.spinner(f"Loading {in_markdown(name)} …", show_time=True):
            if name in session.typed_models():
                settings = PageSettings.read()
                try_model(name, settings.hub_gigabytes, settings.public)
            return shared_models().get(name)
    except UserError as error:
        show_error(error)
        return None
