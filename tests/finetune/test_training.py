"""Training by the real command: interruptions and second processes do not change it."""

import json
import math
import os
import pickle
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file
from transformers import TrainerControl

from finetune.__main__ import main
from finetune.config import JIGSAW_LABELS
from finetune.export import torch_logits
from finetune.record import alone
from finetune.train.callbacks import CurvesCallback, ProgressCallback, TimedCheckpointCallback
from finetune.train.dataset import CommentDataset
from tests.running import ROOT

NO_METRICS = {"eval_loss": 1.0, "eval_roc_auc_mean": 0.5}
SMALL = [
    "--batch-size", "16", "--max-length", "32", "--precision", "fp32", "--learning-rate", "0.01",
]  # fmt: skip


def flags(comments: Path, base: Path, run: Path, *more: str) -> list[str]:
    named = ["--train-data", comments, "--base-model", base, "--output-dir", run]
    return ["data", "train", *map(str, named), *SMALL, *more]


# From outside it could be missed: a checkpoint is there until the next one is written.
KILLED = """\
import os, signal, sys
from transformers import Trainer
from finetune.__main__ import main
from finetune.train import callbacks
step, callbacks.CHECKPOINT_SECONDS = int(sys.argv[1]), float(sys.argv[2])
save = Trainer._save_checkpoint

def save_and_end(trainer, *arguments):
    save(trainer, *arguments)
    if trainer.state.global_step == step:
        os.kill(os.getpid(), signal.SIGKILL)

Trainer._save_checkpoint = save_and_end
sys.exit(main(sys.argv[3:]))
"""


def killed_at(step: int, command: list[str], seconds: float = 0) -> None:
    """Run the command, which is killed when it has written the checkpoint of that step.

    seconds: between checkpoints besides those of validations; by default, one at each step.
    """
    arguments = [str(step), str(seconds), *command]
    done = subprocess.run(
        [sys.executable, "-c", KILLED, *arguments], stderr=subprocess.DEVNULL, check=False
    )
    assert done.returncode == -signal.SIGKILL


def losses(run: Path) -> list[float]:
    entries = map(json.loads, (run / "curves.jsonl").read_text().splitlines())
    return [entry["loss"] for entry in entries if "loss" in entry]


def validations(run: Path) -> list[tuple[int, float, float]]:
    entries = map(json.loads, (run / "curves.jsonl").read_text().splitlines())
    return [
        (entry["step"], entry["eval_loss"], entry["eval_roc_auc_mean"])
        for entry in entries
        if "eval_loss" in entry
    ]


def same_weights(one: Path, other: Path) -> bool:
    left, right = (load_file(run / "trained" / "model.safetensors") for run in (one, other))
    return left.keys() == right.keys() and all(np.array_equal(left[k], right[k]) for k in left)


