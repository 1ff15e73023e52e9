"""The form for where a file has the truth for a model: its columns, and what its labels mean."""

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from comment_toxicity.errors import DataError
from ui.catalog import card_label, label_name
from ui.files.labelled import CLASS_COLUMN, label_columns
from ui.files.truth import Truth
from ui.files.upload import Source
from ui.text import in_markdown, shortened
from ui.train.rows import classes_of, look_at_rows

PER_LABEL, PER_CLASS = "one column per label", "one column with the class"
ABSENT, OTHER, LEFT_OUT = "not in the file", "none of its labels", "leave these rows out"
READ = "columns to measure by"


def ask_for_truth(
    source: Source, comments: str, model: str, labels: Sequence[str], single_label: bool
) -> Truth | None:
    """Ask where a file has the truth for a model. Returns None until a label is named.

    What is called the same needs no answer. Raises DataError for a column that cannot be read.
    """
    key = f"{model} {source.path.parent.name} {comments}"
    if single_label:
        return _by_class(source, comments, model, labels, True, key)
    found = label_columns(source.columns, labels, single_label, model)
    per_label = bool(found) or bool(
        _once((source.path, comments), lambda: look_at_rows(source, comments)).label_columns
    )
    way = st.radio(
        f"For {in_markdown(model)}, the file has",
        [PER_LABEL, PER_CLASS],
        index=0 if per_label else 1,
        horizontal=True,
        key=f"way {key}",
        persist_state="session",
    )
    if way == PER_CLASS:
        return _by_class(source, comments, model, labels, False, key)
    with st.expander("Columns of its labels", expanded=not found):
        columns = {}
        options = [ABSENT, *(name for name in source.columns if name != comments)]
        for label in labels:
            guess = options.index(found[label]) if found.get(label) in options else 0
            column = st.selectbox(
                in_markdown(label_name(label, model)),
                options,
                index=guess,
                key=f"column of {label} {key}",
                persist_state="session",
            )
            if column != ABSENT:
                columns[label] = column
    return Truth(columns=columns) if columns else None


def _by_class(
    source: Source, comments: str, model: str, labels: Sequence[str], single_label: bool, key: str
) -> Truth | None:
    others = [name for name in source.columns if name != comments]
    if not others:
        raise DataError(f"{source.name}: has only one column; the class needs another.")
    guess = others.index(CLASS_COLUMN) if CLASS_COLUMN in others else len(others) - 1
    column = st.selectbox(
        f"Column with the class, for {in_markdown(model)}",
        others,
        index=guess,
        key=f"class column {key}",
        persist_state="session",
    )
    about = (source.path, comments, column)
    classes = _once(about, lambda: classes_of(source, comments, column))
    named = _same_names(classes, model, labels, single_label)
    rest = LEFT_OUT if single_label else OTHER
    mapping: dict[str, str | None] = {}
    with st.expander(
        f"What “{in_markdown(column)}” means for {in_markdown(model)}",
        expanded=len(named) < len(classes),
    ):
        for value in classes:
            options = [*labels, rest]
            label = st.selectbox(
                f"“{in_markdown(shortened(value, 60))}” in the file is",
                options,
                index=options.index(named.get(value, rest)),
                format_func=lambda label: label if label == rest else label_name(label, model),
                key=f"class {value} of {column} {key}",
                persist_state="session",
            )
            if label != rest:
                mapping[value] = label
            elif not single_label:
                mapping[value] = None
    truth = Truth(class_column=column, classes=mapping)
    return truth if truth.names else None


def _once(about: object, read: Callable[[], Any]) -> Any:
    """What `read` returns, which can take long: once for each of these, until the file changes."""
    kept: dict[object, Any] = st.session_state.setdefault(READ, {})
    if about not in kept:
        if len(kept) > 20:
            kept.clear()
        with st.spinner("Reading the file …"):
            kept[about] = read()
    return kept[about]


def _same_names(
    classes: Sequence[str], model: str, labels: Sequence[str], single_label: bool
) -> dict[str, str]:
    """Value → the label that is called the same, by the model or on its card.

    A class of a single-label model can also be written as its number.
    """
    numbered = {str(index): label for index, label in enumerate(labels)}
    by_name = numbered if single_label else {}
    for label in labels:
        for name in (label_name(label, model), card_label(label, model), label):
            by_name[name.lower()] = label
    return {value: by_name[value.lower()] for value in classes if value.lower() in by_name}
