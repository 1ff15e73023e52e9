"""Publishing as the last stage of a run, as its config says."""

import json
import re
import shlex
from pathlib import Path

import pytest

from comment_toxicity import load_classifier
from comment_toxicity.errors import SettingsError
from finetune import record
from finetune.__main__ import main
from finetune.config import Settings, from_toml

pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

CONFIG = """
train_data = "data/sample.csv"
output_dir = "{run}"

[publish]
to = ["hub:ann/first"]
require = ["roc_auc_mean >= {least}"]
private = true
tags = ["v1"]
"""


@pytest.fixture
def run(model: Path) -> Path:
    """A run's folder, after training."""
    folder = model.parent
    record.begin(Settings(output_dir=str(folder)), folder)
    return folder


def config(run: Path, least: float) -> list[str]:
    path = run.parent / "config.toml"
    path.write_text(CONFIG.format(run=run, least=least))
    return ["--config", str(path)]


def test_a_run_ends_by_publishing_as_its_config_says(hub, run):
    assert main(["card", "publish", *config(run, 0.9)]) == 0
    assert hub.repositories["ann/first"].private
    assert load_classifier("ann/first@v1").calibrated
    commit = hub.repositories["ann/first"].commits[-1].sha
    assert json.loads((run / "run.json").read_text())["published"] == [f"ann/first@{commit}"]


@pytest.mark.parametrize("publish_first", [True, False])
def test_the_stage_publish_may_come_before_or_after_its_flags(hub, run, publish_first):
    main(["card", "--output-dir", str(run)])
    flags = ["--output-dir", str(run), "--publish-to", "hub:ann/first"]
    words = ["publish", *flags] if publish_first else [*flags, "publish"]
    assert main(words) == 0
    assert hub.repositories["ann/first"].commits


def test_publish_with_a_model_or_without_a_target_is_the_subcommand(run, capsys):
    for words in (["publish", str(run)], ["publish", "--to", "hub:ann/first"]):
        with pytest.raises(SystemExit):
            main(words)
        assert "the following arguments are required" in capsys.readouterr().err


def test_a_run_that_fails_its_conditions_keeps_its_model_and_exits_with_3(hub, run, capsys):
    assert main(["card", "publish", *config(run, 0.99)]) == 3
    assert hub.repositories == {}
    assert (run / "model" / "model.onnx").is_file()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--publish-to", "hub:first"], "not of the form hub:OWNER/NAME"),
        (["--publish-to", "ftp://x"], "no such target"),
        (
            ["--publish-to", "hub:ann/first", "--publish-require", "good"],
            "not a valid condition",
        ),
        (
            ["--publish-to", "hub:ann/first", "--publish-require", "audit.function.accuracy > 0.7"],
            "no stage of a run measures that",
        ),
    ],
)
def test_invalid_publish_settings_are_reported_before_training(
    hub, tmp_path, capsys, words, message
):
    folder = tmp_path / "new"
    assert main(["--train-data", "data/sample.csv", "--output-dir", str(folder), *words]) == 2
    assert message in capsys.readouterr().err
    assert not folder.exists()


def test_a_read_only_token_is_reported_before_training(hub, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_read")
    words = ["--output-dir", str(tmp_path / "new"), "--publish-to", "hub:ann/first"]
    assert main(words) == 2
    assert "can only read" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


DOCS = (Path(__file__).parents[2] / "docs" / "publish.md").read_text(encoding="utf-8")


def test_the_dry_run_of_the_docs_works_without_a_network(capsys):
    [command] = re.findall(r"^python -m finetune (publish .* --dry-run)$", DOCS, re.M)
    assert main(shlex.split(command)) == 0
    assert re.search(r"pass +roc_auc_mean >= 0\.97", capsys.readouterr().out)


def test_the_publish_section_in_the_docs_is_valid(tmp_path):
    [section] = re.findall(r"^```toml\n(\[publish\].*?)^```$", DOCS, re.M | re.S)
    (tmp_path / "config.toml").write_text(section)
    settings = Settings(**from_toml(tmp_path / "config.toml"))
    settings.check()
    assert settings.publish_to == ["hub:owner/name"]


def test_an_unknown_key_in_the_publish_section_is_named(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text('[publish]\nwhere = "hub:ann/first"\n')
    with pytest.raises(SettingsError, match="publish_where is not a setting"):
        from_toml(path)
