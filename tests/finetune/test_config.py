"""Settings: a config, the flags that override it, and clear errors for invalid values."""

import json
import re
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from comment_toxicity.errors import SettingsError
from finetune.__main__ import main
from finetune.config import FIRST, Settings, add_flags, checked, from_flags, from_toml
from finetune.record import differences
from tests.running import ROOT

CLASSES = ["--label-column", "y", "--labels", "a,b"]
CONFIGS = sorted((ROOT / "configs").glob("*.toml"))


def parse(*words: str, config: Path | None = None) -> Settings:
    import argparse

    parser = argparse.ArgumentParser()
    add_flags(parser)
    return from_flags(parser.parse_args(words), from_toml(config) if config else {})


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_every_shipped_config_is_valid(config: Path):
    assert parse(config=config).output_dir == f"runs/{config.stem}"


def test_the_original_recipe_is_kept():
    recipe = parse(config=ROOT / "configs/jigsaw-bert.toml")
    assert recipe.base_model == "bert-base-uncased"
    assert (recipe.sample, recipe.seed, recipe.validation_fraction) == (20_000, 18, 0.2)
    assert (recipe.epochs, recipe.learning_rate, recipe.batch_size) == (5, 2e-5, 16)
    assert (recipe.max_length, recipe.dropout, recipe.attention_dropout) == (512, 0.1, 0.1)
    assert (recipe.best_by, recipe.evaluations_per_epoch, recipe.precision) == ("loss", 1, "fp32")
    assert (recipe.warmup, recipe.weight_decay) == (0, 0.01)


def test_the_original_recipe_pushes_once_its_last_lines_name_a_target(tmp_path: Path):
    text = (ROOT / "configs/jigsaw-bert.toml").read_text(encoding="utf-8")
    config = tmp_path / "own.toml"
    config.write_text(text.replace("# [publish]", "[publish]").replace("# to =", "to ="))
    assert parse(config=config).publish_to == ["hub:OWNER/NAME"]


def test_the_recipe_for_two_classes_is_kept():
    recipe = parse(config=ROOT / "configs/imdb-distilbert.toml")
    assert recipe.base_model == "distilbert-base-uncased"
    assert (recipe.labels, recipe.single_label) == (["negative", "positive"], True)
    assert recipe.sample > recipe.test_sample > 0
    assert (recipe.epochs, recipe.learning_rate, recipe.batch_size) == (1, 2e-5, 16)


def test_the_recipe_for_any_csv_trains_the_last_layer_alone():
    recipe = parse(config=ROOT / "configs/reviews.toml")
    assert recipe.train_data.startswith("https://")
    assert recipe.label_mapping == {"negative": 0, "positive": 1}
    assert (recipe.freeze, recipe.trainable_layers) == (True, 1)
    assert recipe.dropout > 0


def test_make_model_trains_bases_and_teachers_first():
    commands = (ROOT / "Makefile").read_text(encoding="utf-8").partition("\nmodel:")[2]
    made: set[str] = set()
    for name in re.findall(r"configs/jigsaw-minilm\S*", commands):
        settings = parse(config=ROOT / name)
        models = [Path(model) for model in (settings.base_model, *settings.teachers)]
        runs = {str(model.parent) for model in models if model.parts[0] == "runs"}
        assert runs <= made, name
        made.add(settings.output_dir)
    assert "runs/jigsaw-minilm" in made


def test_flags_override_the_config(tmp_path: Path):
    config = tmp_path / "own.toml"
    config.write_text('epochs = 2\nlabels = ["a", "b"]\n')
    given = parse("--epochs", "5", "--seed", "7", config=config)
    assert (given.epochs, given.seed, given.labels) == (5, 7, ["a", "b"])


