"""Packages that training takes where they are installed; elsewhere, stand-ins with their names."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file

from finetune.__main__ import main
from tests.finetune.test_training import flags, losses

PEFT = """
from torch import nn
from torch.nn.utils import parametrize

class LoraConfig:
    def __init__(self, r, lora_alpha, target_modules):
        self.r, self.scale, self.targets = r, lora_alpha / r, target_modules

class Product(nn.Module):
    def __init__(self, weight, config):
        super().__init__()
        self.left = nn.Parameter(weight.new_zeros(len(weight), config.r))
        self.right = nn.Parameter(nn.init.normal_(weight.new_empty(config.r, weight.shape[1])))
        self.scale = config.scale

    def forward(self, weight):
        return weight + self.scale * self.left @ self.right

class LoraModel:
    def __init__(self, model, config, adapter_name):
        model.requires_grad_(False)
        self.layers = [model.get_submodule(name) for name in config.targets]
        for layer in self.layers:
            parametrize.register_parametrization(layer, "weight", Product(layer.weight, config))

    def merge_and_unload(self):
        for layer in self.layers:
            parametrize.remove_parametrizations(layer, "weight", leave_parametrized=True)
"""

MLFLOW = """
from types import SimpleNamespace

__version__ = "3.0"
utils = SimpleNamespace(
    validation=SimpleNamespace(MAX_PARAM_VAL_LENGTH=6000, MAX_PARAMS_TAGS_PER_BATCH=100)
)
calls = []

def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    return lambda *positional, **named: calls.append((name, positional, named)) or True
"""


@pytest.fixture
def standing_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Put a package of this name and source where Python looks first."""

    def place(name: str, source: str) -> None:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(source)
        monkeypatch.syspath_prepend(str(tmp_path))

    return place


def test_adapters_train_beside_frozen_layers_and_are_in_the_weights_at_the_end(
    comments: Path, tiny_base: Path, tmp_path: Path, standing_in
):
    if find_spec("peft") is None:
        standing_in("peft", PEFT)
    run, more = tmp_path / "run", ["--lora", "2", "--max-steps", "30"]
    assert main(flags(comments, tiny_base, run, *more)) == 0
    assert sum(losses(run)[-5:]) < sum(losses(run)[:5])
    base, trained = (load_file(path / "model.safetensors") for path in (tiny_base, run / "trained"))
    assert base.keys() == trained.keys()
    changed = {name for name in base if not np.array_equal(base[name], trained[name])}
    adapted = {name for name in base if ".layer." in name and base[name].ndim == 2}
    assert changed == adapted | {"classifier.weight", "classifier.bias"}
    query = "bert.encoder.layer.0.attention.self.query.weight"
    assert np.linalg.matrix_rank(trained[query] - base[query], tol=1e-4) <= 2

    assert main([*flags(comments, tiny_base, run, *more), "--resume"]) == 0


def test_a_tracker_gets_losses_metrics_and_settings_but_no_comment(
    comments: Path, tiny_base: Path, tmp_path: Path, standing_in
):
    standing_in("mlflow", MLFLOW)
    command = flags(comments, tiny_base, tmp_path / "run", "--max-steps", "2")
    assert main([*command, "--report-to", "mlflow"]) == 0
    import mlflow

    assert {key for name, _, given in mlflow.calls for key in given.get("metrics", {})} >= {
        "loss", "eval_loss", "eval_roc_auc_mean", "learning_rate",
    }  # fmt: skip
    settings = {key for name, given, _ in mlflow.calls if name == "log_params" for key in given[0]}
    assert {"max_steps", "warmup_steps", "id2label"} <= settings
    texts = pd.read_csv(comments)["comment_text"]
    assert not any(text in str(mlflow.calls) for text in texts if text.count(" ") > 2)
