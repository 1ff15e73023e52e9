"""RUN/run.json: every setting of a run, what it read, on what it ran, and what came of it."""

import dataclasses
import json
import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

from classifier.errors import SettingsError

from .config import AFTER_TRAINING, Settings

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


def load(run_folder: Path) -> dict[str, Any]:
    """Read the record. SettingsError when the folder holds none."""
    path = run_folder / FILE_NAME
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(
            f"{run_folder}: no run there ({FILE_NAME} is missing); start one with --config."
        ) from None
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"{path}: cannot be read ({error}); start again with --clear."
        ) from None


def save(record: dict[str, Any], run_folder: Path) -> None:
    """Write the record whole."""
    run_folder.mkdir(parents=True, exist_ok=True)
    write_whole(run_folder / FILE_NAME, json.dumps(record, indent=2, ensure_ascii=False) + "\n")


def add(run_folder: Path, seconds: float = 0, **parts: Any) -> None:
    """Add what a stage found to the record."""
    record = load(run_folder) | parts
    record["duration_s"] = round(record["duration_s"] + seconds, 1)
    save(record, run_folder)


def differences(record: dict[str, Any], settings: Settings) -> list[str]:
    """Name the settings that are not the recorded run's, and make its weights others."""
    return [
        name
        for name, value in dataclasses.asdict(settings).items()
        if record["settings"].get(name) != value and name not in AFTER_TRAINING
    ]


def write_whole(path: Path, text: str) -> None:
    """Write a text file so that a reader sees the old or the new one, never a part."""
    partial = path.with_name(path.name + ".part")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
