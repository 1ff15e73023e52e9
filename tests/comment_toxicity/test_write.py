"""Scored rows, as they are written in each format."""

import csv
import gzip
import json
import math
import pathlib
import subprocess
import sys

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from comment_toxicity.files import read
from tests.comment_toxicity.tables import SCORES, fails, read_csv, write_csv
from tests.running import ROOT

TEXTS = ["you idiot", 'thanks, "kind" people\r\n', "", " padded ", "😀 ünï"]


def test_rows_columns_and_cells_come_back_as_they_were(tmp_path, score, tiny):
    cells = ["007", "1.0", "NA", "", "x;y"]
    rows = [[cell, text, "7"] for cell, text in zip(cells, TEXTS, strict=True)]
    source = write_csv(tmp_path / "in.csv", [["id", "comment_text", "n"], *rows])
    assert score(source, "--output", tmp_path / "out.csv")[0] == 0
    found = read_csv(tmp_path / "out.csv")
    assert [list(row.values())[:3] for row in found] == rows
    assert list(found[0]) == ["id", "comment_text", "n", *SCORES, "flags", "reason"]
    scores = [[np.float32(row[name] or "nan") for name in SCORES] for row in found]
    assert np.array_equal(np.array(scores), tiny.score(TEXTS), equal_nan=True)
    expected = [";".join(tiny.flags(row)) for row in tiny.score(TEXTS)]
    assert [row["flags"] for row in found] == expected
    assert [row["reason"] for row in found] == ["", "", "blank", "", ""]


@pytest.mark.parametrize("cell", ["a\rb", "\r", "a\r\nb", "a\nb", 'a"\r'])
def test_a_cell_with_any_line_ending_stays_one_cell(tmp_path, score, cell):
    source = write_csv(tmp_path / "in.csv", [["n", "text"]])
    with source.open("a", newline="") as stream:
        csv.writer(stream).writerow([cell, "you"])
    score(source, "--output", tmp_path / "out.csv")
    assert [row["n"] for row in read_csv(tmp_path / "out.csv")] == [cell]


def test_nan_from_parquet_becomes_valid_json(tmp_path, score):
    table = pyarrow.table({"text": ["you"], "n": [math.nan], "more": [[math.inf]]})
    pyarrow.parquet.write_table(table, tmp_path / "in.parquet")
    score(tmp_path / "in.parquet", "--output", tmp_path / "out.jsonl")
    row = json.loads((tmp_path / "out.jsonl").read_text(), parse_constant=pytest.fail)
    assert (row["n"], row["more"]) == (None, [None])


def test_there_is_no_reason_column_when_no_row_needs_one(tmp_path, score):
    source = write_csv(tmp_path / "in.csv", [["comment_text"], ["you"]])
    score(source, "--output", tmp_path / "out.csv")
    assert list(read_csv(tmp_path / "out.csv")[0]) == ["comment_text", *SCORES, "flags"]


def test_parquet_keeps_its_types(tmp_path, score):
    table = pyarrow.table(
        {
            "when": pyarrow.array([1, 2, 3], pyarrow.timestamp("ns", "UTC")),
            "kind": pyarrow.array(["a", "b", "a"]).dictionary_encode(),
            "comment_text": ["you idiot", None, "thanks"],
            "nested": [[1], [], None],
        }
    )
    pyarrow.parquet.write_table(table, tmp_path / "in.parquet")
    assert score(tmp_path / "in.parquet", "--output", tmp_path / "out.parquet")[0] == 0
    found = pyarrow.parquet.read_table(tmp_path / "out.parquet")
    assert found.select(table.column_names).equals(table)
    assert found.column_names[4:] == [*SCORES, "flags", "reason"]
    assert found.schema.field("toxic_score").type == pyarrow.float32()
    assert found["toxic_score"].null_count == 1
    assert found["reason"].to_pylist() == [None, "blank", None]


@pytest.mark.parametrize("rows", [0, 3])
@pytest.mark.parametrize(
    ("inside", "outside"), [("csv", "parquet"), ("parquet", "jsonl"), ("jsonl", "csv.gz")]
)
def test_every_format_is_read_and_written(tmp_path, score, rows, inside, outside):
    source, output = tmp_path / f"in.{inside}", tmp_path / f"out.{outside}"
    if inside == "csv":
        write_csv(source, [["text", "n"], *[["you", "1"]] * rows])
    elif inside == "jsonl":
        source.write_text('{"text": "you", "n": 1}\n' * (rows or 1))
    else:
        columns = {"text": pyarrow.array(["you"] * rows, pyarrow.string()), "n": [1] * rows}
        pyarrow.parquet.write_table(pyarrow.table(columns), source)
    assert score(source, "--output", output)[0] == 0
    count = rows or (inside == "jsonl")
    if outside == "parquet":
        found = pyarrow.parquet.read_table(output)
        assert found.num_rows == count
        assert found.column_names == ["text", "n", *SCORES, "flags"]
    elif outside == "jsonl":
        assert len(output.read_text().splitlines()) == count
    else:
        data = output.read_bytes()
        lines = (gzip.decompress(data) if outside == "csv.gz" else data).decode().splitlines()
        assert lines[0] == ",".join(["text", "n", *SCORES, "flags"])
        assert len(lines) == 1 + count


def test_columns_that_appear_late_in_json_lines_are_kept(tmp_path, score, monkeypatch):
    monkeypatch.setattr(read, "CHUNK_ROWS", 1)
    source = tmp_path / "in.jsonl"
    source.write_text('{"text": "you"}\n{"text": "go", "late": 5}\n')
    for ending in ("csv", "parquet"):
        assert score(source, "--output", tmp_path / f"out.{ending}")[0] == 0
    columns = ["text", "late", *SCORES, "flags"]
    assert list(read_csv(tmp_path / "out.csv")[0]) == columns
    assert pyarrow.parquet.read_table(tmp_path / "out.parquet").column_names == columns


@pytest.mark.skipif(not pathlib.Path("/dev/full").exists(), reason="/dev/full is Linux's")
def test_a_full_standard_output_is_reported(tmp_path, exported):
    source = write_csv(tmp_path / "in.csv", [["text"], ["you"]])
    command = [sys.executable, "-m", "comment_toxicity", "score", str(source), "--output", "-"]
    with pathlib.Path("/dev/full").open("wb") as full:
        answer = subprocess.run(
            [*command, "--model", str(exported)],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
    assert answer.returncode == 2
    assert answer.stderr.startswith("error: standard output: writing failed (No space left")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ('{"text": "you", "n": 1}\n', '{"text": "go", "n": "one"}\n'),
        ('{"text": "you", "n": {}}\n', ""),  # an object without a field
        ('{"text": "you", "n": 9007199254740993}\n', '{"text": "go", "n": 0.5}\n'),
    ],
)
@pytest.mark.parametrize("rows", [1, 1000])
def test_a_column_that_parquet_cannot_hold_is_refused_but_csv_takes_it(
    tmp_path, score, monkeypatch, rows, first, second
):
    monkeypatch.setattr(read, "CHUNK_ROWS", rows)
    source = tmp_path / "in.jsonl"
    source.write_text(first + second)
    assert "write JSON lines or CSV" in fails(
        score, tmp_path, source, "--output", tmp_path / "out.parquet"
    )
    assert score(source, "--output", tmp_path / "out.csv")[0] == 0