@pytest.fixture(scope="module")
def whole_run(comments: Path, tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of three epochs, 39 steps, with dropout, that nothing interrupts."""
    run = tmp_path_factory.mktemp("whole") / "run"
    assert main(flags(comments, tiny_base, run, "--evaluations-per-epoch", "2")) == 0
    return run


def test_training_lowers_the_loss_and_leaves_its_curves(whole_run: Path):
    history = losses(whole_run)
    assert sum(history[-5:]) < sum(history[:5])
    assert (whole_run / "curves.png").read_bytes().startswith(b"\x89PNG")
    entries = [json.loads(line) for line in (whole_run / "curves.jsonl").read_text().splitlines()]
    areas = {entry["step"]: entry["eval_roc_auc_mean"] for entry in entries if "eval_loss" in entry}
    assert list(areas) == [6, 12, 18, 24, 30, 36, 39]
    training = json.loads((whole_run / "run.json").read_text())["training"]
    assert training["best_roc_auc_mean"] == areas[training["best_step"]] == max(areas.values())


def test_the_weights_kept_are_those_of_the_best_validation(whole_run: Path):
    best = json.loads((whole_run / "run.json").read_text())["training"]["best_step"]
    checkpoint = load_file(whole_run / f"checkpoints/checkpoint-{best}/model.safetensors")
    kept = load_file(whole_run / "trained" / "model.safetensors")
    assert all(np.array_equal(kept[name], weight) for name, weight in checkpoint.items())


def test_a_killed_run_resumes_to_the_weights_of_an_uninterrupted_one(
    whole_run: Path, comments: Path, tiny_base: Path, tmp_path: Path
):
    run = tmp_path / "run"
    command = flags(comments, tiny_base, run, "--evaluations-per-epoch", "2")
    killed_at(12, command, seconds=math.inf)

    assert main([*command, "--resume"]) == 0
    assert same_weights(run, whole_run)
    assert losses(run) == losses(whole_run)


TIMED = """\
import sys
from finetune.__main__ import main
from finetune.train import callbacks
callbacks.CHECKPOINT_SECONDS = 0
sys.exit(main(sys.argv[1:]))
"""


def test_a_run_killed_before_its_first_validation_resumes_from_a_timed_checkpoint(
    whole_run: Path, comments: Path, tiny_base: Path, tmp_path: Path
):
    run = tmp_path / "run"
    command = flags(comments, tiny_base, run, "--evaluations-per-epoch", "2")
    killed_at(2, command)
    assert main([*command, "--resume"]) == 0
    training = json.loads((run / "run.json").read_text())["training"]
    assert 1 <= int(training["resumed_from"].removeprefix("checkpoint-")) < 6
    assert same_weights(run, whole_run)
    assert validations(run) == validations(whole_run)


def test_a_run_killed_after_its_best_validation_keeps_that_checkpoint(
    whole_run: Path, comments: Path, tiny_base: Path, tmp_path: Path
):
    best = json.loads((whole_run / "run.json").read_text())["training"]["best_step"]
    run = tmp_path / "run"
    command = flags(comments, tiny_base, run, "--evaluations-per-epoch", "2")
    killed_at(best + 3, command)
    assert main([*command, "--resume"]) == 0
    assert same_weights(run, whole_run)
    assert validations(run) == validations(whole_run)


def test_checkpoints_by_time_change_nothing_and_do_not_pile_up(
    whole_run: Path, comments: Path, tiny_base: Path, tmp_path: Path, monkeypatch
):
    most = 0

    def count(self, args, state, control, **_):
        nonlocal most
        most = max(most, len(list(Path(args.output_dir).iterdir())))

    monkeypatch.setattr("finetune.train.callbacks.CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(ProgressCallback, "on_step_begin", count, raising=False)
    run = tmp_path / "run"
    assert main(flags(comments, tiny_base, run, "--evaluations-per-epoch", "2")) == 0
    assert same_weights(run, whole_run)
    assert validations(run) == validations(whole_run)
    assert most == 2  # the best and the last
    kept = [folder.name for folder in (run / "checkpoints").iterdir()]
    assert kept == [folder.name for folder in (whole_run / "checkpoints").iterdir()]


def test_a_checkpoint_is_due_by_the_clock_and_sooner_before_a_validation(monkeypatch):
    seconds = iter([0.0, 530.0, 541.0, 600.0, 800.0, 871.0, 871.0])
    monkeypatch.setattr("finetune.train.callbacks.time.monotonic", lambda: next(seconds))
    args = SimpleNamespace(world_size=1)
    state = SimpleNamespace(global_step=3, eval_steps=10, max_steps=14)
    due = TimedCheckpointCallback()

    def asks() -> bool:
        control = TrainerControl()
        due.on_step_end(args, state, control)
        return control.should_save

    due.on_train_begin(args, state, TrainerControl())
    assert [asks(), asks()] == [False, True]
    due.on_save(args, state, TrainerControl())
    state.global_step = 9
    assert [asks(), asks()] == [False, True]
    state.global_step = 13  # the last step is validated too
    assert asks()


def test_an_incomplete_checkpoint_is_not_resumed_from(whole_run: Path, tmp_path: Path):
    run = shutil.copytree(whole_run, tmp_path / "run")
    last = max((run / "checkpoints").iterdir(), key=lambda path: int(path.name.split("-")[1]))
    (last / "trainer_state.json").unlink()
    shutil.rmtree(run / "trained")  # as if killed before the end
    assert main(["train", "--resume", "--output-dir", str(run)]) == 0
    assert same_weights(run, whole_run)


class Touch:
    """Creates a file where a pickle of it is read."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("name", ["optimizer.pt", "scheduler.pt", "rng_state.pth"])
def test_code_in_a_checkpoint_is_not_run(whole_run: Path, tmp_path: Path, capsys, name: str):
    run, ran = shutil.copytree(whole_run, tmp_path / "run"), tmp_path / "ran"
    for checkpoint in (run / "checkpoints").iterdir():
        (checkpoint / name).write_bytes(pickle.dumps(Touch(ran), protocol=2))
    shutil.rmtree(run / "trained")  # as if killed before the end
    assert main(["train", "--resume", "--output-dir", str(run)]) == 2
    assert "is damaged, or holds code, which is never run" in capsys.readouterr().err
    assert not ran.exists()


def test_a_finished_training_is_not_repeated(comments: Path, tiny_base: Path, tmp_path: Path):
    command = flags(comments, tiny_base, tmp_path / "run", "--max-steps", "4")
    assert main(command) == 0
    weights = tmp_path / "run" / "trained" / "model.safetensors"
    before = weights.stat().st_mtime_ns
    assert main([*command, "--resume"]) == 0
    assert weights.stat().st_mtime_ns == before


def interrupted(*_, **__) -> None:
    raise KeyboardInterrupt


def interrupt(monkeypatch, evaluation: int) -> None:
    """Stop the next run at that evaluation, as Ctrl-C does."""
    counted = iter(range(1, 1000))

    def stop(*_, **__):
        if next(counted) == evaluation:
            raise KeyboardInterrupt

    monkeypatch.setattr(CurvesCallback, "on_evaluate", stop)


def test_patience_keeps_counting_after_an_interruption(
    comments: Path, tiny_base: Path, tmp_path: Path, monkeypatch
):
    # Too slow to change a metric: the first validation stays the best.
    more = ["--learning-rate", "1e-9", "--patience", "2", "--evaluations-per-epoch", "6"]
    run = tmp_path / "run"
    command = flags(comments, tiny_base, run, *more)
    with monkeypatch.context() as patched:
        interrupt(patched, evaluation=3)
        assert main(command) == 130
    assert main([*command, "--resume"]) == 0
    entries = [json.loads(line) for line in (run / "curves.jsonl").read_text().splitlines()]
    assert [entry["step"] for entry in entries if "eval_loss" in entry] == [2, 4, 6]


def test_a_moved_run_resumes_with_its_best_checkpoint(
    whole_run: Path, comments: Path, tiny_base: Path, tmp_path: Path, monkeypatch
):
    command = flags(comments, tiny_base, tmp_path / "old", "--evaluations-per-epoch", "2")
    with monkeypatch.context() as patched:
        interrupt(patched, evaluation=6)
        assert main(command) == 130
    (tmp_path / "old").rename(tmp_path / "new")
    assert main(["train", "--resume", "--output-dir", f"{tmp_path / 'new'}/"]) == 0
    assert same_weights(tmp_path / "new", whole_run)


def test_a_finished_training_that_was_moved_keeps_its_best_checkpoint(
    whole_run: Path, comments: Path, tiny_base: Path, tmp_path: Path, monkeypatch
):
    command = flags(comments, tiny_base, tmp_path / "old", "--evaluations-per-epoch", "2")
    with monkeypatch.context() as patched:
        patched.setattr("finetune.train.train.CommentTrainer._load_best_model", interrupted)
        assert main(command) == 130  # after the last step's checkpoint
    (tmp_path / "old").rename(tmp_path / "new")
    assert main(["train", "--resume", "--output-dir", str(tmp_path / "new")]) == 0
    assert same_weights(tmp_path / "new", whole_run)


def test_a_resumed_run_keeps_its_precision(
    comments: Path, tiny_base: Path, tmp_path: Path, monkeypatch
):
    run = tmp_path / "run"
    command = flags(comments, tiny_base, run, "--precision", "auto", "--max-steps", "4")
    monkeypatch.setattr("finetune.train.train.is_faster_in", lambda *_: False)
    with monkeypatch.context() as patched:
        interrupt(patched, evaluation=1)
        assert main(command) == 130
    monkeypatch.setattr("finetune.train.train.is_faster_in", lambda *_: True)
    assert main([*command, "--resume"]) == 0
    assert json.loads((run / "run.json").read_text())["bf16"] is False


def test_validation_is_in_fp32_where_training_is_in_bf16(
    comments: Path, tiny_base: Path, tmp_path: Path
):
    run = tmp_path / "run"
    plain = ["--dropout", "0", "--attention-dropout", "0", "--max-steps", "4"]
    assert main(flags(comments, tiny_base, run, "--precision", "bf16", *plain)) == 0
    assert json.loads((run / "run.json").read_text())["bf16"] is True
    rows = pd.read_parquet(run / "split" / "validation.parquet")
    logits = torch_logits(run / "trained", rows["comment_text"].tolist(), 32).astype(float)
    targets = rows[JIGSAW_LABELS].to_numpy()
    loss = (np.log1p(np.exp(logits)) - targets * logits).mean()
    ((step, measured, _),) = validations(run)
    assert step == 4
    assert measured == pytest.approx(loss, rel=1e-5)  # in bf16 the two differ in the third digit
    losses_in_fp32 = tmp_path / "fp32"
    assert main(flags(comments, tiny_base, losses_in_fp32, *plain)) == 0
    assert losses(run) != losses(losses_in_fp32)
    assert losses(run) == pytest.approx(losses(losses_in_fp32), rel=0.05)


def test_the_rows_after_the_last_whole_batch_are_trained_on(
    comments: Path, tiny_base: Path, tmp_path: Path, monkeypatch
):
    read: set[int] = set()
    item = CommentDataset.__getitem__
    monkeypatch.setattr(CommentDataset, "__getitem__", lambda self, i: read.add(i) or item(self, i))
    monkeypatch.setattr("finetune.train.train.CommentTrainer.evaluate", lambda *_, **__: NO_METRICS)
    run = tmp_path / "run"
    more = ["--batch-size", "50", "--epochs", "1", "--accumulate", "2"]
    assert main(flags(comments, tiny_base, run, *more)) == 0
    recorded = json.loads((run / "run.json").read_text())
    assert recorded["data"]["train"]["rows"] == len(read)
    assert recorded["training"]["steps"] == math.ceil(len(read) / 50) > len(read) / 50


def test_a_disk_that_fills_up_in_training_ends_in_one_clear_error(
    comments: Path, tiny_base: Path, tmp_path: Path, limited_files, capsys
):
    with limited_files(24_000):  # room for the split and the record, not for a checkpoint
        assert main(flags(comments, tiny_base, tmp_path / "run")) == 2
    (message,) = [
        line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")
    ]
    assert message.startswith(f"error: {tmp_path / 'run'}: the run cannot be written there (")
    assert message.endswith("free some space, then continue with --resume.")


def test_two_processes_read_the_rows_once_and_give_the_losses_of_one(
    comments: Path, tiny_base: Path, tmp_path: Path
):
    plain = ["--dropout", "0", "--attention-dropout", "0", "--max-steps", "6"]
    plain += ["--teachers", str(tiny_base), "--teacher-share", "train_data=0.5"]
    one, two = tmp_path / "one", tmp_path / "two"
    assert main(flags(comments, tiny_base, one, *plain)) == 0
    # Addresses, since some machines cannot resolve their own name.
    torchrun = [
        "-m", "torch.distributed.run", "--nproc-per-node", "2", "--rdzv-backend", "c10d",
        "--rdzv-endpoint", "127.0.0.1:0", "--local-addr", "127.0.0.1",
    ]  # fmt: skip
    script = tmp_path / "timed.py"  # the processes must also agree on when to save
    script.write_text(TIMED)
    process = subprocess.run(
        [sys.executable, *torchrun, str(script), *flags(comments, tiny_base, two, *plain)],
        env=os.environ
        | {
            "GLOO_SOCKET_IFNAME": "lo0" if sys.platform == "darwin" else "lo",
            "PYTHONPATH": str(ROOT),
        },
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        timeout=300,
    )
    assert process.stdout.count(f"{tiny_base} scores") == 1
    assert losses(one) == pytest.approx(losses(two), rel=1e-4)


def test_accumulating_parts_gives_the_losses_of_whole_batches(
    comments: Path, tiny_base: Path, tmp_path: Path
):
    plain = ["--dropout", "0", "--attention-dropout", "0", "--max-steps", "10"]
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert main(flags(comments, tiny_base, whole, *plain)) == 0
    assert main(flags(comments, tiny_base, parts, *plain, "--accumulate", "4")) == 0
    assert losses(whole) == pytest.approx(losses(parts), rel=1e-4)


@pytest.mark.parametrize(("layers", "trained"), [(0, "classifier."), (1, "classifier.|.*layer.0.")])
def test_a_frozen_backbone_learns_in_its_last_layers_only(
    comments: Path, tiny_base: Path, tmp_path: Path, layers: int, trained: str
):
    run = tmp_path / "run"
    few = ["--freeze", "--trainable-layers", str(layers), "--max-steps", "5"]
    assert main(flags(comments, tiny_base, run, *few)) == 0
    before = load_file(tiny_base / "model.safetensors")
    after = load_file(run / "trained" / "model.safetensors")
    moved = {name for name in before if not np.array_equal(before[name], after[name])}
    assert moved
    assert moved == {name for name in before if re.match(trained, name)}


def test_an_output_folder_of_another_run_is_refused(
    whole_run: Path, comments: Path, tiny_base: Path, capsys
):
    before = (whole_run / "run.json").read_bytes()
    assert main(flags(comments, tiny_base, whole_run)) == 2
    assert "--resume continues it, --clear deletes it" in capsys.readouterr().err
    assert main([*flags(comments, tiny_base, whole_run), "--seed", "9", "--resume"]) == 2
    assert "other settings for seed" in capsys.readouterr().err
    assert (whole_run / "run.json").read_bytes() == before


@pytest.mark.parametrize("told", ["--resume", "--clear"])
def test_a_run_in_use_by_another_process_is_refused(whole_run: Path, capsys, told: str):
    with alone(whole_run):
        assert main(["--output-dir", str(whole_run), told]) == 2
    assert "another process is working on this run" in capsys.readouterr().err
    assert (whole_run / "trained" / "model.safetensors").is_file()


def test_settings_that_do_not_affect_the_weights_can_change(whole_run: Path):
    recorded = ["data", "--output-dir", str(whole_run), "--resume"]
    assert main([*recorded, "--criterion", "min-recall:0.8"]) == 0
    settings = json.loads((whole_run / "run.json").read_text())["settings"]
    assert settings["criterion"] == "min-recall:0.8"
    assert main([*recorded, "--criterion", "best-f1"]) == 0


def test_a_trained_run_is_not_overwritten_without_a_flag(whole_run: Path, capsys):
    before = (whole_run / "trained" / "model.safetensors").stat().st_mtime_ns
    assert main(["train", "--output-dir", str(whole_run)]) == 2
    assert "--resume continues it, --clear deletes it" in capsys.readouterr().err
    assert (whole_run / "trained" / "model.safetensors").stat().st_mtime_ns == before


def test_a_setting_that_an_old_record_lacks_has_its_default(whole_run: Path, tmp_path: Path):
    run = shutil.copytree(whole_run, tmp_path / "run")
    record = json.loads((run / "run.json").read_text())
    del record["settings"]["passages"]
    (run / "run.json").write_text(json.dumps(record))
    assert main(["data", "--resume", "--output-dir", str(run)]) == 0


@pytest.mark.parametrize("content", ["[]", "{}", '{"settings": {"speling": 1}}', "{"])
def test_an_unreadable_run_json_ends_in_one_clear_error(tmp_path: Path, capsys, content: str):
    (tmp_path / "run.json").write_text(content)
    assert main(["export", "--output-dir", str(tmp_path)]) == 2
    message = capsys.readouterr().err
    assert "run.json: " in message
    assert message.count("\n") == 1


def test_clear_needs_the_stage_data(whole_run: Path, capsys):
    assert main(["export", "--clear", "--output-dir", str(whole_run)]) == 2
    assert "start with the stage data" in capsys.readouterr().err
    assert (whole_run / "run.json").is_file()


def test_clear_starts_a_run_over(comments: Path, tiny_base: Path, tmp_path: Path):
    run = tmp_path / "run"
    named = [
        "--train-data",
        str(comments),
        "--base-model",
        str(tiny_base),
        "--output-dir",
        str(run),
    ]
    assert main(["data", *named]) == 0
    (run / "trained").mkdir()
    assert main(["data", *named, "--seed", "9", "--clear"]) == 0
    assert json.loads((run / "run.json").read_text())["settings"]["seed"] == 9
    assert not (run / "trained").exists()


def test_clear_leaves_a_model_folder_alone(tiny_base: Path, tmp_path: Path, capsys):
    folder = shutil.copytree(tiny_base, tmp_path / "model")
    (folder / "run.json").write_text('{"settings": {}}')
    assert main(["--clear", "--output-dir", str(folder)]) == 2
    assert "not a run folder" in capsys.readouterr().err
    assert (folder / "model.safetensors").is_file()


def test_clear_leaves_other_folders_alone(comments, tiny_base, tmp_path, capsys):
    (tmp_path / "thesis.txt").write_text("years of work")
    assert main([*flags(comments, tiny_base, tmp_path), "--clear"]) == 2
    assert "not a run folder" in capsys.readouterr().err
    assert (tmp_path / "thesis.txt").exists()


def test_weights_are_averaged_with_those_of_the_base(
    comments: Path, tiny_base: Path, tmp_path: Path
):
    found = []
    for share in ("0", "0.25"):
        run = tmp_path / share
        more = ["--average-with-base", share, "--max-steps", "5"]
        assert main(flags(comments, tiny_base, run, *more)) == 0
        found.append(load_file(run / "trained" / "model.safetensors"))
    base, (trained, averaged) = load_file(tiny_base / "model.safetensors"), found
    for name, weight in trained.items():
        np.testing.assert_allclose(averaged[name], 0.25 * base[name] + 0.75 * weight, atol=1e-6)
    assert any(not np.allclose(averaged[name], trained[name]) for name in trained)
    recorded = [
        json.loads((tmp_path / share / "run.json").read_text())["training"]["best_roc_auc_mean"]
        for share in ("0", "0.25")
    ]
    assert recorded[0] != recorded[1]


def test_averaging_needs_a_base_with_the_same_labels(comments, tiny_base, tmp_path, capsys):
    more = ["--average-with-base", "0.5", "--labels", "threat,toxic"]
    assert main([*flags(comments, tiny_base, tmp_path / "run"), *more]) == 2
    assert "does not score the labels threat, toxic" in capsys.readouterr().err
