"""RUN/run.json: the settings of a run, the data it read, its machine, and its results."""

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
from finetune.config import AFTER_TRAINING, REMOVED, Settings, checked

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
    """Lock a run folder for this process. SettingsError when another has locked it."""
    if not run_folder.is_dir():  # no process can be at work there
        yield
        return
    busy = SettingsError(
        f"{run_folder}: another process is working on this run; wait until it ends, or give "
        "another --output-dir."
    )
    with kept_for_this_process(run_folder, busy):
        yield


def holds_run(folder: Path) -> bool:
    """Whether there is a run in the folder; a model folder has a copy of the record too."""
    return (folder / FILE_NAME).is_file() and not (folder / "config.json").is_file()


def no_run(folder: Path) -> SettingsError:
    """The error for a folder without a run."""
    return SettingsError(
        f"{folder}: no run there ({FILE_NAME} is missing, or this is a model folder); start one "
        "with --config."
    )


def load(run_folder: Path) -> dict[str, Any]:
    """Read the record. SettingsError where there is none, or it cannot be read."""
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
            f"{path}: cannot be read ({error!r}); start over with --clear."
        ) from None


def of_base(folder: Path) -> dict[str, Any]:
    """The record of the run that made a base model; empty where it has none that can be read."""
    try:
        return load(folder)
    except SettingsError:
        return {}


def recorded_settings(run_folder: Path) -> dict[str, Any]:
    """The settings of a recorded run, by name; SettingsError where one of them cannot be used."""
    return checked(load(run_folder)["settings"], str(run_folder / FILE_NAME))


def save(record: dict[str, Any], run_folder: Path) -> None:
    """Write the record, whole or not at all."""
    run_folder.mkdir(parents=True, exist_ok=True)
    write_json(run_folder / FILE_NAME, record)


def add(run_folder: Path, seconds: float = 0, **parts: Any) -> None:
    """Add the results of a stage to the record."""
    record = load(run_folder) | parts
    record["duration_s"] = round(record["duration_s"] + seconds, 1)
    save(record, run_folder)


def differences(record: dict[str, Any], settings: Settings) -> list[str]:
    """Names of the settings that differ from the recorded run's and affect the trained weights.

    A setting that the record lacks is newer than the run, which had what is now its default.
    """
    recorded = dataclasses.asdict(Settings()) | REMOVED | record["settings"]
    return [
        name
        for name, value in (REMOVED | dataclasses.asdict(settings)).items()
        if recorded[name] != value and name not in AFTER_TRAINING
    ]
