"""The one training run of this server: `python -m finetune` in a process of its own.

Its whole state is on disk, so closing the tab, another visitor or even a restart of the server
loses nothing. In runs/.training:

    lock        held by the run's process as long as it lives; see ui/train/process.py
    start.lock  held by a server while it starts a run
    state.json  which run, since when, and its process
    run.toml    its settings
    rows/       the file it was given, under its own name, when it was uploaded
    log.txt     what it prints

and in runs/NAME, by finetune itself, progress.json and curves.jsonl.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from comment_toxicity.disk import read_json, write_json
from comment_toxicity.errors import SettingsError, UserError
from finetune import progress, record
from finetune.checkout import ROOT
from finetune.progress import DONE, FAILED, RUNNING, STOPPED
from ui.train.process import LOCK, STATE

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
# How much of a run is over when a stage begins, on a small data set.
STAGES = {"data": 0.0, "train": 0.05, "export": 0.8, "calibrate": 0.9, "evaluate": 0.95}
LOG_BYTES = 64_000  # of the end of the log, which the page reads each second
# Colours, and the moves of the cursor between several progress bars.
ESCAPE = re.compile(r"\x1b\[[0-9;?]{0,20}[A-Za-z]")
GRACE = 10.0  # seconds between asking a run to stop and ending it
PATIENCE = 5.0  # seconds to wait for another visitor's start
MODULE = "finetune"

_looking = threading.Lock()  # of two who look at once, each would take the other for a run


@dataclass(frozen=True)
class Status:
    """How far a run is, or how it ended.

    state: RUNNING, DONE, STOPPED or FAILED. name: of the run, its folder is runs/NAME.
    seconds: how long it has run, also before it was resumed.
    stage: what it does. share: how much of it is over, 0 to 1.
    step, steps, epoch, epochs, seconds_left: of training, as finetune/progress.py has them.
    log: the end of what it printed, as a terminal would show it. problem: why it failed.
    """

    state: str
    name: str
    started: float
    seconds: float
    stage: str
    share: float
    step: int
    steps: int
    epoch: int
    epochs: int
    seconds_left: float | None
    log: str
    problem: str


class Training:
    """Starts, watches and stops the run of a server.

    runs: the folder with all runs.
    """

    def __init__(self, runs: Path = ROOT / "runs"):
        self.runs = runs
        self.folder = runs / ".training"

    def start(
        self,
        name: str,
        settings: Mapping[str, Any],
        rows: Path | None = None,
        replace: bool = False,
    ) -> None:
        """Start a run with these settings of finetune.

        rows: a file to train on, which is copied; None leaves settings' train_data.
        replace: delete an older run of this name first.
        Raises SettingsError when a run is in progress, or one has this name already.
        """
        _check(name)
        if (self.runs / name).exists() and not replace:
            raise SettingsError(
                f"A run called {name} already exists. Choose another name, or replace it."
            )
        with self._starting():
            uploads = self.folder / "rows"
            shutil.rmtree(uploads, ignore_errors=True)
            settings = {**settings, "output_dir": str(self.runs / name), "model_name": name}
            if rows is not None:
                uploads.mkdir(mode=0o700)  # the comments may be private
                copy = uploads / rows.name  # the model card names it
                shutil.copyfile(rows, copy)
                settings["train_data"] = str(copy)
            (self.folder / "run.toml").write_text(as_toml(settings), encoding="utf-8")
            self._begin(name, ["--clear"] if replace else [])

    def resume(self) -> None:
        """Resume the run that was stopped last."""
        with self._starting():
            last = self.status()
            if last is None:
                raise SettingsError("There is no run to resume; start one.")
            self._begin(last.name, ["--resume"], last.seconds)

    def stop(self) -> None:
        """Ask the run to end, and end it after ten seconds; its checkpoints are kept."""
        if not self.is_running():
            return
        state = self._state()
        write_json(self.folder / STATE, state | {"stopped": True})
        _send(state["pid"], signal.SIGINT)
        threading.Thread(target=self._end, args=(state["pid"],), daemon=True).start()

    def is_running(self) -> bool:
        """Whether a run is in progress."""
        lock = self.folder / LOCK
        if not lock.exists():
            return False
        try:
            # Another server may look at this very instant: the second try is after 0.05 s.
            with _looking, FileLock(lock, timeout=0.06):
                return False
        except Timeout:
            return True
        except OSError:  # a server that cannot write there has no runs
            return False

    def status(self) -> Status | None:
        """The run in progress, or else the last one; None before the first."""
        running = self.is_running()
        try:
            state = self._state()
            name, started = state["name"], state["started"]
            printed = self._end_of_log()
        except (OSError, ValueError, KeyError):
            return None
        so_far = progress.read(self.runs / name)
        stage = so_far.get("stage", "")
        step, steps = so_far.get("step", 0), so_far.get("steps", 0)
        share = STAGES.get(stage, 0.95) if stage else 0.0
        if stage == "train" and steps:
            share += (STAGES["export"] - share) * step / steps
        done = so_far.get("state") == DONE
        stopped = state.get("stopped") or so_far.get("state") == STOPPED
        ended = DONE if done else STOPPED if stopped else FAILED
        until = time.time() if running else (self.folder / "log.txt").stat().st_mtime
        log = self._without_folders(as_shown(printed))
        problem = "" if done else self._without_folders(so_far.get("problem") or _last_error(log))
        return Status(
            state=RUNNING if running else ended,
            name=name,
            started=started,
            seconds=max(0.0, until - started) + state.get("earlier", 0.0),
            stage=stage,
            share=1.0 if done else share,
            step=step,
            steps=steps,
            epoch=so_far.get("epoch", 0),
            epochs=so_far.get("epochs", 0),
            seconds_left=so_far.get("seconds_left"),
            log=log,
            problem=problem,
        )

    def rename(self, name: str, new: str) -> None:
        """Rename a run, also in its card. SettingsError where that is not possible."""
        _check(new)
        with self._changing(name):
            if (self.runs / new).exists():
                raise SettingsError(f"A run called {new} already exists. Choose another name.")
            (self.runs / name).rename(self.runs / new)
            card = self.runs / new / "model" / "README.md"
            if card.is_file():
                from finetune.card import write_card

                with contextlib.suppress(UserError, OSError):  # the old card is better than none
                    write_card(card.parent)
            with contextlib.suppress(OSError, ValueError, KeyError):
                state = self._state()
                if state["name"] == name:
                    write_json(self.folder / STATE, state | {"name": new})

    def delete(self, name: str) -> None:
        """Delete a run with all of its files. SettingsError where that is not possible."""
        with self._changing(name):
            shutil.rmtree(self.runs / name)

    @contextlib.contextmanager
    def _changing(self, name: str) -> Iterator[None]:
        """Check that this is a run, and not the one in progress; translate what can go wrong."""
        _check(name)
        if not (self.runs / name).is_dir():
            raise SettingsError(f"There is no run called {name} any more; reload the page.")
        if self.is_running() and self._state().get("name") == name:
            raise SettingsError(f"{name} is being trained; stop it first.")
        try:
            yield
        except OSError as error:
            raise SettingsError(
                f"{name}: cannot be changed ({error.strerror or error}); the operator of this "
                "server must make its folder writable."
            ) from error

    def names(self) -> set[str]:
        """The names of all runs, finished or not."""
        try:
            return {path.name for path in self.runs.iterdir()} - {self.folder.name}
        except OSError:
            return set()

    def curves(self, name: str) -> list[dict[str, Any]]:
        """A run's log of losses and validation metrics so far."""
        try:
            text = (self.runs / name / "curves.jsonl").read_text(encoding="utf-8")
            return [json.loads(line) for line in text.splitlines()]
        except (OSError, ValueError):
            return []

    def split(self, name: str) -> dict[str, int]:
        """How many rows each part of a run's split has; empty before it is made."""
        try:
            parts = record.load(self.runs / name)["data"]
            return {part: rows["rows"] for part, rows in parts.items()}
        except (SettingsError, KeyError, TypeError, AttributeError):
            return {}

    def _end_of_log(self) -> str:
        with (self.folder / "log.txt").open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - LOG_BYTES))
            return file.read().decode("utf-8", errors="replace")

    def _without_folders(self, text: str) -> str:
        """Leave out the folders of this server; what is in them is named from there."""
        for folder in (self.folder, self.runs.parent, ROOT, Path(sys.prefix)):
            text = text.replace(f"{folder}{os.sep}", "")
        return text

    def _state(self) -> dict[str, Any]:
        return read_json(self.folder / STATE)

    @contextlib.contextmanager
    def _starting(self) -> Iterator[None]:
        """Keep other starts waiting. Raises SettingsError while a run is in progress."""
        in_progress = SettingsError(
            "A training run is already in progress; this server trains one model at a time."
        )
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with FileLock(self.folder / "start.lock", timeout=PATIENCE):
                if self.is_running():
                    raise in_progress
                yield
        except Timeout:
            raise in_progress from None
        except OSError as error:
            raise SettingsError(
                f"{self.runs}: cannot be written ({error.strerror}), and a run needs it; the "
                "operator of this server must make it writable."
            ) from error

    def _begin(self, name: str, flags: list[str], earlier: float = 0.0) -> None:
        """Start the process, and wait until it has the lock. earlier: seconds before a resume."""
        (self.runs / name / progress.FILE_NAME).unlink(missing_ok=True)  # of an earlier run
        environment = {**os.environ, "PYTHONUNBUFFERED": "1", "COLUMNS": "80"}
        # The page reads the log each second: bars that write ten times as often fill it.
        environment["TQDM_MININTERVAL"] = "1"
        config = ["--config", str(self.folder / "run.toml")]
        with (self.folder / "log.txt").open("wb") as log:
            process = subprocess.Popen(
                [*command(), str(self.folder), name, str(earlier), MODULE, *config, *flags],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=ROOT,
                env=environment,
                start_new_session=True,  # the page's server can end without it
            )
        threading.Thread(target=process.wait, daemon=True).start()  # leave no zombie
        while True:
            ended = process.poll() is not None
            with contextlib.suppress(OSError, ValueError):
                if self._state()["pid"] == process.pid:
                    return
            if ended:
                raise SettingsError(f"The run did not start; {self.folder / 'log.txt'} says why.")
            time.sleep(0.02)

    def _end(self, pid: int) -> None:
        until = time.monotonic() + GRACE
        while self.is_running():
            if time.monotonic() > until:
                _send(pid, getattr(signal, "SIGKILL", signal.SIGTERM))
                return
            time.sleep(0.2)


