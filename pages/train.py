"""Train: fine-tune a model on labelled comments, watch it, and use the result."""

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import streamlit as st

from comment_toxicity.errors import UserError
from ui.markup import log
from ui.messages import (
    measured_on,
    off_on_public_server,
    show_error,
    show_needs_full_installation,
)
from ui.models.facts import facts_of
from ui.navigation import PAGES
from ui.picker import MODEL
from ui.report import show_report
from ui.settings import TRAINING, PageSettings
from ui.text import in_markdown
from ui.train.curves import show_curves
from ui.train.form import ask_for_run
from ui.train.held_out import began_from, measure_on_held_out
from ui.train.publish import show_publishing
from ui.train.run import DONE, FAILED, RUNNING, STOPPED, Status, Training
from ui.words import duration, time_left

LOG_LINES, LOG_HEIGHT = 200, 300
STAGES = {
    "data": "Splitting the rows",
    "train": "Training",
    "export": "Exporting the weights",
    "calibrate": "Calibrating and choosing thresholds",
    "evaluate": "Measuring on held-out rows",
    "card": "Writing the model card",
}


def main() -> None:
    """Lay out the page: the current run, or the last one and the form for a new one."""
    st.title("Train a model", anchor=False)
    st.write(
        "Fine-tune a model on your own labelled comments. The run continues in the background: "
        "you can close this page and come back."
    )
    if not PageSettings.read().training:
        st.info(off_on_public_server("Training takes all processors, so it is", TRAINING))
        return
    if find_spec("torch") is None:
        show_needs_full_installation("Training")
        return
    training = Training()
    status = training.status()
    if status and status.state == RUNNING:
        _watch(training)
        return
    if status:
        _ended(training, status)
    _new_run(training)


@st.fragment(run_every=1.0)
def _watch(training: Training) -> None:
    """Show the current run, to everybody who opens the page."""
    status = training.status()
    if status is None or status.state != RUNNING:
        st.rerun()
    with st.container(key="watched"):
        with st.container(border=True):
            st.markdown(f"**runs/{status.name}** has been training for {duration(status.seconds)}.")
            st.progress(min(1.0, status.share), _doing(status))
            _split(training, status.name)
            if st.button("Stop", icon=":material/stop:"):
                training.stop()
                st.toast("Stopping. The last checkpoint is kept.")
        show_curves(training.curves(status.name))
        _log(status, expanded=False)


def _doing(status: Status) -> str:
    """What a run does: its stage, or the epoch, the step and the time left of training."""
    if status.stage != "train" or not status.steps:
        return f"{STAGES.get(status.stage, 'Starting')} …"
    parts = [
        f"Epoch {status.epoch:,} of {status.epochs:,}" if status.epochs else STAGES["train"],
        f"step {status.step:,} of {status.steps:,}",
    ]
    if status.seconds_left is not None:
        parts.append(time_left(status.seconds_left))
    return " · ".join(parts)


def _split(training: Training, name: str) -> None:
    """Caption a run with the rows in each part, which can differ from those asked for."""
    uses = {"train": "to train on", "validation": "to choose thresholds by", "test": "to test with"}
    rows = training.split(name)
    parts = [f"{rows[part]:,} {use}" for part, use in uses.items() if part in rows]
    if parts:
        st.caption(f"Rows: {', '.join(parts)}. Those with the same comment or id stay together.")


def _ended(training: Training, status: Status) -> None:
    """Show how the last run ended, and what can be done with it."""
    name = f"runs/{status.name}"
    with st.container(border=True):
        if status.state == DONE:
            st.success(f"{name} is ready after {duration(status.seconds)}.")
            _split(training, status.name)
            if st.button("Score comments with it", type="primary", icon=":material/speed:"):
                st.session_state[MODEL] = name
                st.switch_page(PAGES / "score.py")
            if base := began_from(status.name):
                _compare(status.name, base)
            _report(name)
            show_publishing(name)
        else:
            if status.state == FAILED:
                st.error(in_markdown(f"{name}: {status.problem}"), icon=":material/error:")
            elif status.state == STOPPED:
                st.info(f"{name} was stopped after {duration(status.seconds)}.")
            if st.button("Resume", icon=":material/resume:"):
                _begin(training.resume)
        show_curves(training.curves(status.name))
        _log(status, expanded=status.state == FAILED)


def _compare(name: str, base: str) -> None:
    """Offer to measure the new model and the one that it began from on rows of neither."""
    if not st.button(f"Compare it with {in_markdown(base)}", icon=":material/compare_arrows:"):
        return
    try:
        ready = measure_on_held_out(name, base)
    except UserError as error:
        show_error(error)
        return
    if ready:
        address = {"model": f"runs/{name}", "tab": "Compare"}
        st.switch_page(PAGES / "models.py", query_params=address)
    st.info("This run has no held-out rows.")


def _report(name: str) -> None:
    facts = facts_of(name)
    if facts is None or facts.measured is None:
        return
    split, report = facts.measured
    st.write(measured_on(f"{split} rows"))
    show_report(report, name)


def _new_run(training: Training) -> None:
    st.header("New run", anchor=False)
    try:
        wanted = ask_for_run(training.names())
    except UserError as error:
        show_error(error)
        return
    if wanted:
        _begin(training.start, wanted.name, wanted.settings, wanted.rows, wanted.replace)


def _begin(start: Callable[..., None], *arguments: Any) -> None:
    try:
        start(*arguments)
    except UserError as error:
        show_error(error)
        return
    st.rerun()


def _log(status: Status, expanded: bool) -> None:
    lines = [line for line in status.log.splitlines() if line.strip()]
    with (
        st.expander("Log", expanded=expanded),
        st.container(height=LOG_HEIGHT, border=False, autoscroll=True),
    ):
        st.html(log("\n".join(lines[-LOG_LINES:]) or "…"))


main()
