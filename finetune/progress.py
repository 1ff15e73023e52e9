"""RUN/progress.json: how far a run is, for a program that watches it.

stage          its name, as in finetune/stages.py; missing before the first
step, steps    of training: done, and in all; 0 in the other stages
epoch, epochs  of training: the one in progress, counted from 1, and all; 0 in the other stages
seconds_left   of training, at the mean speed so far; null before the first step and in other stages
state          running, done, stopped (interrupted) or failed
problem        why it failed, in a sentence; empty otherwise, or where only the log knows

A run that was killed leaves "running" behind. Under torchrun only the first process writes.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from comment_toxicity.disk import read_json, write_json
from comment_toxicity.errors import UserError

FILE_NAME = "progress.json"
RUNNING, DONE, STOPPED, FAILED = "running", "done", "stopped", "failed"
NO_STEPS: dict[str, Any] = {"step": 0, "steps": 0, "epoch": 0, "epochs": 0, "seconds_left": None}


def read(run_folder: Path) -> dict[str, Any]:
    """The progress of a run; empty where there is none yet."""
    try:
        return read_json(run_folder / FILE_NAME)
    except (OSError, ValueError):
        return {}


def update(run_folder: Path, **changes: Any) -> None:
    """Change some of the keys; the file is written whole."""
    write_json(run_folder / FILE_NAME, read(run_folder) | changes)


@contextmanager
def of_run(run_folder: Path) -> Iterator[None]:
    """Record the state of a run around its stages."""
    write_json(run_folder / FILE_NAME, {**NO_STEPS, "state": RUNNING, "problem": ""})
    try:
        yield
    except BaseException as error:
        state = STOPPED if isinstance(error, KeyboardInterrupt) else FAILED
        # The log has the traceback of a defect.
        problem = str(error) if isinstance(error, UserError | OSError) else ""
        with suppress(OSError):  # a full disk may be the problem itself
            update(run_folder, state=state, problem=problem)
        raise
    update(run_folder, state=DONE)
