"""Single stages, on a run folder that the test prepared."""

import shutil
from pathlib import Path

import pandas as pd
import pytest

from comment_toxicity.decision import Decision
from comment_toxicity.disk import read_json
from comment_toxicity.errors import SettingsError
from finetune import record
from finetune.config import Settings
from finetune.stages import STAGES


@pytest.fixture
def trained_run(tiny_base: Path, tmp_path: Path) -> tuple[Settings, Path]:
    """A finished training, with a window longer than its max_length."""
    run = tmp_path / "run"
    settings = Settings(output_dir=str(run), max_length=8, window=32)
    record.begin(settings, run)
    record.add(run, prevalence=dict.fromkeys(settings.labels, 0.1))
    shutil.copytree(tiny_base, run / "trained")
    config = run / "trained" / "tokenizer_config.json"
    config.write_text(config.read_text().replace('"model_max_length": 32', '"model_max_length": 8'))
    (run / "split").mkdir()
    rows = pd.DataFrame(
        {"comment_text": [f"please help {i} " + "you stupid fool " * 5 for i in range(9)]}
    )
    for part in ("train", "validation"):
        rows.assign(**dict.fromkeys(settings.labels, 0)).to_parquet(run / f"split/{part}.parquet")
    return settings, run


def test_export_compares_both_models_on_the_same_tokens(trained_run):
    settings, run = trained_run
    found = STAGES["export"](settings, run, False)["export"]
    assert found["rows"] == 9
    assert max(found["max_difference"]) < 0.05


def test_export_skips_the_comparison_where_no_text_fits_one_window(trained_run):
    settings, run = trained_run
    settings.window = 8
    assert STAGES["export"](settings, run, False) == {"export": {}}


@pytest.mark.parametrize("stage", ["calibrate", "evaluate", "card"])
def test_a_stage_without_an_export_is_refused_and_writes_nothing(trained_run, stage):
    settings, run = trained_run
    with pytest.raises(SettingsError, match="no exported model there; run the export stage first"):
        STAGES[stage](settings, run, False)
    assert not (run / "model").exists()


def test_the_decision_belongs_to_the_weights_that_were_scored(trained_run):
    settings, run = trained_run
    settings.formats = ["safetensors"]
    STAGES["export"](settings, run, False)
    settings.formats = ["onnx"]  # too late: the export is done
    STAGES["calibrate"](settings, run, False)
    weights = Decision.load(run / "model").weights
    assert weights is not None
    assert weights.file == "model.safetensors"


def test_a_run_with_languages_is_measured_in_each_of_them(trained_run, tmp_path, capsys):
    settings, run = trained_run
    settings.language_column = "lang"
    settings.neutral_data = str(tmp_path / "neutral.csv")
    (tmp_path / "neutral.csv").write_text("comment_text,lang\nplease help,de\na nice page,cs\n")
    rows = pd.read_parquet(run / "split/validation.parquet").assign(lang=["de", "en", "en"] * 3)
    toxic = [1, 1, 0, 0, 1, 0, 0, 0, 1]
    for part in ("train", "validation", "test"):
        rows.assign(toxic=toxic).to_parquet(run / f"split/{part}.parquet")
    record.add(run, data={"test": {"rows": 9}})
    for stage in ("export", "calibrate", "evaluate"):
        STAGES[stage](settings, run, False)
    measured = read_json(run / "model" / "metrics.json")["languages"]
    assert measured["label"] == "toxic"
    rows = {name: values["rows"] for name, values in measured["languages"].items()}
    assert rows == {"cs": 0, "de": 3, "en": 6}
    assert [name for name, values in measured["languages"].items() if values["trained"]] == [
        "de", "en",
    ]  # fmt: skip
    assert measured["languages"]["cs"]["neutral"]["rows"] == 1
    assert "`toxic` by language:" in capsys.readouterr().out
