"""`python -m finetune data` as a newcomer meets it: wrong columns, second tries, foreign tables."""

import json

import pandas as pd
import pytest

from finetune.__main__ import main
from finetune.data.labels import Layout, label_matrix
from tests.rows import read_rows

WORDS = "apple brick cloud delta ember flint grape hazel".split()  # noqa: SIM905


def texts(count):
    return [f"{WORDS[n % 8]} {WORDS[n // 8 % 8]} number {n}" for n in range(count)]


@pytest.fixture
def moods(tmp_path):
    """Sixty comments with one of three moods each."""
    path = tmp_path / "moods.csv"
    names = ["sad", "angry", "happy"]
    table = pd.DataFrame({"text": texts(60), "mood": [names[n % 3] for n in range(60)]})
    table.to_csv(path, index=False)
    return path


def data(*words):
    return main(["data", *map(str, words)])


def settings_of(run):
    return json.loads((run / "run.json").read_text())["settings"]


def test_data_that_cannot_be_used_leaves_no_run_and_the_corrected_command_works(
    tmp_path, moods, capsys
):
    run = tmp_path / "run"
    words = ["--train-data", moods, "--label-column", "mood", "--output-dir", run]
    assert data(*words, "--text-column", "comment") == 2
    assert "no column comment" in capsys.readouterr().err
    assert not run.exists()
    assert data(*words, "--text-column", "text") == 0


def test_a_cleared_run_leaves_none_of_its_settings_behind(tmp_path, moods):
    run = tmp_path / "run"
    words = ["--train-data", moods, "--text-column", "text", "--output-dir", run]
    assert data(*words, "--label-column", "mood", "--sample", 40, "--epochs", 7) == 0
    assert data(*words, "--label-column", "mood", "--clear") == 0
    assert (settings_of(run)["sample"], settings_of(run)["epochs"]) == (0, 3)


def test_labels_are_taken_from_the_label_column_and_named(tmp_path, moods, capsys):
    run = tmp_path / "run"
    assert data("--train-data", moods, "--text-column", "text", "--label-column", "mood",
                "--output-dir", run) == 0  # fmt: skip
    assert "labels of column mood: angry, happy, sad" in capsys.readouterr().out
    assert settings_of(run)["labels"] == ["angry", "happy", "sad"]


def test_a_later_command_takes_the_labels_of_the_run_and_not_of_the_data_again(tmp_path, moods):
    config = tmp_path / "moods.toml"
    config.write_text(
        f'train_data = "{moods}"\ntext_column = "text"\nlabel_column = "mood"\n'
        f'output_dir = "{tmp_path / "run"}"\n'
    )
    assert data("--config", config) == 0
    moods.unlink()
    assert data("--config", config, "--resume") == 0


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ([10, 2, 1], ["1", "2", "10"]),
        ([1.0, 0.0, -1.0], ["0", "1"]),
        (["b", "a", ""], ["a", "b"]),
    ],
)
def test_labels_of_a_column_are_sorted_and_numbers_by_their_value(tmp_path, values, labels):
    pd.DataFrame({"text": texts(60), "c": values * 20}).to_csv(tmp_path / "in.csv", index=False)
    run = tmp_path / "run"
    assert data("--train-data", tmp_path / "in.csv", "--text-column", "text", "--label-column", "c",
                "--output-dir", run) == 0  # fmt: skip
    assert settings_of(run)["labels"] == labels


def test_labels_that_contradict_the_column_are_refused(tmp_path, moods, capsys):
    assert data("--train-data", moods, "--text-column", "text", "--label-column", "mood",
                "--labels", "happy,sad", "--output-dir", tmp_path / "run") == 2  # fmt: skip
    assert "column mood has 'angry'" in capsys.readouterr().err


def test_a_column_of_comments_is_not_taken_for_one_of_classes(tmp_path, capsys):
    pd.DataFrame({"text": texts(200)}).to_csv(tmp_path / "in.csv", index=False)
    assert data("--train-data", tmp_path / "in.csv", "--text-column", "text", "--label-column",
                "text", "--output-dir", tmp_path / "run") == 2  # fmt: skip
    assert "has 200 different values, and labels is not set" in capsys.readouterr().err


def test_a_split_holds_the_names_of_classes_whatever_their_order_in_labels(tmp_path):
    table = pd.DataFrame({"text": texts(60), "bad": [n % 3 == 0 for n in range(60)]})
    table.astype({"bad": int}).to_csv(tmp_path / "in.csv", index=False)
    run = tmp_path / "run"
    assert data("--train-data", tmp_path / "in.csv", "--text-column", "text", "--label-column",
                "bad", "--labels", "1,0", "--output-dir", run) == 0  # fmt: skip
    split = run / "split" / "train.parquet"
    kept = pd.read_parquet(split)
    assert (kept.bad == "1").sum() == sum(int(text.split()[-1]) % 3 == 0 for text in kept.text)
    for labels in (("1", "0"), ("0", "1")):
        layout = Layout("text", labels, class_column="bad")
        counts = label_matrix(read_rows(str(split), layout), layout).sum(axis=0)
        assert dict(zip(labels, counts, strict=True))["1"] == (kept.bad == "1").sum()


def test_the_nameless_index_of_a_data_frame_is_neither_weight_nor_id(tmp_path):
    for name in ("train", "test"):
        table = pd.DataFrame({"comment_text": [f"{name} {text}" for text in texts(60)]})
        table.assign(toxic=[n % 2 for n in range(60)]).to_csv(tmp_path / f"{name}.csv")
    run = tmp_path / "run"
    assert data("--train-data", tmp_path / "train.csv", "--test-data", tmp_path / "test.csv",
                "--labels", "toxic", "--output-dir", run) == 0  # fmt: skip
    record = json.loads((run / "run.json").read_text())
    assert record["data"]["train"]["rows"] + record["data"]["validation"]["rows"] == 60
    assert record["prevalence"] == {"toxic": 0.5}
