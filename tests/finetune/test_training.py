"""Training through the real command: what an interruption, or a second process, must not change."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from finetune.__main__ import main

SMALL = [
    "--batch-size",
    "8",
    "--max-length",
    "32",
    "--precision",
    "fp32",
    "--learning-rate",
    "0.01",
]


def flags(comments: Path, base: Path, run: Path, *more: str) -> list[str]:
    named = ["--train-data", comments, "--base-model", base, "--output-dir", run]
    return ["data", "train", *map(str, named), *SMALL, *more]


def losses(run: Path) -> list[float]:
    entries = map(json.loads, (run / "curves.jsonl").read_text().splitlines())
    return [entry["loss"] for entry in entries if "loss" in entry]


def same_weights(one: Path, other: Path) -> bool:
    left, right = (load_file(run / "trained" / "model.safetensors") for run in (one, other))
    return left.keys() == right.keys() and all(np.array_equal(left[k], right[k]) for k in left)


@pytest.fixture(scope="module")
def whole_run(comments: Path, tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of three epochs, 72 steps, with dropout, that nothing interrupts."""
    run = tmp_path_factory.mktemp("whole") / "run"
    assert main(flags(comments, tiny_base, run, "--evaluations-per-epoch", "2")) == 0
    return run


def test_training_lowers_the_loss_and_leaves_its_curves(whole_run: Path):
    course = losses(whole_run)
    assert sum(course[-5:]) < sum(course[:5])
    assert (whole_run / "curves.png").read_bytes().startswith(b"\x89PNG")
    entries = [json.loads(line) for line in (whole_run / "curves.jsonl").read_text().splitlines()]
    figures = {
        entry["step"]: entry["eval_roc_auc_mean"] for entry in entries if "eval_loss" in entry
    }
    assert list(figures) == [12, 24, 36, 48, 60, 72]
    training = json.loads((whole_run / "run.json").read_text())["training"]
    assert training["best_roc_auc_mean"] == figures[training["best_step"]] == max(figures.values())


def test_a_killed_run_goes_on_to_the_weights_of_an_unbroken_one(
    whole_run: Path, comments: Path, tiny_base: Path, tmp_path: Path
):
    run = tmp_path / "run"
    command = flags(comments, tiny_base, run, "--evaluations-per-epoch", "2")
    process = subprocess.Popen(
        [sys.executable, "-m", "finetune", *command], stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 120
    second_checkpoint = run / "checkpoints" / "checkpoint-24" / "trainer_state.json"
    while not second_checkpoint.exists() and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL  # not finished before the kill

    assert main([*command, "--resume"]) == 0
    assert same_weights(run, whole_run)
    assert losses(run) == losses(whole_run)


def test_a_piece_of_a_checkpoint_is_not_taken_for_one(
    whole_run: Path, comments: Path, tiny_base: Path, tmp_path: Path
):
    run = tmp_path / "run"
    command = flags(comments, tiny_base, run, "--evaluations-per-epoch", "2", "--epochs", "3")
    assert main(command) == 0
    last = max((run / "checkpoints").iterdir(), key=lambda path: int(path.name.split("-")[1]))
    (last / "trainer_state.json").unlink()
    assert main([*command, "--resume"]) == 0
    assert same_weights(run, whole_run)


def test_two_processes_give_the_losses_of_one(comments: Path, tiny_base: Path, tmp_path: Path):
    plain = ["--dropout", "0", "--attention-dropout", "0", "--max-steps", "20"]
    one, two = tmp_path / "one", tmp_path / "two"
    assert main(flags(comments, tiny_base, one, *plain)) == 0
    # Addresses, since some machines cannot resolve their own name.
    torchrun = [
        "-m", "torch.distributed.run", "--nproc-per-node", "2", "--rdzv-backend", "c10d",
        "--rdzv-endpoint", "127.0.0.1:0", "--local-addr", "127.0.0.1",
    ]  # fmt: skip
    subprocess.run(
        [sys.executable, *torchrun, "-m", "finetune", *flags(comments, tiny_base, two, *plain)],
        env=os.environ | {"GLOO_SOCKET_IFNAME": "lo0" if sys.platform == "darwin" else "lo"},
        check=True,
        capture_output=True,
        timeout=300,
    )
    assert losses(one) == pytest.approx(losses(two), rel=1e-4)


def test_accumulating_parts_gives_the_losses_of_whole_batches(
    comments: Path, tiny_base: Path, tmp_path: Path
):
    plain = ["--dropout", "0", "--attention-dropout", "0", "--max-steps", "10"]
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert main(flags(comments, tiny_base, whole, *plain)) == 0
    assert main(flags(comments, tiny_base, parts, *plain, "--accumulate", "4")) == 0
    assert losses(whole) == pytest.approx(losses(parts), rel=1e-4)


def test_a_frozen_backbone_keeps_its_weights(comments: Path, tiny_base: Path, tmp_path: Path):
    run = tmp_path / "run"
    assert main(flags(comments, tiny_base, run, "--freeze", "--max-steps", "5")) == 0
    before = load_file(tiny_base / "model.safetensors")
    after = load_file(run / "trained" / "model.safetensors")
    moved = {name for name in before if not np.array_equal(before[name], after[name])}
    assert moved == {"classifier.weight", "classifier.bias"}


def test_another_runs_folder_is_refused(whole_run: Path, comments: Path, tiny_base: Path, capsys):
    before = (whole_run / "run.json").read_bytes()
    assert main(flags(comments, tiny_base, whole_run)) == 2
    assert "--resume goes on with it, --clear deletes it" in capsys.readouterr().err
    assert main([*flags(comments, tiny_base, whole_run), "--seed", "9", "--resume"]) == 2
    assert "another" in capsys.readouterr().err
    assert (whole_run / "run.json").read_bytes() == before


def test_the_record_takes_a_setting_that_leaves_the_weights_alone(whole_run: Path):
    recorded = ["data", "--output-dir", str(whole_run), "--resume"]
    assert main([*recorded, "--criterion", "min-recall:0.8"]) == 0
    settings = json.loads((whole_run / "run.json").read_text())["settings"]
    assert settings["criterion"] == "min-recall:0.8"
    assert main([*recorded, "--criterion", "best-f1"]) == 0


def test_clear_leaves_a_folder_alone_that_holds_no_run(comments, tiny_base, tmp_path, capsys):
    (tmp_path / "thesis.txt").write_text("years of work")
    assert main([*flags(comments, tiny_base, tmp_path), "--clear"]) == 2
    assert "holds no run" in capsys.readouterr().err
    assert (tmp_path / "thesis.txt").exists()


def test_weights_are_averaged_with_those_the_run_began_from(
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


def test_only_a_base_with_these_labels_is_averaged_with(comments, tiny_base, tmp_path, capsys):
    more = ["--average-with-base", "0.5", "--labels", "threat,toxic"]
    assert main([*flags(comments, tiny_base, tmp_path / "run"), *more]) == 2
    assert "does not score the labels threat, toxic" in capsys.readouterr().err