def test_lists_and_mappings_can_be_flags():
    given = parse(
        "--labels", "no,yes", "--label-column", "y", "--label-mapping", "n=0,y=1",
        "--exclude", "lang=de|fr,spam=true", "--no-freeze",
    )  # fmt: skip
    assert given.label_mapping == {"n": 0, "y": 1}
    assert given.exclude == {"lang": ["de", "fr"], "spam": ["true"]}
    assert given.freeze is False


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--epochs", "many"], "--epochs: epochs is 'many'; expected number"),
        (["--dropout", "2"], "dropout is 2.0; give a number from 0 to 0.9"),
        (["--precision", "fp8"], "choose one of auto, fp32, bf16, fp16"),
        (["--formats", "pickle"], "choose from safetensors, onnx"),
        (["--criterion", "luck"], "best-f1"),
        (["--labels", "a,a"], "each only once"),
        (["--label-mapping", "a=0"], "without label_column"),
        (["--label-column", "y", "--labels", "a,b", "--label-mapping", "x=2"], "index 2"),
        (["--best-by", "accuracy"], "single-label"),
        (["--test-fraction", "0.6", "--validation-fraction", "0.6"], "less than a tenth"),
        (["--label-column", "y", "--labels", "a,b", "--label-mapping", "x=-1"], "index -1"),
        (["--seed", "-1"], "seed is -1; give a number from 0"),
        (["--window", "4"], "at least 8"),
        (["--mix", "forum=-1"], "mix has forum=-1; give a number from 0 to 100"),
        (["--rare", "spam=0.5"], "rare has spam=0.5; give one of labels"),
        (["--rare", "threat=2"], "rare has threat=2; give one of labels, and a number from 0 to 1"),
        ([*CLASSES, "--rare", "a=0.5"], "rare is for multi-label models"),
        (["--teacher-share", "forum=2"], "teacher_share has forum=2"),
        (["--passages", "1"], "need teachers"),
        ([*CLASSES, "--teachers", "any"], "teachers is for multi-label models"),
        (["--validation-fraction", "0"], "validation_fraction is 0 without validation_data"),
    ],
)
def test_an_invalid_setting_is_named_in_the_error(words: list[str], message: str):
    with pytest.raises(SettingsError) as caught:
        parse(*words)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "line",
    [
        "batch_size = 2.5",
        "batch_size = true",
        "epochs = false",
        "seed = inf",
        "label_mapping = { a = 0.9 }",
        "label_mapping = { a = inf }",
        "learning_rate = 1" + "0" * 400,
    ],
)
def test_a_value_of_another_type_is_not_converted(tmp_path: Path, line: str):
    config = tmp_path / "own.toml"
    config.write_text(line)
    with pytest.raises(SettingsError, match=r"expected (number|key=value,…)\."):
        from_toml(config)


def test_an_empty_flag_empties_a_list_of_the_config(tmp_path: Path):
    config = tmp_path / "own.toml"
    config.write_text('extra_data = ["more.csv"]\nlabels = ["a"]\n')
    given = parse("--extra-data", "", "--labels", "a, b", config=config)
    assert (given.extra_data, given.labels) == ([], ["a", "b"])


def test_a_config_with_a_misspelt_setting_is_refused(tmp_path: Path):
    config = tmp_path / "own.toml"
    config.write_text("learning_rat = 1\n")
    with pytest.raises(SettingsError, match="learning_rat is not a setting"):
        from_toml(config)


def test_a_removed_setting_is_accepted_at_its_default(tmp_path: Path):
    config = tmp_path / "own.toml"
    config.write_text("epochs = 2\nlayer_decay = 1.0\n")
    assert from_toml(config) == {"epochs": 2.0}
    config.write_text("layer_decay = 0.85\n")
    with pytest.raises(SettingsError, match=r"own\.toml: layer_decay is 0\.85, but .* was removed"):
        from_toml(config)


def test_a_run_with_a_removed_setting_differs_from_one_without():
    record = {"settings": {"layer_decay": 0.85}}
    assert differences(record, Settings()) == ["layer_decay"]
    assert differences({"settings": {"layer_decay": 1.0}}, Settings()) == []


