"""test_model.py: once as it is, then with a word list instead of the model."""

import csv
import json
import re

import numpy as np
import pytest

import test_model
from tests.running import python

HEADER = ["comment_text", "insult", "toxic", "weight"]
ROWS = [
    ("you idiot", "1", "1", "1"),
    ("you stupid page", "-1", "1", "1"),
    ("nice page", "0", "0", "10"),
    ("idiot proof, thanks", "", "0", "10"),
]


class WordList:
    """Scores comments with a bad word as toxic, and those with “idiot” as insulting."""

    name = "word-list"
    labels = ("toxic", "insult")
    thresholds = {"toxic": 0.5, "insult": 0.3}  # noqa: RUF012 - as constant as the rest
    single_label = False
    calibrated = True

    def score(self, texts, languages=None):
        return np.array(
            [
                [0.9 if {"idiot", "stupid"} & set(text.split()) else 0.1, 0.4 * ("idiot" in text)]
                for text in texts
            ],
            dtype=np.float32,
        )


@pytest.fixture(autouse=True)
def loaded(monkeypatch):
    """The names that were loaded; each of them is the word list."""
    names = []

    def load(*name):
        names.append(name)
        return WordList()

    monkeypatch.setattr(test_model, "load_classifier", load)
    return names


def write(path, rows=ROWS, header=HEADER):
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([header, *rows])
    return str(path)


def run(tmp_path, *arguments):
    """Exit code, and what the report file holds."""
    output = tmp_path / "report.json"
    code = test_model.main([*arguments, "--output", str(output)])
    return code, json.loads(output.read_text(encoding="utf-8")) if output.exists() else None


def test_the_bare_command_prints_the_four_metrics_of_the_embedded_model():
    answer = python("test_model.py")
    assert answer.returncode == 0, answer.stderr
    assert re.search("label accuracy +exact match +micro precision +micro recall", answer.stdout)
    [metrics] = re.findall(r"^at the thresholds +(.+)$", answer.stdout, re.M)
    assert [0.5 < float(value) < 1 for value in metrics.split()] == [True] * 4


def test_the_report_counts_rows_by_their_weights(tmp_path, capsys):
    code, record = run(tmp_path, "--data", write(tmp_path / "rows.csv"))
    assert code == 0
    toxic = record["report"]["labels"]["toxic"]
    assert toxic["precision"] == pytest.approx(2 / 12, abs=1e-6)
    assert toxic["recall"] == 1
    assert record["data"]["name"] == "rows.csv"
    shown = capsys.readouterr().out
    assert "Rows are weighted by their column weight." in shown
    assert "exact match" in shown
    assert f"{2 / 12:.4f}" in shown


def test_labels_are_matched_by_name_and_unknown_ones_left_out(tmp_path):
    _, record = run(tmp_path, "--data", write(tmp_path / "rows.csv"))
    labels = record["report"]["labels"]
    assert list(labels) == ["toxic", "insult"]  # the model's order, not the file's
    assert labels["insult"]["rows"] == 2
    assert labels["insult"]["f1"] == 1


def test_a_label_without_a_column_is_left_out(tmp_path):
    rows = [(row[0], row[2]) for row in ROWS]
    _, record = run(
        tmp_path, "--data", write(tmp_path / "rows.csv", rows, ["comment_text", "toxic"])
    )
    assert list(record["report"]["labels"]) == ["toxic"]
    assert record["report"]["weighted"] is False


def test_without_data_it_measures_the_sample_and_says_so(tmp_path, capsys, loaded):
    code, record = run(tmp_path)
    assert code == 0
    assert loaded == [()]  # the embedded model
    assert record["data"]["name"] == "sample.csv"
    assert "data/sample.csv" in capsys.readouterr().out


def test_the_model_is_loaded_by_its_name(tmp_path, loaded):
    run(tmp_path, "--model", "mine", "--data", write(tmp_path / "rows.csv"))
    assert loaded == [("mine",)]


def test_a_sample_of_rows_repeats_with_its_seed(tmp_path):
    data = write(tmp_path / "rows.csv", ROWS * 20)
    reports = [run(tmp_path, "--data", data, "--sample", "30", "--seed", "7")[1] for _ in range(2)]
    assert reports[0]["report"]["rows"] == 30
    assert reports[0] == reports[1]


def test_the_class_of_a_single_label_model_is_read_from_one_column(tmp_path, monkeypatch):
    monkeypatch.setattr(WordList, "labels", ("fine", "rude"))
    monkeypatch.setattr(WordList, "single_label", True)
    monkeypatch.setattr(WordList, "thresholds", {})
    rows = [("nice page", "fine"), ("good page", "rude"), ("rude page", "rude")]
    data = write(tmp_path / "rows.csv", rows, ["comment_text", "verdict"])
    code, record = run(tmp_path, "--data", data, "--label-column", "verdict")
    assert code == 0
    assert record["report"]["labels"]["rude"]["positives"] == 2
    assert record["report"]["accuracy"] == pytest.approx(1 / 3, abs=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data", "missing.csv"], "missing.csv"),
        (["--text-column", "body"], "body"),
        (["--weight-column", "w"], "no column w"),
        (["--sample", "-1"], "--sample"),
        (["--output", "no/such/folder/report.json"], "folder"),
        (["--output", "."], "a folder; name a file"),
        (["--sample", "2", "--seed", "-1"], "--seed is -1"),
    ],
)
def test_an_invalid_argument_ends_in_one_clear_error(tmp_path, capsys, arguments, message):
    data = [] if "--data" in arguments else ["--data", write(tmp_path / "rows.csv")]
    assert test_model.main([*data, *arguments]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("error: ")
    assert message in lines[0]


def test_an_unwritable_report_ends_in_one_clear_error(tmp_path, capsys):
    (tmp_path / "report.json.part").mkdir()
    assert run(tmp_path, "--data", write(tmp_path / "rows.csv")) == (2, None)
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "report.json: cannot be written (Is a directory)" in line


def test_data_without_any_of_the_labels_is_refused(tmp_path, capsys):
    data = write(tmp_path / "rows.csv", [("nice", "1")], ["comment_text", "spam"])
    assert run(tmp_path, "--data", data) == (2, None)
    assert "none of the labels of word-list (toxic, insult)" in capsys.readouterr().err
