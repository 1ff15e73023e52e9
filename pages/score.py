"""Score: type a comment, and read what is flagged, and by which words.

A visitor's text goes to the model and back to that visitor's page. It is never cached, written
or logged.
"""

import numpy as np
import streamlit as st

from comment_toxicity import Classifier
from comment_toxicity.cache import State, shared_models
from comment_toxicity.fetch import find
from comment_toxicity.languages import LanguageDetector
from ui import session
from ui.catalog import label_name
from ui.code import show_programs
from ui.comment import show_comment
from ui.examples import EXAMPLES, FIRST, HARMS, SAMPLES
from ui.language import (
    detector_for,
    foreign_language,
    how_good,
    looks_foreign,
    other_reader,
    read_by,
)
from ui.live import RESULT, score_as_typed
from ui.markup import table
from ui.picker import load_model, offer_reader, pick_model, pick_second_model
from ui.settings import PageSettings
from ui.text import in_markdown, shortened
from ui.thresholds import choose_preset, own_decision_file, presets_of
from ui.words import percent, rank

# Scored in a few seconds on two cores. Not max_chars of the text area: with that, Streamlit
# silently ignores a longer paste.
MAX_CHARACTERS = 100_000
COMMENT, EXAMPLE, SECOND = "comment", "example", "second model"


def main() -> None:
    """Lay out the page: the comment and its result, then what helps to judge them."""
    st.title("Comment toxicity", anchor=False)
    st.caption(
        "How likely is a reader to find a comment toxic, obscene, threatening, insulting or "
        "hateful? What you type is scored on this server and not stored."
    )
    # The same columns for two models, which style.py lays under the comment: a text area that moves
    # to another place in the page forgets what was typed since its last run.
    with st.container(key="judged"):
        left, right = st.columns([2, 3])
    with left:
        text = _comment()
        live = st.container()
        _examples(text)
        names = _buttons()
    loaded = {name: model for name in names if (model := load_model(name))}
    with right, st.container(key=RESULT):
        said = _results(loaded, text) if loaded else ""
    with live:
        score_as_typed("Comment", text, said)
    show_programs(text, names[0])
    if names[0] in loaded:
        _samples(names[0], loaded[names[0]])
    with st.expander("Before you rely on it: do not block anyone or remove a comment on a score"):
        st.markdown(HARMS)


def _comment() -> str:
    """Ask for a comment, which at first is a sample."""
    if st.session_state.get(COMMENT) is None:
        st.session_state[COMMENT] = SAMPLES[FIRST]
    return st.text_area("Comment", height=120, key=COMMENT, persist_state="session") or ""


def _examples(text: str) -> None:
    """Offer the samples; the one that is there unchanged is lit."""
    st.session_state[EXAMPLE] = next((key for key in EXAMPLES if EXAMPLES[key] == text), None)
    st.pills("Examples", EXAMPLES, key=EXAMPLE, on_change=_take_example)


def _take_example() -> None:
    if example := st.session_state[EXAMPLE]:
        st.session_state[COMMENT] = EXAMPLES[example]


def _buttons() -> list[str]:
    """The button, and the models behind another. Returns the names of those to score with."""
    with st.container(horizontal=True):
        st.button("Score", type="primary", icon=":material/speed:")
        with st.popover("Options", icon=":material/tune:"):
            names = [pick_model()]
            names += filter(None, [pick_second_model(names[0], key=SECOND)])
    return names


def _results(models: dict[str, Classifier], text: str) -> str:
    """Show each model's result, side by side where there are two. Returns the first's verdict."""
    if not text.strip():
        st.info("Nothing to score yet. Type or paste a comment, or take an example.")
        return ""
    if len(text) > MAX_CHARACTERS:
        st.warning(
            f"This comment has {len(text):,} characters; the first {MAX_CHARACTERS:,} were scored."
        )
    text = text[:MAX_CHARACTERS]
    if not text.strip():
        st.info(f"The first {MAX_CHARACTERS:,} characters are blank. Remove them and try again.")
        return ""
    first, *others = models.values()
    for other in others:
        if not set(first.labels) & set(other.labels):
            labels = ", ".join(label_name(label, other.name) for label in other.labels[:6])
            st.info(
                f"{in_markdown(other.name)} answers another question ({in_markdown(labels)}), so "
                "the scores cannot be compared."
            )
    verdicts = []
    with st.container(key="side-by-side" if len(models) > 1 else "alone"):
        columns = st.columns(len(models), gap="large")
    for (name, model), column in zip(models.items(), columns, strict=True):
        with column, st.container(border=True):
            if len(models) > 1 or name != find.EMBEDDED:
                st.markdown(f"**{in_markdown(model.name)}**")
            verdicts.append(_result(name, model, text))
    return verdicts[0]


def _result(name: str, model: Classifier, text: str) -> str:
    detector = _detector(name, shared_models().version(name), model)
    foreign = foreign_language(text, detector) if detector else ""
    other = other_reader([foreign], model.name, model.labels) if foreign else None
    answered = ""
    if other and PageSettings.read().by_language and (reader := load_model(other)):
        model, foreign, answered = reader, "", f"Scored by {other}."
    [language] = model.languages([text])
    model = model.in_language(language)
    with st.spinner("Scoring …"):
        [scores], [characters] = model.score_beginnings([text])
    if np.isnan(scores).any():
        st.error(
            "This model gave no valid scores for this comment; its weights may be damaged. "
            "Choose another model."
        )
        return ""
    if characters < len(text):
        st.warning(
            f"This comment expands to very many tokens; its first {characters:,} "
            "characters were scored."
        )
    if foreign:
        _offer_another(name, model, foreign, other)
    elif said := " ".join(filter(None, [answered, language and how_good(model, language)])):
        st.caption(in_markdown(said))
    thresholds = session.thresholds(model.name)
    verdict = show_comment(
        model,
        text[:characters],
        scores,
        thresholds,
        announced=False,
        movable=True,
        foreign=bool(foreign),
    )
    if model.thresholds:
        _presets(model)
    return verdict


def _offer_another(name: str, model: Classifier, code: str, other: str | None) -> None:
    """Warn of a language that the model does not read, and offer the one that does."""
    st.warning(looks_foreign(code, read_by(model)), icon=":material/translate:")
    if other:
        offer_reader(other, f"other {name}", "this language")


@st.cache_resource(max_entries=2, show_spinner=False)
def _detector(name: str, version: State, _model: Classifier) -> LanguageDetector | None:
    """Load the detector once per model."""
    return detector_for(_model)


def _presets(model: Classifier) -> None:
    """Offer thresholds for all labels at once, and those in use as a file."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        choose_preset(
            presets_of(model),
            session.thresholds(model.name),
            f"preset {model.name}",
            lambda chosen: session.set_thresholds(model.name, chosen),
            "Or move the tick on a bar. Kept for this session, and used on File.",
        )
        if session.thresholds(model.name) and model.calibrated:
            st.download_button(
                "decision.json",
                own_decision_file(model),
                "decision.json",
                "application/json",
                icon=":material/download:",
                on_click="ignore",
                key=f"file {model.name}",
                help="Your thresholds. Replace the file of this name in the model's folder with "
                "it, and the page, files and the HTTP service use them.",
            )


def _samples(name: str, model: Classifier) -> None:
    """List the sample comments with their two highest labels."""
    with st.expander("Ten sample comments with their two highest scores"):
        st.html(_sample_table(name, shared_models().version(name), model))


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
