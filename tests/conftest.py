"""Shared by all tests: no network, and a tiny BERT that is built in a second."""

import os

# Before transformers or onnxruntime is imported: they read these once.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
# Commands print as they do at a shell: what cannot be written is noticed late.
os.environ.pop("PYTHONUNBUFFERED", None)

import string
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.publish.hub_server import Hub

JIGSAW_LABELS = ["toxic", "severe_toxic", "obscene", "threat", "insult", "identity_hate"]

WORDS = """
the a an and or not no is are was be been it this that i you he she we they me your my of to in on
for with at as all but so if do did have has can will would just like good great thanks kind nice
love hate bad stupid idiot fool dumb rubbish trash shut up kill hurt find go away page edit article
please help comment people
""".split()  # noqa: SIM905 - a list literal would be 70 lines


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail for skipped tests on GitHub, where every program that a test needs is installed."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("GITHUB_ACTIONS") and reporter and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name bytes by their argument: packed ones hold the time, and differ between processes."""
    return argname if isinstance(val, bytes) else None


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a one-layer, 16-wide BERT, six labels and random (seeded) weights."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizer

    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    # Single characters, so that any plain text becomes tokens and not [UNK].
    characters = string.ascii_lowercase + string.digits + string.punctuation
    pieces += [c for c in characters if c not in WORDS] + [f"##{c}" for c in characters]
    vocabulary = {piece: number for number, piece in enumerate(pieces)}

    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=32,
        initializer_range=0.5,  # the usual 0.02 would give every text nearly the same scores
        problem_type="multi_label_classification",
        id2label=dict(enumerate(JIGSAW_LABELS)),
        label2id={label: number for number, label in enumerate(JIGSAW_LABELS)},
    )
    folder = tmp_path_factory.mktemp("tiny_base")
    with torch.random.fork_rng():
        torch.manual_seed(18)
        model = BertForSequenceClassification(config)
    model.save_pretrained(folder)
    BertTokenizer(vocab=vocabulary, model_max_length=32).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def exported(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny BERT as a model folder with model.onnx and decision.json; not to be changed."""
    from tests.exported import export_calibrated

    folder = tmp_path_factory.mktemp("exported") / "tiny"
    export_calibrated(tiny_base, folder, ["onnx"])
    return folder


@pytest.fixture
def score(exported: Path, capsys: pytest.CaptureFixture[str]):
    """Run the command line with the tiny model. Returns its exit code and its stderr."""

    from comment_toxicity.__main__ import main

    def run(*arguments):
        code = main(["score", *map(str, arguments), "--model", str(exported)])
        return code, capsys.readouterr().err

    return run


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> "Iterator[Hub]":
    """A Hub that huggingface_hub takes for the real one, with a token that may write."""
    from huggingface_hub import close_session, constants

    from tests.publish.hub_server import Hub

    server = Hub()
    for name, value in {
        "HF_HUB_OFFLINE": False,
        "HF_HUB_DISABLE_XET": True,  # large files go by LFS then
        "ENDPOINT": server.url,
        "HUGGINGFACE_CO_URL_TEMPLATE": server.url + "/{repo_id}/resolve/{revision}/{filename}",
        "HF_HUB_CACHE": str(tmp_path / "hub"),
        "HF_TOKEN_PATH": str(tmp_path / "token"),
        "HF_STORED_TOKENS_PATH": str(tmp_path / "stored_tokens"),
    }.items():
        monkeypatch.setattr(constants, name, value)
    monkeypatch.setattr("time.sleep", lambda seconds: None)  # between the attempts
    monkeypatch.setenv("HF_TOKEN", "hf_write")
    monkeypatch.setenv("HF_XET_CACHE", str(tmp_path / "xet"))
    close_session()  # it keeps connections to the server of the test before
    yield server
    close_session()
    if not server.stopped:
        server.stop()
