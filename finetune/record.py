"""RUN/run.json: every setting of a run, what it read, on what it ran, and what came of it."""

import dataclasses
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from comment_toxicity.disk import kept_for_this_process, read_json, write_json
from comment_toxicity.errors import SettingsError
from finetune.config import AFTER_TRAINING, REMOVED, Settings

PACKAGES = ("torch", "transformers", "tokenizers", "onnxruntime", "onnx", "scikit-learn", "pandas")
FILE_NAME = "run.json"


def begin(settings: Settings, run_folder: Path) -> None:
    """Start the record of a run in an empty folder."""
    record = {
        "settings": dataclasses.asdict(settings),
        "versions": {"python": platform.python_version()}
        | {package: version(package) for package in PACKAGES},
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}",
        "seed": settings.seed,
        "duration_s": 0,
    }
    save(record, run_folder)


@contextmanager
def alone(run_folder: Path) -> Iterator[None]:
    """Keep a run's folder for this process meanwhile. SettingsError when another has it."""
    if not run_folder.is_dir():  # nobody can be at work there
        yield
        return
    busy = SettingsError(
        f"{run_folder}: another process is at work on this run; wait for its end, or name another "
        "--output-dir."
    )
    with kept_for_this_process(run_folder, busy):
        yield


def holds_run(folder: Path) -> bool:
    """Whether a run lies in the folder; a model's folder has a copy of the record too."""
    return (folder / FILE_NAME).is_file() and not (folder / "config.json").is_file()


def no_run(folder: Path) -> SettingsError:
    """Say that a folder holds no run."""
    return SettingsError(
        f"{folder}: no run there ({FILE_NAME} is missing, or it is a model's folder); start one "
        "with --config."
    )


def load(run_folder: Path) -> dict[str, Any]:
    """Read the record. SettingsError when the folder holds none."""
    path = run_folder / FILE_NAME
    try:
        record = read_json(path)
        if not isinstance(record["settings"], dict):
            raise ValueError("settings is not a table")
        return record
    except FileNotFoundError:
        raise no_run(run_folder) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SettingsError(
            f"{path}: cannot be read ({error!r}); start again with --clear."
        ) from None


def save(record: dict[str, Any], run_folder: Path) -> None:
    """Write the record whole."""
    run_folder.mkdir(parents=True, exist_ok=True)
    write_json(run_folder / FILE_NAME, record)


def add(run_folder: Path, seconds: float = 0, **parts: Any) -> None:
    """Add what a stage found to the record."""
    record = load(run_folder) | parts
    record["duration_s"] = round(record["duration_s"] + seconds, 1)
    save(record, run_folder)


def differences(record: dict[str, Any], settings: Settings) -> list[str]:
    """Name the settings that are not the recorded run's, and make its weights others.

    One that the record does not have is younger than the run, which was as with its default.
    """
    recorded = dataclasses.asdict(Settings()) | REMOVED | record["settings"]
    return [
        name
        for name, value in (REMOVED | dataclasses.asdict(settings)).items()
        if recorded[name] != value and name not in AFTER_TRAINING
    ]
