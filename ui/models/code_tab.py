"""The tab Use from code: a model from Python, over HTTP, and on files."""

import json
import shlex

import streamlit as st

from comment_toxicity.fetch import find

TEXT = "You are an idiot."


def show_code(name: str) -> None:
    """Show programs that score a text with this model; each can be copied and run as it is."""
    st.markdown("**Python**")
    st.code(
        "from comment_toxicity import load_classifier\n\n"
        f"classifier = load_classifier({json.dumps(name)})\n"
        f"[scores] = classifier.score([{json.dumps(TEXT)}])\n"
        "print(dict(zip(classifier.labels, scores)))",
        language="python",
    )
    st.markdown("**A file**")
    model = "" if name == find.EMBEDDED else f" --model {shlex.quote(name)}"
    st.code(
        f"python -m comment_toxicity score comments.csv{model} --output scored.csv", language="bash"
    )
    st.markdown("**HTTP**: its own API, Perspective's and OpenAI's formats, on one port")
    body = shlex.quote(json.dumps({"texts": [TEXT]}))
    st.code(
        f"python -m comment_toxicity serve{model} --port 8080\n"
        f"curl http://127.0.0.1:8080/v1/score --data {body}",
        language="bash",
    )
    st.caption("Run these in the project's folder, or with the package installed.")
