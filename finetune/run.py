"""A whole run: the command's way into the stages, and Python's.

    run(Settings(output_dir="runs/mine"), train_data=frame)

A table that is handed over is written to RUN/tables, and read from there like any other.
"""

import dataclasses
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow

from comment_toxicity.disk import files_in
from comment_toxicity.errors import DataError, SettingsError, UserError
from finetune import progress, record
from finetune.config import Settings
from finetune.data.split import with_labels
from finetune.stages import STAGES, run_stages

TABLES = ("train_data", "validation_data", "test_data")


def run(
    settings: Settings,
    stages: Sequence[str] = (),
    *,
    resume: bool = False,
    clear: bool = False,
    train_data: Any = None,
    validation_data: Any = None,
    test_data: Any = None,
) -> Path:
    """Run stages, by default all, in settings.output_dir. Returns the folder of the model.

    train_data, validation_data, test_data: rows instead of those that the setting of this name
    tells; a DataFrame, or an object with to_pandas(), such as a datasets.Dataset.
    resume: continue the run that is there.  clear: delete it first.
    Raises DataError and SettingsError, in one sentence each.
    """
    unknown = [name for name in stages if name not in STAGES]
    if unknown:
        raise SettingsError(f"no stage {unknown[0]!r}; the stages are {', '.join(STAGES)}.")
    settings.check()
    given = {"train_data": train_data, "validation_data": validation_data, "test_data": test_data}
    frames = {name: _frame(table, name) for name, table in given.items() if table is not None}
    run_folder = Path(settings.output_dir)
    paths = {name: str(run_folder / "tables" / f"{name}.parquet") for name in frames}
    settings = Settings(**dataclasses.asdict(settings) | paths)
    if not settings.labels and record.holds_run(run_folder) and not clear:
        labels = record.recorded_settings(run_folder)["labels"]
        settings = dataclasses.replace(settings, labels=labels)
    settings = with_labels(settings, frames.get("train_data"))
    asked = stages or [name for name in STAGES if name != "publish" or settings.publish_to]
    names = [name for name in STAGES if name in asked]
    if "publish" in names:
        _check_publishing(settings, names)
    with record.alone(run_folder):
        is_new = _open_run(settings, names, resume=resume, clear=clear)
    with record.alone(run_folder):  # --clear has made another folder
        try:
            with progress.of_run(run_folder):
                if "data" not in record.load(run_folder):
                    for name, frame in frames.items():
                        _write(frame, Path(paths[name]), name)
                run_stages(names, settings, resume=resume)
        except UserError:
            # Nothing of use is there yet, and the corrected command should not need --clear.
            if is_new and "data" not in record.load(run_folder):
                shutil.rmtree(run_folder, ignore_errors=os.name == "nt")  # where the lock is open
            raise
    return run_folder / "model"


def _frame(table: Any, name: str) -> pd.DataFrame:
    """The rows of a table that was handed over, numbered from 0."""
    frame = table.to_pandas() if hasattr(table, "to_pandas") else table
    if not isinstance(frame, pd.DataFrame):
        raise DataError(
            f"{name}: cannot read rows from a {type(table).__name__}; give a pandas DataFrame or a "
            "datasets.Dataset, of several splits one by one."
        )
    if frame.empty:
        raise DataError(f"{name}: the table has no rows; give one with labelled comments.")
    return frame.set_axis(frame.columns.map(str), axis=1).reset_index(drop=True)


def _write(frame: pd.DataFrame, path: Path, name: str) -> None:
    """Write the columns that Parquet can hold. DataError for other cells than those of one type."""
    path.parent.mkdir(exist_ok=True, mode=0o700)  # the comments may be private
    try:
        frame.to_parquet(path)
    except (pyarrow.ArrowException, TypeError, ValueError, OverflowError) as error:
        cause = " ".join(str(error).split())[:200]
        raise DataError(
            f"{name}: cannot be written as Parquet ({cause}); give each column values of one type, "
            "and leave out the columns that the run does not need."
        ) from None


def _check_publishing(settings: Settings, names: list[str]) -> None:
    """Check before hours of training that the result can be published."""
    from finetune.publish.conditions import Condition
    from finetune.publish.publish import parse_target

    if not settings.publish_to:
        raise SettingsError("the stage publish needs a target; give --publish-to hub:OWNER/NAME.")
    for text in settings.publish_require:
        if Condition.parse(text).of_audit and "export" in names:
            raise SettingsError(
                f"{text!r}: no stage of a run measures that. Leave out the stage publish; run "
                "`python -m finetune.audit --save`, then `python -m finetune publish` with this "
                "condition."
            )
    for target in settings.publish_to:
        parse_target(target).check()


def _open_run(settings: Settings, names: list[str], resume: bool, clear: bool) -> bool:
    """Start a record in an empty run folder, or check that the one there is of this run.

    Returns whether the run is new.
    """
    folder = Path(settings.output_dir)
    if clear and "data" not in names:
        raise SettingsError("--clear deletes the whole run, so start with the stage data.")
    if clear and folder.exists():
        if not record.holds_run(folder) and files_in(folder):
            raise SettingsError(
                f"{folder}: not a run folder, so --clear does not delete it; "
                "give another --output-dir."
            )
        shutil.rmtree(folder)
    if not record.holds_run(folder):
        if "data" not in names:
            raise record.no_run(folder)
        if folder.is_dir() and files_in(folder):
            raise SettingsError(
                f"{folder}: has other files in it; empty it or give another --output-dir."
            )
        record.begin(settings, folder)
        return True
    trains_again = "train" in names and any(folder.glob("checkpoints/*"))
    if ("data" in names or trains_again) and not resume:
        raise SettingsError(
            f"{folder}: there is a run; --resume continues it, --clear deletes it first."
        )
    known = record.load(folder)
    differing = record.differences(known, settings)
    if differing:
        raise SettingsError(
            f"{folder}: the run there has other settings for {', '.join(differing)}; keep these, "
            "or start over with --clear."
        )
    record.save(known | {"settings": dataclasses.asdict(settings)}, folder)
    return False
