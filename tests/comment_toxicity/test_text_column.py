"""Which column is taken for the comments, when none has the usual name."""

import csv
import io
import json
import sys

import pyarrow
import pyarrow.parquet
import pytest

from comment_toxicity.files.text_column import guess_column
from tests.comment_toxicity.tables import fails, read_csv
from ui.files.upload import look_into

BODIES = ["We moved the meeting to the big room.", "ok thanks", "Nobody has read the draft yet."]


def write(path, columns):
    rows = [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]
    if path.suffix == ".csv":
        with path.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, list(columns))
            writer.writeheader()
            writer.writerows(rows)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    else:
        pyarrow.parquet.write_table(pyarrow.table(columns), path)
    return path


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_the_command_and_the_page_guess_the_same_column_and_the_command_says_it(
    tmp_path, score, ending
):
    columns = {
        "id": ["1", "2", "3"],
        "url": [f"https://example.org/{'page/' * 30}{n}" for n in range(3)],
        "meta": [json.dumps({"tags": ["a b"] * 30})] * 3,
        "when": ["2020-01-01 10:00:00"] * 3,
        "body": BODIES,
    }
    source = write(tmp_path / f"in.{ending}", columns)
    assert look_into(source, "in").text_column == "body"
    code, message = score(source, "--output", tmp_path / "out.csv")
    assert code == 0
    assert message.startswith("The comments are taken from the column body; --text-column names")
    assert all(row["toxic_score"] for row in read_csv(tmp_path / "out.csv"))


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_two_columns_of_similar_texts_are_left_to_the_user(tmp_path, score, ending):
    columns = {"id": ["1", "2", "3"], "question": BODIES, "answer": BODIES[::-1]}
    source = write(tmp_path / f"in.{ending}", columns)
    message = fails(score, tmp_path, source, "--output", tmp_path / "out.csv")
    assert "question or answer could be the comments (found id, question, answer)" in message
    code, message = score(source, "--text-column", "answer", "--output", tmp_path / "out.csv")
    assert code == 0
    assert "are taken from" not in message


def test_comments_of_one_word_are_found_beside_numbers(tmp_path):
    source = write(tmp_path / "in.csv", {"n": ["123456", "234567"], "said": ["hi", "thanks"]})
    assert guess_column(str(source)).columns == ["said"]


def test_texts_that_parquet_stores_as_bytes_are_guessed_and_images_are_not(tmp_path):
    columns = {
        "image": pyarrow.array([b"\xff a b" * 50] * 3, pyarrow.binary()),
        "body": pyarrow.array([text.encode() for text in BODIES], pyarrow.binary()),
        "kind": pyarrow.array(["a", "b", "a"]).dictionary_encode(),
    }
    pyarrow.parquet.write_table(pyarrow.table(columns), tmp_path / "in.parquet")
    guess = guess_column(str(tmp_path / "in.parquet"))
    assert (guess.columns, guess.clear) == (["body"], True)


def test_standard_input_is_not_guessed(tmp_path, score, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"id,body\n1,hello you\n")))
    message = fails(score, tmp_path, "-", "--output", tmp_path / "out.csv")
    assert "no column comment_text or text (found id, body)" in message
