"""Agree or disagree: a moderator's decision about a row, and what becomes of all decisions."""

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from comment_toxicity.errors import DataError, UserError
from comment_toxicity.fetch.find import local_model
from finetune.checkout import ROOT
from ui import corrections
from ui.catalog import label_name
from ui.downloads import Offer, links
from ui.files.ask import SAMPLE_FILE, ask_for_upload
from ui.files.decisions import (
    Labels,
    counted,
    decided_texts,
    in_words,
    toggled,
    write_decisions,
    write_training_table,
)
from ui.files.job import Draft, FileJob
from ui.files.scored_file import ScoredFile
from ui.files.upload import Source, look_into
from ui.messages import off_on_public_server, show_error
from ui.navigation import PAGES
from ui.settings import TRAINING, PageSettings
from ui.text import in_markdown
from ui.train.form import begin_with
from ui.workspace import workspace

ROW = "row"
"""The name of the current row in the page's address."""
FEWEST = 5
"""Decisions that training takes: below that, no part of them can be held out."""
SAMPLE, OWN, NOTHING = str(SAMPLE_FILE), "a table of mine", "nothing"
BASE, BASES = "base table", "base tables"


def go_to(row: int) -> None:
    """Open a row from the next run on. row: its position in the file."""
    st.query_params[ROW] = str(row + 1)


def ask_for_decision(
    job: FileJob, scored: ScoredFile, row: int, flags: NDArray[np.bool_], after: int
) -> None:
    """Show the labels of a row as buttons, and those that save them.

    row, after: the positions of this row and the next. flags: (labels,), at these thresholds.
    """
    names = [label_name(label, job.model_name) for label in scored.labels]
    decided = job.decisions.get(row)
    flagged = tuple(map(bool, flags))
    if job.draft is None or job.draft.row != row:
        job.draft = Draft(row, decided or flagged)
    labels = job.draft.labels
    said = "Flagged by the model" if decided is None else "You decided"
    st.caption(f"{said}: {in_markdown(in_words(names, decided or flagged))}")
    with st.container(horizontal=True, gap="xsmall", key="decision-labels"):
        for at, (name, holds) in enumerate(zip(names, labels, strict=True)):
            st.button(
                f"{'✓ ' * holds}{in_markdown(name)}",
                key=f"label {at}",
                type="primary" if holds else "secondary",
                shortcut=str(at + 1) if at < 9 else None,
                help="Take this label away." if holds else "Add this label.",
                on_click=_toggle,
                args=(job, toggled(labels, at, job.single_label)),
            )
    with st.container(horizontal=True, gap="xsmall"):
        agrees = labels == flagged
        st.button(
            "Agree" if agrees else "Save correction",
            type="primary",
            icon=":material/check:",
            shortcut="A",
            on_click=_save,
            args=(job, scored, row, labels, after),
        )
        if any(labels) and not job.single_label:
            none = (False,) * len(labels)
            st.button(
                "Nothing applies",
                shortcut="N",
                on_click=_save,
                args=(job, scored, row, none, after),
            )
        if decided is not None:
            st.button("Undo", shortcut="U", on_click=_undo, args=(job, row))
    st.caption(
        "Decisions are stored with this file on the server until you discard it or close the page"
        + corrections.kept() * ", and for good in this server's database of corrections"
        + "."
    )


def _toggle(job: FileJob, labels: Labels) -> None:
    if job.draft:
        job.draft = Draft(job.draft.row, labels)


def _save(job: FileJob, scored: ScoredFile, row: int, labels: Labels, after: int) -> None:
    job.decisions[row] = labels
    if corrections.kept():
        scores = zip(job.labels, map(float, scored.scores[row]), strict=True)
        [text] = (text for at, text in decided_texts(job).items() if at == row)
        by_label = dict(zip(job.labels, labels, strict=True))
        model = job.model_of(row)
        corrections.send(text, by_label, dict(scores), model, job.models[model])
    go_to(after)


def _undo(job: FileJob, row: int) -> None:
    job.decisions.pop(row, None)
    job.draft = None


def show_decisions(job: FileJob, flags: NDArray[np.bool_]) -> None:
    """Show how many decisions there are, their download, and the way to train on them."""
    if not job.decisions:
        return
    with st.container(border=True, key="decisions"):
        agreed, corrected = counted(job, flags)
        st.markdown(
            f"**{len(job.decisions):,} decision{'s' * (len(job.decisions) != 1)}** · "
            f"{agreed:,} as the model · {corrected:,} corrected"
        )
        name = f"{job.source.path.stem}-decisions.csv"
        offer = Offer(job.folder, "decisions", lambda path: write_decisions(job, path))
        st.html(links([(offer, name, "Download the decisions")]))
        _training(job)


def _training(job: FileJob) -> None:
    """Offer to fine-tune the model on the decisions."""
    if not PageSettings.read().training:
        st.caption(off_on_public_server("Training on them is", TRAINING))
        return
    if len(job.decisions) < FEWEST:
        st.caption(f"From {FEWEST} decisions on, a model can be trained on them.")
        return
    options = [SAMPLE, OWN, NOTHING] if not job.single_label else [OWN, NOTHING]
    base = st.segmented_control(
        "Train on them, mixed with", options, default=options[0], required=True, key=BASE
    )
    try:
        table = _base_table(job, str(base))
        pressed = st.button(
            "Train on these decisions",
            icon=":material/model_training:",
            disabled=base == OWN and table is None,
            help="Opens Train with this table, and the model of this file as the base.",
        )
        if pressed:
            _hand_over(job, table)
    except UserError as error:
        show_error(error)


def _base_table(job: FileJob, choice: str) -> Source | None:
    if choice == SAMPLE:
        return look_into(ROOT / SAMPLE_FILE, SAMPLE)
    if choice == NOTHING:
        return None
    key = f"{BASE} of {job.folder.name}"
    uploaded = ask_for_upload(f"{BASES} of {job.folder.name}", help="Its labels are named as here.")
    if uploaded:
        st.session_state[key] = uploaded
        st.rerun(scope="fragment")
    found: Source | None = st.session_state.get(key)
    if found:
        st.caption(in_markdown(found.name))
    return found


def _hand_over(job: FileJob, base: Source | None) -> None:
    """Write the training table, and open Train with it."""
    path = workspace().new_folder() / f"{job.source.path.stem}-decisions.csv"
    rows = write_training_table(job, path, base)
    name = f"{len(job.decisions):,} decisions"
    if base:
        name += f" and {rows:,} rows of {base.name}"
    folder = local_model(job.model_name)
    if folder is None and not PageSettings.read().typed_models:
        raise DataError(f"{job.model_name}: not on this server, so it cannot be trained further.")
    begin_with(look_into(path, name), str(folder or job.model_name))
    st.switch_page(PAGES / "train.py")
