"""The one training run of this server: `python -m finetune` in a process of its own.

All there is to know about it lies in runs/.training, so closing the tab, another visitor, even a
restart of the server lose nothing:

    lock        locked by the run's process as long as it lives
    state.json  which run, since when, and its process
    run.toml    its settings
    rows.*      the rows it was given, when they were uploaded
    log.txt     what it prints
"""

import contextlib
import fcntl
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

from comment_toxicity.errors import SettingsError
from comment_toxicity.fetch.find import ROOT

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
STAGE = re.compile(r"^── (\w+)$", re.M)
STEPS = re.compile(r"\b(\d+)/(\d+) \[")
# How much of a run is over when a stage begins, on a small data set.
STAGES = {"data": 0.0, "train": 0.05, "export": 0.8, "calibrate": 0.9, "evaluate": 0.95}
GRACE = 10.0  # seconds between asking a run to stop and ending it
RUNNING, DONE, STOPPED, FAILED = "running", "done", "stopped", "failed"


@dataclass(frozen=True)
class Status:
    """What became of a run so far.

    state: running, done, stopped or failed. name: of the run, its folder is runs/NAME.
    stage: what it does. share: how much of it is over, 0 to 1. step, steps: of training.
    log: what it printed, without what progress bars overwrote. problem: why it failed.
    """

    state: str
    name: str
    started: float
    seconds: float
    stage: str
    share: float
    step: int
    steps: int
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
        """Begin a run with these settings of finetune.

        rows: a file to train on, which is copied; None leaves settings' train_data.
        replace: delete an older run of this name first.
        Raises SettingsError when a run is on, or one has this name already.
        """
        if not NAME.fullmatch(name):
            raise SettingsError(
                f"{name!r} cannot be a run's name: take up to 40 letters, digits, - and _."
            )
        if (self.runs / name).exists() and not replace:
            raise SettingsError(f"There is a run called {name}: take another name, or replace it.")
        with self._locked() as lock:
            for old in self.folder.glob("rows.*"):
                old.unlink()
            settings = {**settings, "output_dir": str(self.runs / name), "model_name": name}
            if rows is not None:
                copy = self.folder / f"rows{rows.suffix}"
                shutil.copyfile(rows, copy)
                settings["train_data"] = str(copy)
            (self.folder / "run.toml").write_text(as_toml(settings), encoding="utf-8")
            self._begin(name, ["--clear"] if replace else [], lock)

    def resume(self) -> None:
        """Go on with the run that was stopped last."""
        with self._locked() as lock:
            self._begin(self._state()["name"], ["--resume"], lock)

    def stop(self) -> None:
        """Ask the run to end, and end it after ten seconds; what it has done is kept."""
        if not self.is_running():
            return
        state = self._state()
        group = int(state["pid"])
        self._save(state | {"stopped": True})
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGINT)
        threading.Thread(target=self._end, args=(group,), daemon=True).start()

    def is_running(self) -> bool:
        """Whether a run is on."""
        if not (self.folder / "lock").exists():  # on a server that cannot write there, never
            return False
        try:
            with self._locked(patience=0):
                return False
        except SettingsError:
            return True

    def status(self) -> Status | None:
        """Tell about the run that is on, or else the last one; None before the first."""
        running = self.is_running()
        try:
            state = self._state()
            printed = (self.folder / "log.txt").read_text(encoding="utf-8", errors="replace")
        except (OSError, ValueError, KeyError):
            return None
        log = without_overwritten(printed)
        name, stages = state["name"], STAGE.findall(log)
        stage = stages[-1] if stages else ""
        step, steps = _steps(printed)
        share = STAGES.get(stage, 0.95 if stage else 0.0)
        if stage == "train" and steps:
            share += (STAGES["export"] - share) * step / steps
        done = (self.runs / name / "model" / "README.md").is_file() and "The model is in" in log
        ended = DONE if done else STOPPED if state.get("stopped") else FAILED
        until = time.time() if running else (self.folder / "log.txt").stat().st_mtime
        return Status(
            state=RUNNING if running else ended,
            name=name,
            started=state["started"],
            seconds=max(0.0, until - state["started"]),
            stage=stage,
            share=1.0 if done else share,
            step=step,
            steps=steps,
            log=log,
            problem="" if done else _problem(log),
        )

    def curves(self, name: str) -> list[dict[str, Any]]:
        """Give a run's log of losses and validation figures so far."""
        try:
            text = (self.runs / name / "curves.jsonl").read_text(encoding="utf-8")
            return [json.loads(line) for line in text.splitlines()]
        except (OSError, ValueError):
            return []

    def _state(self) -> dict[str, Any]:
        return json.loads((self.folder / "state.json").read_text(encoding="utf-8"))

    def _save(self, state: dict[str, Any]) -> None:
        partial = self.folder / "state.part"
        partial.write_text(json.dumps(state), encoding="utf-8")
        partial.replace(self.folder / "state.json")

    @contextlib.contextmanager
    def _locked(self, patience: float = 0.5) -> Iterator[int]:
        """Hold the lock, which a run's process inherits. SettingsError when a run has it."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise SettingsError(
                f"{self.runs}: cannot be written ({error.strerror}), and a run needs it; whoever "
                "runs this server must make it writable."
            ) from error
        try:
            until = time.monotonic() + patience
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    # Somebody who only looks whether a run is on holds it for an instant.
                    if time.monotonic() >= until:
                        raise SettingsError(
                            "A run is on already; this server trains one model at a time."
                        ) from None
                    time.sleep(0.05)
            yield lock
        finally:
            os.close(lock)

    def _begin(self, name: str, flags: list[str], lock: int) -> None:
        environment = {**os.environ, "PYTHONUNBUFFERED": "1", "COLUMNS": "80"}
        # Whoever watches reads the log each second: bars that write ten times as often fill it.
        environment["TQDM_MININTERVAL"] = "1"
        with (self.folder / "log.txt").open("wb") as log:
            process = subprocess.Popen(
                [*command(), "--config", str(self.folder / "run.toml"), *flags],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=ROOT,
                env=environment,
                start_new_session=True,  # the page's server can end without it
                pass_fds=[lock],
            )
        threading.Thread(target=process.wait, daemon=True).start()  # leave no zombie
        self._save({"name": name, "pid": process.pid, "started": time.time()})

    def _end(self, group: int) -> None:
        until = time.monotonic() + GRACE
        while self.is_running():
            if time.monotonic() > until:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(group, signal.SIGKILL)
                return
            time.sleep(0.2)


def command() -> list[str]:
    """Give the command of a run, which takes the processor only when nobody scores."""
    nice = ["nice", "-n", "10"] if shutil.which("nice") else []
    return [*nice, sys.executable, "-m", "finetune"]


def as_toml(settings: Mapping[str, Any]) -> str:
    """Write settings as a config of finetune: texts, numbers, switches, lists and tables of them.

    JSON's form of these is TOML's too, but for tables, and for half characters, which have none.
    """

    def written(value: Any) -> str:
        if isinstance(value, Mapping):
            pairs = (f"{written(key)} = {written(item)}" for key, item in value.items())
            return "{" + ", ".join(pairs) + "}"
        if isinstance(value, str):
            value = value.encode("utf-8", "replace").decode().replace("\x7f", "")
        return json.dumps(value, ensure_ascii=False)

    return "".join(f"{name} = {written(value)}\n" for name, value in settings.items())


def without_overwritten(printed: str) -> str:
    """Keep what a terminal would show of lines that progress bars wrote again and again."""
    lines = printed.split("\n")
    return "\n".join(line.rstrip("\r").rsplit("\r", 1)[-1].rstrip() for line in lines)


def _steps(printed: str) -> tuple[int, int]:
    """Read the training bar: the first bar after the stage's name tells the number of steps."""
    begun = printed.rfind("── train")
    found = STEPS.findall(printed[begun:]) if begun >= 0 else []
    if not found:
        return 0, 0
    total = found[0][1]
    return max(int(step) for step, steps in found if steps == total), int(total)


def _problem(log: str) -> str:
    """Find the sentence that finetune ends with when something is wrong."""
    found = re.findall(r"error: (.+)", log)
    return found[-1] if found else "the run ended early; its log says more."
