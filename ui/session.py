"""What one visitor chose, kept for that session alone: thresholds, and models typed in."""

from collections.abc import Mapping

import streamlit as st

THRESHOLDS, TYPED_MODELS = "thresholds", "typed models"


def thresholds(model: str) -> dict[str, float]:
    """The thresholds chosen for a model; labels that keep the model's own are missing."""
    return st.session_state.get(THRESHOLDS, {}).get(model, {})


def set_thresholds(model: str, chosen: Mapping[str, float]) -> None:
    """Use these for the model from now on, on every page; an empty mapping resets them."""
    by_model = st.session_state.get(THRESHOLDS, {})
    st.session_state[THRESHOLDS] = by_model | {model: dict(chosen)}


def typed_models() -> list[str]:
    """The Hub ids that the visitor typed in and that passed the check."""
    return st.session_state.get(TYPED_MODELS, [])


def add_typed_model(name: str) -> None:
    """Offer a Hub id in the picker from now on."""
    if name not in typed_models():
        st.session_state[TYPED_MODELS] = [*typed_models(), name]
