"""What the page says in several places: errors, what is turned off, what is not installed."""

import streamlit as st

from comment_toxicity.errors import UserError
from ui.text import in_markdown, shortened

LONGEST_ERROR = 1000  # characters; a sentence can quote a cell, or the names of all columns
ERROR_ICON = ":material/error:"
CALIBRATION = "Calibration: does 80 % mean 80 in 100?"
"""The heading above a reliability diagram."""


def show_error(error: UserError | str) -> None:
    """Show an error's sentence as plain text: it may hold what a visitor typed."""
    st.error(in_markdown(shortened(str(error), LONGEST_ERROR)), icon=ERROR_ICON)


def show_failure(_: Exception) -> bool:
    """Show a sentence for an error that nobody foresaw; its traceback is in the server's log."""
    st.error(
        "Something went wrong on this server. Reload the page and try again. The server's log has "
        "the details.",
        icon=ERROR_ICON,
    )
    return True


def show_needs_full_installation(what: str) -> None:
    """Show that the slim installation lacks what this needs. what: begins the sentence."""
    st.info(f"{what} needs the full installation; this server has the slim one.")


def off_on_public_server(what: str, variable: str, value: int = 1) -> str:
    """That something is off, and how the operator turns it on, in Markdown.

    what: begins the sentence, with its verb.
    """
    setting = in_markdown(f"{variable}={value}")
    return f"{what} off on this public server. The operator can turn it on with {setting}."


def measured_on(rows: str) -> str:
    """On which rows a model was measured. rows: a split, and perhaps its file, in Markdown."""
    return f"Measured on {rows}, which it was not trained on."
