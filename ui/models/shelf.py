"""The shelf: a card for each model that can be chosen, by where it is.

The cards are in no order of quality: their results come from different test sets.
"""

from collections.abc import Callable, Iterable

import streamlit as st

from comment_toxicity.errors import UserError
from comment_toxicity.fetch import find
from ui.catalog import HUB_MODELS
from ui.markup import facts as facts_list
from ui.markup import heading
from ui.messages import show_error
from ui.models.facts import ModelFacts, facts_of
from ui.picker import FROM_HUB, SHIPPED, chosen_model, origin, pickable, use_model
from ui.settings import PageSettings
from ui.text import in_markdown, shortened
from ui.train.run import Training

ACROSS = 2  # cards side by side
MODEL_IN_ADDRESS = "model"


def show_shelf() -> None:
    """Show all cards."""
    st.write(
        "Score and File use the model marked “In use”. Opening the details of another one does not "
        "change that."
    )
    names = pickable()
    hub = [name for name in names if origin(name) == FROM_HUB]
    yours = [name for name in names if name not in (*SHIPPED, *hub)]
    _cards("Shipped", [name for name in SHIPPED if name in names])
    if yours:
        _cards("Yours", yours)
    _cards("On the Hugging Face Hub", hub)
    st.caption(
        "Each result is from another test set, so no two of them can be compared. To compare two "
        "models, measure both on the same rows: Details, then Compare."
    )


def _cards(title: str, names: list[str]) -> None:
    if not names:
        return
    st.header(title, anchor=False)
    for first in range(0, len(names), ACROSS):
        row = names[first : first + ACROSS]
        for name, column in zip(row, st.columns(ACROSS), strict=False):
            with column, st.container(border=True, height="stretch"):
                _card(name)


def _card(name: str) -> None:
    facts = facts_of(name)
    st.html(heading(name, 3) + facts_list(card_lines(name, facts)))
    with st.container(horizontal=True, vertical_alignment="center"):
        show_use(name, "Use")
        st.button(
            "Details",
            key=f"details of {name}",
            on_click=look_at,
            args=(name,),
            type="tertiary",
            icon=":material/arrow_forward:",
            icon_position="right",
        )
        if name.startswith("runs/") and PageSettings.read().training:
            _manage(name)


def card_lines(name: str, facts: ModelFacts | None) -> Iterable[tuple[str, str]]:
    """What a card says of a model: names and values. facts: None before it is downloaded."""
    listed = HUB_MODELS.get(name.partition("@")[0])
    if facts is None:
        yield "task", listed.task if listed else "not known before it is downloaded"
        yield "languages", listed.languages if listed else "see its card"
        yield "size", "not downloaded yet"
        return
    labels = shortened(", ".join(facts.folder.labels).replace("_", " "), 90)
    yield "task", f"{facts.task}: {labels}"
    yield "languages", listed.languages if listed else facts.languages
    yield "tested on", facts.test_set
    headline = facts.headline
    if headline:
        yield "result", f"{headline}{', of too few rows to rely on' * headline.few}"
    yield "size", f"{facts.megabytes:,.0f} MB"


def look_at(name: str | None) -> None:
    """Put a model into the address, which shows its page; None shows the shelf.

    A page link would not do: within one page, Streamlit leaves the address as it is.
    """
    if name is None:
        st.query_params.pop(MODEL_IN_ADDRESS, None)
    else:
        st.query_params[MODEL_IN_ADDRESS] = name


def show_use(name: str, title: str = "Use this model") -> None:
    """Show the button that chooses a model for Score and File, or that it is chosen.

    title: in Markdown; where a page shows two of these buttons, they differ in it.
    """
    used = chosen_model() == name
    st.button(
        "In use" if used else title,
        key=f"{title} {name}",
        icon=":material/check:" if used else None,
        disabled=used,
        help="Score and File use this model." if used else "Use this model on Score and File.",
        on_click=_use,
        args=(name,),
    )


def _use(name: str) -> None:
    use_model(name)
    st.toast(f"Score and File use {in_markdown(name)} now.", icon=":material/check:")


def _manage(name: str) -> None:
    """Offer to rename and to delete a run; to delete asks first."""
    run = name.removeprefix("runs/")
    with st.popover("Rename or delete", type="tertiary"):
        new = st.text_input("New name", run, max_chars=40, key=f"new name of {name}")
        if st.button("Rename", key=f"rename {name}"):
            _change(name, lambda: Training().rename(run, new.strip()), f"runs/{new.strip()}")
        st.divider()
        st.write(
            f"Deletes **{in_markdown(name)}** for good: its weights, its training rows and its "
            "report."
        )
        if st.button("Delete for good", key=f"delete {name}", icon=":material/delete:"):
            _change(name, lambda: Training().delete(run), find.EMBEDDED)


def _change(name: str, change: Callable[[], None], instead: str) -> None:
    """Change a run on disk. instead: the model to use from then on, where it was in use."""
    used = chosen_model() == name
    try:
        change()
    except UserError as error:
        show_error(error)
        return
    if used:
        use_model(instead)
    st.rerun()
