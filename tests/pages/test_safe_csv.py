"""The CSV download: no cell is a formula to a spreadsheet."""

import csv
import itertools

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from comment_toxicity.files.write import JSON_TEXT
from ui.files.safe_csv import safe_cell, write_safe_csv


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
        ("+cmd", "'+cmd"),
        ("-2+3", "'-2+3"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t'=1"),
        ("\r=1", "'\r'=1"),
        (" =1", "' =1"),
        ("\x00=1", "'\x00=1"),
        ("\ufeff=1", "'\ufeff=1"),
        ("＝1+1", "'＝1+1"),
        ("-1", "-1"),
        ("+4.5e3", "+4.5e3"),
        ("hello = world", "hello = world"),
        ("fine;=1+1", "fine;'=1+1"),
        ('one\n"@you"', 'one\n\'"@you"'),
        ("well; -5 degrees ;-) a;b\r\n\r\n c", "well; -5 degrees ;-) a;b\r\n\r\n c"),
        ("", ""),
        (None, ""),
        (float("nan"), ""),
        (-0.25, "-0.25"),
        (True, "true"),
        ({"a": 1}, '{"a": 1}'),
    ],
)
def test_no_cell_of_the_csv_is_a_formula(cell, written):
    assert safe_cell(cell) == written


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_no_cell_is_a_formula_where_a_spreadsheet_splits_at_another_delimiter(tmp_path, delimiter):
    pieces = ["=1", "+1", "-1", "@a", '"=1', ";", "\t", "\n", "\r", "\r\n", '"', ",", "a", "\x00="]
    texts = [f"a{''.join(made)}a" for made in itertools.product(pieces, repeat=4)]
    path = tmp_path / "a.parquet"
    pd.DataFrame({"id": "x", "text": texts}).to_parquet(path)
    write_safe_csv(path, tmp_path / "a.csv", lambda: None)
    with (tmp_path / "a.csv").open(encoding="utf-8-sig", newline="") as stream:
        cells = [cell for row in csv.reader(stream, delimiter=delimiter) for cell in row]
    assert not [cell for cell in cells if cell.startswith(tuple("=+-@\t\r"))]


@pytest.mark.parametrize("number", [-1, -0.5, "-1", "+1e3"])
def test_a_number_at_a_rows_start_begins_no_formula_with_the_cells_after_it(tmp_path, number):
    path = tmp_path / "a.parquet"
    pd.DataFrame({"-1": [number], "text": ["0+cmd|' /C calc'!A0"], "n": [-2]}).to_parquet(path)
    write_safe_csv(path, tmp_path / "a.csv", lambda: None)
    with (tmp_path / "a.csv").open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.reader(stream, delimiter=";"))
    assert [cell[0] for row in rows for cell in row] == ["'", "'"]
    assert rows[1][0].endswith(",-2")  # elsewhere a number stays one
    pd.DataFrame({"n": [-1]}).to_parquet(path)
    write_safe_csv(path, tmp_path / "a.csv", lambda: None)
    assert (tmp_path / "a.csv").read_text("utf-8-sig") == "n\n-1\n"  # a number alone is one


def test_a_column_name_is_not_a_formula_either(tmp_path):
    path = tmp_path / "a.parquet"
    pd.DataFrame({"=1+1": ["é"]}).to_parquet(path)
    write_safe_csv(path, tmp_path / "a.csv", lambda: None)
    assert (tmp_path / "a.csv").read_text("utf-8-sig") == "'=1+1\né\n"


def test_a_carriage_return_inside_a_cell_does_not_end_the_row(tmp_path):
    path = tmp_path / "a.parquet"
    pd.DataFrame({"text": ["one\rtwo", "three"]}).to_parquet(path)
    write_safe_csv(path, tmp_path / "a.csv", lambda: None)
    with (tmp_path / "a.csv").open(encoding="utf-8-sig", newline="") as stream:
        assert list(csv.reader(stream)) == [["text"], ["one\rtwo"], ["three"]]


def test_float32_cells_are_written_as_the_shortest_decimal(tmp_path):
    path = tmp_path / "a.parquet"
    table = pd.DataFrame({"id": [1234567890.5], "n": [16777215], "toxic_score": [0.1]})
    table.astype({"n": "float32", "toxic_score": "float32"}).to_parquet(path)
    write_safe_csv(path, tmp_path / "a.csv", lambda: None)
    assert (tmp_path / "a.csv").read_text("utf-8-sig") == (
        "id,n,toxic_score\n1234567890.5,16777215.0,0.1\n"
    )


def test_json_text_in_the_csv_is_as_it_was_in_the_file(tmp_path):
    cells = ['"=1+1"', "false", "1592000000.0", '{"a": 1}', None, "not JSON"]
    field = pa.field("edited", pa.string(), metadata=JSON_TEXT)
    table = pa.Table.from_arrays([pa.array(cells)], schema=pa.schema([field]))
    pq.write_table(table, tmp_path / "a.parquet")
    write_safe_csv(tmp_path / "a.parquet", tmp_path / "a.csv", lambda: None)
    with (tmp_path / "a.csv").open(encoding="utf-8-sig", newline="") as stream:
        found = [row["edited"] for row in csv.DictReader(stream, skipinitialspace=False)]
    assert found == ["'=1+1", "false", "1592000000.0", '{"a": 1}', "", "not JSON"]


def test_in_a_file_of_semicolons_no_formula_begins_after_a_comma():
    assert safe_cell('hello,=1+1,"@x', ";") == "hello,'=1+1,'\"@x"
    assert safe_cell("hello, you,-) 1,2", ";") == "hello, you,-) 1,2"
    assert safe_cell("hello,=1+1") == "hello,=1+1"  # there the cell is quoted
