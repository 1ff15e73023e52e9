"""A model folder as a run leaves it, and the two targets to publish to, both on localhost."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.publish.s3_server import S3

TEXTS = ["you idiot", "thanks for the kind help", "I will find you and hurt you", "good page"]


def write_metrics(folder: Path, roc_auc: float = 0.97) -> None:
    """Write a metrics.json with that mean ROC-AUC into the folder."""
    metrics = {"roc_auc": roc_auc, "average_precision": 0.5, "f1": 0.4}
    report = {
        "rows": 100,
        "blank": 0,
        "weighted": False,
        "means": metrics,
        "labels": {"threat": metrics | {"rows": 100, "positives": 40, "share": 0.4}},
        "notes": [],
    }
    content = {"data": {"name": "rows.csv", "sha256": "0" * 64, "rows": 100}, "test": report}
    (folder / "metrics.json").write_text(json.dumps(content))


@pytest.fixture(scope="session")
def finished(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A complete model folder with ONNX and safetensors weights; not to be changed."""
    from finetune.card import write_card
    from tests.exported import export_calibrated

    folder = tmp_path_factory.mktemp("run") / "model"
    export_calibrated(tiny_base, folder, ["safetensors", "onnx"])
    write_metrics(folder)
    settings = {"train_data": "/home/ann/secret-plans/rows.csv", "extra_data": ["/mnt/x/more.csv"]}
    (folder / "run.json").write_text(json.dumps({"settings": settings}))
    write_card(folder, "first")
    return folder


@pytest.fixture
def model(finished: Path, tmp_path: Path) -> Path:
    """A copy of the finished folder, to be changed."""
    return Path(shutil.copytree(finished, tmp_path / "run" / "model"))


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3]:
    """moto's S3, started once: its import takes seconds."""
    server = S3()
    yield server
    server.stop()


@pytest.fixture
def s3(s3_server: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> S3:
    """An empty S3 that boto3 takes for the real one, by its own settings."""
    s3_server.reset()
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {
        "AWS_ENDPOINT_URL": s3_server.url,
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI",
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_MAX_ATTEMPTS": "3",
        "AWS_RETRY_MODE": "standard",
    }.items():
        monkeypatch.setenv(name, value)
    cache = "huggingface_hub.utils._cache_assets.HF_ASSETS_CACHE"
    monkeypatch.setattr(cache, str(tmp_path / "assets"))
    monkeypatch.setattr("time.sleep", lambda seconds: None)  # between the attempts
    return s3_server


@pytest.fixture(scope="session")
def first_objects(s3_server: S3) -> dict[str, Any]:
    """What S3 holds after `finished` was published; filled in by `published`."""
    return {}


@pytest.fixture
def published(s3: S3, finished: Path, first_objects: dict[str, Any]) -> str:
    """s3://models/toxic/first, where `finished` is published with the tag v1."""
    from finetune.publish.publish import publish

    name = "s3://models/toxic/first"
    if first_objects:
        s3.fill(first_objects)
    else:  # by the first test that asks; the others get a copy, which is quicker
        publish(finished, [name], tags=["v1"])
        first_objects.update(s3.objects())
    s3.asked.clear()
    return name
