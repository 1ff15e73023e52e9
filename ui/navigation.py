"""Run for each visitor: the frame around every page, and the page that was opened.

app.py serves this script. It also runs by itself: `AppTest.from_file("ui/navigation.py")`.
"""

from pathlib import Path

import streamlit as st

from comment_toxicity.cache import shared_models
from comment_toxicity.errors import UserError
from ui.footer import footer
from ui.messages import show_error
from ui.settings import PageSettings
from ui.style import STYLE
from ui.visitors import welcome

PAGES = Path(__file__).resolve().parent.parent / "pages"


def main() -> None:
    """List the pages in the header and show one of them."""
    st.set_page_config(page_title="Comment toxicity", page_icon="💬", layout="wide")
    st.html(STYLE)
    welcome()
    try:  # what the operator set is read again where it is used
        settings = PageSettings.read()
        shared_models()
    except UserError as error:
        show_error(error)
        return
    pages = [
        st.Page(PAGES / "score.py", title="Score", icon=":material/speed:", default=True),
        st.Page(PAGES / "file.py", title="File", icon=":material/table_rows:"),
        st.Page(PAGES / "models.py", title="Models", icon=":material/tune:"),
        st.Page(PAGES / "train.py", title="Train", icon=":material/model_training:"),
    ]
    st.navigation(pages, position="top").run()
    st.html(footer(settings.source))


if __name__ == "__main__":
    main()
