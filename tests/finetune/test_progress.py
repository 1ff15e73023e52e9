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
        "stage": "train", "step": 4, "steps": 4, "epoch": 1, "epochs": 1, "seconds_left": 0.0,
        "state": "done", "problem": "",
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
        assert progress.read(tmp_path) == {**progress.NO_STEPS, "state": "running", "problem": ""}


def state_of(step, steps=500, epochs=4):
    return SimpleNamespace(
        is_world_process_zero=True,
        global_step=step,
        max_steps=steps,
        num_train_epochs=epochs,
        epoch=epochs * step / steps,
    )


def test_not_every_short_step_is_written_but_the_last_is(tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr(progress, "update", lambda folder, **changes: written.append(changes))
    callback, state = ProgressCallback(tmp_path), state_of(0)
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


@pytest.mark.parametrize(
    ("step", "epoch"), [(0, 1), (1, 1), (125, 1), (126, 2), (499, 4), (500, 4)]
)
def test_the_epoch_counts_from_one_to_the_last(tmp_path, step, epoch):
    ProgressCallback(tmp_path).on_train_end(None, state_of(step), None)
    assert (progress.read(tmp_path)["epoch"], progress.read(tmp_path)["epochs"]) == (epoch, 4)


def test_the_time_left_of_a_resumed_run_counts_its_own_steps(tmp_path, monkeypatch):
    clock = iter([100.0, 100.0, 160.0, 160.0, 160.0])
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    callback = ProgressCallback(tmp_path)
    callback.on_train_begin(None, state_of(400), None)
    assert progress.read(tmp_path)["seconds_left"] is None
    callback.on_step_end(None, state_of(430), None)
    assert progress.read(tmp_path)["seconds_left"] == pytest.approx(140)  # 70 steps of 2 s
