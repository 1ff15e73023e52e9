"""Scored rows, as they are written in each format."""

import csv
import gzip
import json
import math

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from comment_toxicity.files import read
from tests.comment_toxicity.tables import SCORES, read_csv, write_csv

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


MIXED = [
    ([1.5, False], ["1.5", "false"]),
    ([1, "one", "1"], ["1", '"one"', '"1"']),
    ([{}, None], ["{}", None]),
    ([{"a": 1}, {"b": 1}], ['{"a": 1}', '{"b": 1}']),
    ([[1], {"a": 1}, "x"], ["[1]", '{"a": 1}', '"x"']),
    ([9007199254740993, 0.5], ["9007199254740993", "0.5"]),
    ([2**64, 1], ["18446744073709551616", "1"]),
    ([[True, 1]], ["[true, 1]"]),
]
PLAIN = [
    ([1, 2.5, None], pyarrow.float64()),
    ([1, 9007199254740993], pyarrow.int64()),
    ([True, None, False], pyarrow.bool_()),
    (["a", None], pyarrow.string()),
    ([None, None], pyarrow.null()),
    ([[1, 2], [], None], pyarrow.list_(pyarrow.int64())),
    ([{"a": 1, "b": ["x"]}, {"a": None, "b": []}], None),
]


@pytest.fixture(params=["one chunk", "a chunk per row"])
def parquet_of(request, tmp_path, score, monkeypatch):
    """Score JSON lines with these values in a column n; returns the Parquet column and stderr."""
    if request.param != "one chunk":
        monkeypatch.setattr(read, "CHUNK_ROWS", 1)

    def written(lines):
        source, output = tmp_path / "in.jsonl", tmp_path / "out.parquet"
        source.write_text("".join(f'{{"text": "you", "n": {line}}}\n' for line in lines))
        code, message = score(source, "--output", output)
        assert code == 0
        return pyarrow.parquet.read_table(output)["n"], message

    return written


@pytest.mark.parametrize(("values", "cells"), MIXED)
@pytest.mark.parametrize("step", [1, -1])
def test_values_of_several_types_become_json_text_in_any_order(parquet_of, values, cells, step):
    column, message = parquet_of(map(json.dumps, values[::step]))
    assert column.to_pylist() == cells[::step]
    assert "so they are JSON text: n.\n" in message


@pytest.mark.parametrize(("values", "kind"), PLAIN)
@pytest.mark.parametrize("step", [1, -1])
def test_values_of_one_type_keep_it(parquet_of, values, kind, step):
    column, message = parquet_of(map(json.dumps, values[::step]))
    assert column.to_pylist() == values[::step]
    assert kind in (None, column.type)
    assert "JSON text" not in message


def test_nan_is_a_missing_value_beside_texts(parquet_of):
    column, _ = parquet_of(['"p"', "NaN"])
    assert column.to_pylist() == ["p", None]


def test_the_comments_stay_texts_beside_other_values(tmp_path, score):
    source, output = tmp_path / "in.jsonl", tmp_path / "out.parquet"
    source.write_text('{"text": "you"}\n{"text": 3}\n{"text": [1]}\n')
    assert score(source, "--output", output)[0] == 0
    assert pyarrow.parquet.read_table(output)["text"].to_pylist() == ["you", "3", "[1]"]


@pytest.mark.parametrize("inside", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("outside", ["csv", "jsonl", "parquet"])
def test_columns_named_like_a_result_are_kept_and_ours_get_a_number(
    tmp_path, score, inside, outside
):
    row = {"text": " ", "reason": "spam", "flags": "x", "toxic_score": "0.5", "reason_1": "y"}
    source, output = tmp_path / f"in.{inside}", tmp_path / f"out.{outside}"
    if inside == "csv":
        write_csv(source, [list(row), list(row.values())])
    elif inside == "jsonl":
        source.write_text(json.dumps(row) + "\n")
    else:
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist([row]), source)
    code, message = score(source, "--output", output)
    assert code == 0
    ours = "toxic_score → toxic_score_1, flags → flags_1, reason → reason_2."
    assert message.splitlines()[-2].endswith(ours)
    if outside == "csv":
        [found] = read_csv(output)
    elif outside == "jsonl":
        found = json.loads(output.read_text())
    else:
        [found] = pyarrow.parquet.read_table(output).to_pylist()
    assert list(found) == [*row, "toxic_score_1", *SCORES[1:], "flags_1", "reason_2"]
    assert {name: found[name] for name in row} == row
    assert found["reason_2"] == "blank"


@pytest.mark.parametrize("outside", ["csv", "jsonl", "parquet"])
def test_a_column_named_like_a_result_may_appear_late(tmp_path, score, monkeypatch, outside):
    monkeypatch.setattr(read, "CHUNK_ROWS", 1)
    source, output = tmp_path / "in.jsonl", tmp_path / f"out.{outside}"
    source.write_text('{"text": "you"}\n{"text": "go", "flags": "spam"}\n')
    assert score(source, "--output", output)[0] == 0
    if outside == "csv":
        found = read_csv(output)
    elif outside == "jsonl":
        found = list(map(json.loads, output.read_text().splitlines()))
    else:
        found = pyarrow.parquet.read_table(output).to_pylist()
    assert not found[0].get("flags")
    assert found[1]["flags"] == "spam"
    assert [list(row)[-1] for row in found] == ["flags_1", "flags_1"]


@pytest.mark.parametrize("kind", ["string", "dictionary", "large_string", "string_view"])
def test_a_late_text_that_is_not_utf8_does_not_end_the_run(tmp_path, score, monkeypatch, kind):
    monkeypatch.setattr(read, "CHUNK_ROWS", 2)
    raw = pyarrow.array([b"you", b"go", b"\xff", None], pyarrow.binary())
    texts = raw.view(pyarrow.string())
    if kind == "dictionary":
        texts = texts.dictionary_encode()
    elif kind != "string":
        texts = texts.cast(getattr(pyarrow, kind)())
    pyarrow.parquet.write_table(pyarrow.table({"text": texts}), tmp_path / "in.parquet")
    code, message = score(tmp_path / "in.parquet", "--output", tmp_path / "out.parquet")
    assert code == 0, message
    found = pyarrow.parquet.read_table(tmp_path / "out.parquet")
    assert found["text"].to_pylist() == ["you", "go", "\ufffd", None]


def test_parquet_values_that_python_lacks_become_texts(tmp_path, score):
    columns = {
        "text": ["you"],
        "late": pyarrow.array([300_000_000_000], pyarrow.timestamp("s")),
        "exact": pyarrow.array([1], pyarrow.timestamp("ns")),
        "raw": pyarrow.array([b"a\xff"], pyarrow.binary()).view(pyarrow.string()),
    }
    pyarrow.parquet.write_table(pyarrow.table(columns), tmp_path / "in.parquet")
    code, message = score(tmp_path / "in.parquet", "--output", tmp_path / "out.csv")
    assert code == 0, message
    [row] = read_csv(tmp_path / "out.csv")
    assert row["late"].startswith("11476-08-15")
    assert row["exact"].endswith("00.000000001")
    assert row["raw"] == "a\ufffd"
