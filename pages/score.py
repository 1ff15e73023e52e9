"""Score: type a comment, read its scores, and see which words drive them.

A visitor's text goes to the model and back to that visitor's page. It is never cached, written
or logged.
"""

import numpy as np
import streamlit as st

from comment_toxicity import Classifier
from comment_toxicity.cache import State, shared_models
from comment_toxicity.explain import explain
from ui import comment, session
from ui.examples import HARMS, SAMPLES
from ui.html import table
from ui.picker import load_model, pick_model, pick_second_model
from ui.text import in_markdown, shortened
from ui.words import LabelScore, meaning, most_telling, percent, rank

# Scored in a few seconds on two cores. Not max_chars of the text area: with that, Streamlit
# silently ignores a longer paste.
MAX_CHARACTERS = 100_000
COMMENT, SAMPLE = "comment", "sample"


def main() -> None:
    """Lay out the page, top to bottom."""
    st.title("Comment toxicity", anchor=False)
    st.write(
        "How likely is a reader to find a comment toxic, obscene, threatening, insulting or "
        "hateful? Type or paste one. It is scored on this server and not stored."
    )
    first, second = st.columns(2)
    with first:
        names = [pick_model()]
    with second:
        names += filter(None, [pick_second_model(names[0], key="second model")])
    text, asked = _comment()

    loaded = [model for name in names if (model := load_model(name))]
    if loaded and text.strip():
        _results(loaded, text)
    elif asked and not text.strip():
        st.info("Nothing to score yet. Type or paste a comment above.")
    _samples(loaded)
    st.subheader("Before you rely on it", anchor=False)
    st.markdown(HARMS)


def _comment() -> tuple[str, bool]:
    """Ask for a comment. Returns its text, and whether the button was pressed."""
    st.selectbox(
        "Example",
        SAMPLES,
        index=None,
        key=SAMPLE,
        placeholder="Choose one of ten sample comments, or type your own below",
        on_change=_take_sample,
    )
    with st.form("comment form", border=False, enter_to_submit=False):
        text = st.text_area("Comment", height=140, key=COMMENT, persist_state="session")
        return text or "", st.form_submit_button("Score", type="primary", icon=":material/speed:")


def _take_sample() -> None:
    if st.session_state[SAMPLE]:
        st.session_state[COMMENT] = st.session_state[SAMPLE]


def _results(models: list[Classifier], text: str) -> None:
    """Show each model's scores, side by side where there are two."""
    if len(text) > MAX_CHARACTERS:
        st.warning(
            f"This comment has {len(text):,} characters; the first {MAX_CHARACTERS:,} were scored."
        )
    text = text[:MAX_CHARACTERS]
    if not text.strip():
        st.info(f"The first {MAX_CHARACTERS:,} characters are blank. Remove them and try again.")
        return
    for model, column in zip(models, st.columns(len(models), gap="large"), strict=True):
        with column, st.container(border=True):
            if len(models) > 1:
                st.markdown(f"**{in_markdown(model.name)}**")
            with st.spinner("Scoring …"):
                [scores], [characters] = model.score_beginnings([text])
            if np.isnan(scores).any():
                st.error(
                    "This model gave no valid scores for this comment; its weights may be damaged. "
                    "Choose another model."
                )
                continue
            if characters < len(text):
                st.warning(
                    f"This comment expands to very many tokens; its first {characters:,} "
                    "characters were scored."
                )
            ranked = rank(model, scores, session.thresholds(model.name))
            st.html(comment.result(ranked))
            own = " You set your own thresholds on the Models page."
            st.caption(in_markdown(meaning(model)) + own * bool(session.thresholds(model.name)))
            _explanation(model, text, ranked)


@st.fragment
def _explanation(model: Classifier, text: str, ranked: list[LabelScore]) -> None:
    """Mark what drives the score of one label: the most telling one, or a chosen one."""
    names = {row.label: row for row in ranked}
    labels = list(names)
    telling = most_telling(ranked).label
    label = st.selectbox(
        "What drives the score for",
        labels,
        index=labels.index(telling),
        format_func=lambda label: f"{names[label].name} ({percent(names[label].score)})",
        key=f"explained label {model.name} {telling} {labels}",  # another comment: its own label
    )
    with st.spinner("Finding the words that matter …"):
        explanation = explain(model, text, label)
    if explanation is None:
        st.caption("One word is too short to explain by its parts.")
        return
    if not explanation.whole:
        st.caption("This comment is long. Its passage with the highest score:")
    st.html(comment.marked(explanation))
    if not explanation.strongest():
        st.caption(f"No single {explanation.unit} changes this score by a point or more.")
        return
    st.caption(
        f"Each {explanation.unit} was left out in turn. Solid underline: it raises the score. "
        "Dotted underline: it lowers the score."
    )
    with st.expander("Show as a table"):
        st.html(comment.effects_table(explanation))


def _samples(models: list[Classifier]) -> None:
    """List the sample comments with their two highest labels."""
    if models:
        with st.expander("Ten sample comments with their two highest scores"):
            version = shared_models().version(models[0].name)
            st.html(_sample_table(models[0].name, version, models[0]))


@st.cache_data(max_entries=8, show_spinner=False)
def _sample_table(name: str, version: State, _model: Classifier) -> str:
    """Score the samples once per model. They are ours: no visitor's text is cached."""
    rows = []
    for sample, scores in zip(SAMPLES, _model.score(SAMPLES), strict=True):
        best = rank(_model, scores)[:2]
        broken = bool(np.isnan(scores).any())
        cells = ("–" if broken else f"{row.name} {percent(row.score)}" for row in best)
        rows.append((shortened(sample), *cells))
    header = ("comment", "highest", "second")[: 1 + len(_model.labels)]
    return table(header, rows, numbers=len(header) - 1)


main()
