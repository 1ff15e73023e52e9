"""“Use this from code”: short programs that score a comment, for this very server."""

import json
import shlex
from urllib.parse import urlsplit

import streamlit as st

from comment_toxicity.fetch import find
from ui.downloads import base_path
from ui.text import without_control_characters

LONGEST = 500  # characters of the comment; a program is to show how, not to carry a book


def server_address() -> str:
    """The address of this server as its visitor sees it, without a slash at its end."""
    page = urlsplit(st.context.url or "")
    site = f"{page.scheme}://{page.netloc}" if page.netloc else "http://localhost:8501"
    return site + base_path()


def programs(text: str, model: str, address: str) -> dict[str, tuple[str, str]]:
    """Programs by title: code and its language. text: the comment; model: for those that choose."""
    text = without_control_characters(text[:LONGEST])
    said = json.dumps(text, ensure_ascii=False)
    body = json.dumps({"texts": [text]}, ensure_ascii=False)
    name = "" if model == find.EMBEDDED else json.dumps(model)
    return {
        "curl": (f"curl {shlex.quote(address + '/v1/score')} --data {shlex.quote(body)}", "bash"),
        "Python": (
            "from comment_toxicity import load_classifier\n\n"
            f"classifier = load_classifier({name})\n"
            f"[scores] = classifier.score([{said}])\n"
            "print(dict(zip(classifier.labels, scores)))\n"
            "print(classifier.flags(scores))",
            "python",
        ),
        "Perspective client": (
            "from googleapiclient import discovery  # pip install google-api-python-client\n\n"
            'client = discovery.build(\n    "commentanalyzer",\n    "v1alpha1",\n'
            '    developerKey="any",\n'
            f'    discoveryServiceUrl="{address}/$discovery/rest?version=v1alpha1",\n'
            "    static_discovery=False,\n)\n"
            f'body = {{"comment": {{"text": {said}}}, '
            '"requestedAttributes": {"TOXICITY": {}}}\n'
            "print(client.comments().analyze(body=body).execute())",
            "python",
        ),
    }


def show_programs(text: str, model: str) -> None:
    """Show them behind one line."""
    with st.expander("Use this from code"):
        written = programs(text, model, server_address())
        for tab, (code, language) in zip(st.tabs(list(written)), written.values(), strict=True):
            tab.code(code, language=language, wrap_lines=True)
        st.caption(
            "Python runs where the package is installed. The other two ask this server, which "
            "answers with the operator's model; where it has API keys, add yours."
        )