def _check(name: str) -> None:
    """Raise SettingsError for a name that is no name of a run, and could be another path."""
    if not NAME.fullmatch(name):
        raise SettingsError(
            f"{name!r} is not a valid run name; use up to 40 letters, digits, - and _."
        )


def command() -> list[str]:
    """The command of a run's process, which takes the processor only when nobody scores."""
    nice = ["nice", "-n", "10"] if shutil.which("nice") else []
    return [*nice, sys.executable, "-m", "ui.train.process"]


def _send(pid: int, number: int) -> None:
    """Signal a run and its children. Windows has no groups; there the process is ended at once."""
    with contextlib.suppress(ProcessLookupError):
        getattr(os, "killpg", os.kill)(pid, number)


def as_toml(settings: Mapping[str, Any]) -> str:
    """Settings as a config of finetune: strings, numbers, booleans, and lists and tables of them.

    JSON's form of these is TOML's too, except for tables, and lone surrogates, which TOML lacks.
    """

    def toml(value: Any) -> str:
        if isinstance(value, Mapping):
            pairs = (f"{toml(key)} = {toml(item)}" for key, item in value.items())
            return "{" + ", ".join(pairs) + "}"
        if isinstance(value, str):
            value = value.encode("utf-8", "replace").decode().replace("\x7f", "")
        return json.dumps(value, ensure_ascii=False)

    return "".join(f"{name} = {toml(value)}\n" for name, value in settings.items())


def as_shown(printed: str) -> str:
    """What a terminal would show: without colours, and each line as it was written last."""
    lines = ESCAPE.sub("", printed).split("\n")
    return "\n".join(line.rstrip("\r").rsplit("\r", 1)[-1].rstrip() for line in lines)


def _last_error(log: str) -> str:
    """The sentence that finetune ends with where it fails before its folder exists."""
    errors = re.findall(r"error: (.+)", log)
    return errors[-1] if errors else "the run ended early; see its log."
