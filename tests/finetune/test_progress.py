"""RUN/progress.json, by which a program can watch a run."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from comment_toxicity.errors import DataError
from finetune import progress
from finetune.__main__ import main
from finetune.train.callbacks import ProgressCallback


def test_progress_of_a_finished_run_has_all_steps(comments: Path, tiny_base: Path, tmp_path: Path):
    run = tmp_path / "run"
    named = ["--train-data", comments, "--base-model", tiny_base, "--output-dir", run]
    options = ["--max-steps", "4", "--batch-size", "8", "--max-length", "32", "--precision", "fp32"]
    assert main(["data", "train", *map(str, named), *options]) == 0
    assert progress.read(run) == {
        "stage": "train", "step": 4, "steps": 4, "state": "done", "problem": ""
    }  # fmt: skip


@pytest.mark.parametrize(
    ("error", "state", "problem"),
    [
        (DataError("rows.csv: is empty."), "failed", "rows.csv: is empty."),
        (KeyboardInterrupt(), "stopped", ""),
        (RuntimeError("a defect"), "failed", ""),
    ],
)
def test_progress_of_a_failed_run_has_the_problem(tmp_path, error, state, problem):
    with pytest.raises(type(error)), progress.of_run(tmp_path):
        progress.update(tmp_path, stage="data")
        raise error
    assert progress.read(tmp_path)["state"] == state
    assert progress.read(tmp_path)["problem"] == problem


def test_progress_of_a_restarted_run_has_no_old_problem(tmp_path):
    with pytest.raises(DataError), progress.of_run(tmp_path):
        raise DataError("no")
    with progress.of_run(tmp_path):
        assert progress.read(tmp_path) == {"step": 0, "steps": 0, "state": "running", "problem": ""}


def test_not_every_short_step_is_written_but_the_last_is(tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr(progress, "update", lambda folder, **changes: written.append(changes))
    callback, state = ProgressCallback(tmp_path), SimpleNamespace(
        is_world_process_zero=True, global_step=0, max_steps=500
    )  # fmt: skip
    callback.on_train_begin(None, state, None)
    for _ in range(500):
        state.global_step += 1
        callback.on_step_end(None, state, None)
    callback.on_train_end(None, state, None)
    assert [entry["step"] for entry in written] == [0, 500]


def test_only_the_first_process_writes(tmp_path):
    state = SimpleNamespace(is_world_process_zero=False, global_step=1, max_steps=2)
    ProgressCallback(tmp_path).on_train_begin(None, state, None)
    assert not list(tmp_path.iterdir())