def test_settings_of_distillation_have_their_section(tmp_path: Path):
    config = tmp_path / "own.toml"
    config.write_text(
        'epochs = 2\n[mix]\nforum = 2\n[distil]\nteachers = ["a"]\npassages = 1\n'
        "rare = { toxic = 0.5 }\n[distil.teacher_share]\nforum = 0.5\n"
    )
    values = from_toml(config)
    assert values == {
        "epochs": 2,
        "mix": {"forum": 2},
        "teachers": ["a"],
        "passages": 1,
        "rare": {"toxic": 0.5},
        "teacher_share": {"forum": 0.5},
    }
    older = tmp_path / "older.toml"  # as in 0.1.0
    older.write_text(
        'epochs = 2\nteachers = ["a"]\npassages = 1\nrare = { toxic = 0.5 }\n'
        "[mix]\nforum = 2\n[teacher_share]\nforum = 0.5\n"
    )
    assert from_toml(older) == values


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[distil]\nepochs = 2", "epochs is not a setting of [distil], which takes teachers, "),
        ("passages = 1\n[distil]\npassages = 2", "passages is both in [distil] and outside it"),
        ("distil = true", "distil must be a section, [distil]."),
        ("publish = 3", "publish must be a section, [publish]."),
        ("[distil]\npassages = 'many'", "passages is 'many'; expected number."),
    ],
)
def test_an_invalid_section_is_named_in_the_error(tmp_path: Path, text: str, message: str):
    config = tmp_path / "own.toml"
    config.write_text(text)
    with pytest.raises(SettingsError, match=re.escape(message)):
        from_toml(config)


@pytest.mark.parametrize(
    "path", sorted(ROOT.glob("models/*/run.json")), ids=lambda p: p.parent.name
)
def test_the_record_of_a_shipped_model_can_be_read(path: Path):
    record = json.loads(path.read_text(encoding="utf-8"))
    settings = Settings(**checked(record["settings"], str(path)))
    settings.check()
    assert differences(record, settings) == []


def test_the_command_reports_an_error_in_one_line(tmp_path: Path, capsys):
    assert main(["--config", str(tmp_path / "no.toml")]) == 2
    assert main(["nap"]) == 2
    assert main(["export", "--output-dir", str(tmp_path / "none")]) == 2
    assert main(["--resume", "--output-dir", str(tmp_path / "none")]) == 2
    (tmp_path / "file").touch()
    assert main(["--output-dir", str(tmp_path / "file" / "run")]) == 2
    message = capsys.readouterr().err.splitlines()
    assert len(message) == 5
    assert "no such config" in message[0]
    assert "the stages are data, train" in message[1]
    assert "no run there" in message[2]
    assert "no run there" in message[3]
    assert "Not a directory; check the path" in message[4]


def test_help_begins_with_what_a_run_on_own_comments_needs(capsys):
    with pytest.raises(SystemExit):
        main(["-h"])
    paragraphs = capsys.readouterr().out.split("\n\n")
    titles = [text.partition(":")[0].partition(",")[0] for text in paragraphs]
    assert titles[2].startswith("your own comments")
    assert len(FIRST) == 12
    assert re.findall(r"^  --(\S+)", paragraphs[2], re.M) == [
        name.replace("_", "-") for name in FIRST
    ]
    assert titles[3:10] == [
        "rows", "model", "training", "result", "publishing", "distillation", "command",
    ]  # fmt: skip
    shown = re.findall(r"^  --([\w-]+)", "\n".join(paragraphs[2:9]), re.M)
    assert sorted(shown) == sorted(name.replace("_", "-") for name in Settings.__dataclass_fields__)


def test_help_explains_every_setting_with_its_default(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    text = " ".join(capsys.readouterr().out.split())
    for name in Settings.__dataclass_fields__:
        assert f"--{name.replace('_', '-')}" in text
    assert "(default: bert-base-uncased)" in text


def test_a_tracker_has_to_be_known_and_installed(monkeypatch):
    found = {"mlflow": ModuleSpec("mlflow", None, origin="mlflow/__init__.py")}
    found["wandb"] = ModuleSpec("wandb", None)  # the folder that it left
    monkeypatch.setattr("finetune.config.find_spec", found.get)
    assert parse("--report-to", "mlflow").report_to == ["mlflow"]
    for absent in ("wandb", "tensorboard"):
        missing = f"{absent}, which is not installed; pip install {absent}"
        with pytest.raises(SettingsError, match=missing):
            parse("--report-to", f"mlflow,{absent}")
    with pytest.raises(SettingsError, match="'comet'; choose from tensorboard, mlflow, wandb"):
        parse("--report-to", "comet")


def test_lora_needs_peft_and_nothing_else_that_freezes(monkeypatch):
    monkeypatch.setattr("finetune.config.find_spec", lambda name: None)
    with pytest.raises(SettingsError, match="peft, which is not installed; pip install peft"):
        parse("--lora", "8")
    with pytest.raises(SettingsError, match="leave freeze and train_words out"):
        parse("--lora", "8", "--freeze")
