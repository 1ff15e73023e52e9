"""The device and the precision of training. GPUs are faked where a test needs what is not here."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from transformers import TrainingArguments

from comment_toxicity.errors import SettingsError
from finetune import record
from finetune.config import Settings
from finetune.run import run
from finetune.train.machine import half_precision, is_faster_in
from finetune.train.train import _arguments, _precision

CPU, CUDA, MPS = (torch.device(name) for name in ("cpu", "cuda", "mps"))


def precision(asked: str, device: torch.device, folder: Path, resume: bool = False) -> str:
    arguments: Any = SimpleNamespace(device=device, world_size=1)
    return _precision(Settings(precision=asked), folder, arguments, resume)


@pytest.fixture
def t4(monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU that emulates bf16, and is faster in half precision."""
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: False)
    monkeypatch.setattr("finetune.train.train.is_faster_in", lambda *_: True)


def test_a_gpu_that_only_emulates_bf16_trains_in_fp16(t4, tmp_path: Path):
    assert precision("auto", CUDA, tmp_path) == precision("fp16", CUDA, tmp_path) == "fp16"
    assert precision("fp32", CUDA, tmp_path) == "fp32"
    with pytest.raises(SettingsError, match="which this GPU only emulates; use fp16, fp32, or"):
        precision("bf16", CUDA, tmp_path)


def test_other_devices_train_in_bf16(t4, tmp_path: Path):
    assert precision("auto", CPU, tmp_path) == precision("auto", MPS, tmp_path) == "bf16"
    for device in (CPU, MPS):
        with pytest.raises(SettingsError, match="fp16, which needs a CUDA GPU; use auto"):
            precision("fp16", device, tmp_path)


def test_a_resumed_run_keeps_fp16_on_another_gpu(t4, tmp_path: Path, monkeypatch):
    record.begin(Settings(), tmp_path)
    record.add(tmp_path, bf16=False, fp16=True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: True)
    assert half_precision(CUDA) == "bf16"
    assert precision("auto", CUDA, tmp_path, resume=True) == "fp16"


def test_a_device_without_bf16_is_not_faster_in_it(monkeypatch):
    def lacks(*_: object, **__: object) -> None:
        raise TypeError("BFloat16 is not supported on MPS")

    monkeypatch.setattr(torch, "randn", lacks)
    assert not is_faster_in("bf16", MPS)


def test_one_of_several_gpus_takes_the_whole_batch(tmp_path: Path, monkeypatch, capsys):
    class TwoGpus(TrainingArguments):
        def __post_init__(self) -> None:
            super().__post_init__()
            assert self.device
            self._n_gpu = 2

    monkeypatch.setattr("finetune.train.train.TrainingArguments", TwoGpus)
    arguments = _arguments(Settings(batch_size=32, accumulate=2), tmp_path, 320)
    assert (arguments.n_gpu, arguments.train_batch_size) == (1, 16)
    assert "of 2 GPUs, only the first is used; for all of them: torchrun" in capsys.readouterr().out


def test_training_takes_a_macs_gpu(tmp_path: Path, monkeypatch):
    assert _arguments(Settings(), tmp_path, 320).use_cpu is not torch.cuda.is_available()
    monkeypatch.setattr("finetune.train.train.torch_device", lambda _: "mps")
    assert _arguments(Settings(), tmp_path, 320).use_cpu is False


# A list without fp16 where there is no GPU, and no skipped test: CI takes a skip for a fault.
@pytest.mark.parametrize("half", ["bf16", *(["fp16"] if torch.cuda.is_available() else [])])
def test_a_run_in_half_precision_learns(half: str, comments: Path, learner: Path, tmp_path: Path):
    settings = Settings(
        train_data=str(comments), base_model=str(learner), output_dir=str(tmp_path / "run"),
        max_length=32, batch_size=16, max_steps=30, learning_rate=0.01, precision=half,
    )  # fmt: skip
    run(settings, ["data", "train"])
    recorded = json.loads((tmp_path / "run" / "run.json").read_text())
    assert recorded[half] is True
    assert recorded["training"]["best_roc_auc_mean"] > 0.8
