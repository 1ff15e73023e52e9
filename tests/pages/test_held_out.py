"""From a run that trained decisions to the comparison with the model that it began from."""

import pandas as pd
import pytest

from comment_toxicity.disk import write_json
from ui.train import held_out as module
from ui.train.held_out import began_from, held_out


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Return a function that writes a run's folder with these test rows."""
    monkeypatch.setattr(module, "ROOT", tmp_path)

    def write(rows, base="/models/a"):
        folder = tmp_path / "runs" / "mine"
        (folder / "split").mkdir(parents=True)
        write_json(folder / "run.json", {"settings": {"base_model": base}})
        pd.DataFrame(rows).to_parquet(folder / "split" / "test.parquet")

    return write


def test_the_decisions_among_the_test_rows_are_measured_on(run, tmp_path):
    run({"id": ["decision-7", "base-1"], "comment_text": ["hi", "ho"], "toxic": [1.0, 0.0]})
    source = held_out("mine", tmp_path)
    assert source.name == "1 held-out decisions of runs/mine"
    assert (source.text_column, source.columns) == ("comment_text", ["id", "comment_text", "toxic"])
    assert pd.read_parquet(source.path)["comment_text"].tolist() == ["hi"]


def test_all_test_rows_are_measured_on_where_none_was_decided(run, tmp_path):
    run({"comment_text": ["hi", "ho"], "toxic": [1.0, 0.0]})
    assert held_out("mine", tmp_path).name == "2 held-out rows of runs/mine"
    assert held_out("other", tmp_path) is None


def test_the_model_that_a_run_began_from_is_known_by_its_name(run, tmp_path, monkeypatch):
    run({"comment_text": ["hi"]})
    monkeypatch.setattr(module, "available_models", lambda: ["a", "b", "runs/mine"])
    monkeypatch.setattr(module, "local_model", lambda name: f"/models/{name}")
    assert began_from("mine") == "a"
    assert began_from("other") is None
