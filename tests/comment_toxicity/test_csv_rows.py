"""Lines of CSV: separators, quotation marks, and rows without end."""

import csv
import tracemalloc

import pytest

from comment_toxicity.files import read
from tests.comment_toxicity.tables import fails, read_csv, write_csv


@pytest.mark.parametrize(
    ("content", "columns", "first"),
    [
        ('id;comment_text\r\n1;"a, b; c"\r\n', ["id", "comment_text"], ["1", "a, b; c"]),
        ("id\ttext\n1\ta;b\n", ["id", "text"], ["1", "a;b"]),
        ('"a;b","text"\n1,you\n', ["a;b", "text"], ["1", "you"]),
        ('"a,b";text\n1;you, too\n', ["a,b", "text"], ["1", "you, too"]),
        ('n;"a, b";text\n1;2;you, too\n', ["n", "a, b", "text"], ["1", "2", "you, too"]),
        ('\n"a,\nb";text\n1;you\n', ["a,\nb", "text"], ["1", "you"]),
        ('n;"a;\nb";text\n1;2;you\n', ["n", "a;\nb", "text"], ["1", "2", "you"]),
        ("a;b\ttext\tc\n1\tyou\t2\n", ["a;b", "text", "c"], ["1", "you", "2"]),
        ("text,a;b;c\nyou,1\n", ["text", "a;b;c"], ["you", "1"]),
        ("text\na,b;c\n", ["text"], None),
        ("text\nyou\n", ["text"], ["you"]),
    ],
)
def test_semicolons_or_tabs_separate_cells_when_commas_do_not(
    tmp_path, score, content, columns, first
):
    source = tmp_path / "in.csv"
    source.write_text(content, newline="")
    assert score(source, "--text-column", columns[-1], "--output", tmp_path / "out.csv")[0] == 0
    [row] = read_csv(tmp_path / "out.csv")
    assert list(row)[: len(columns)] == columns
    if first is None:
        assert row["reason"] == "line 2 has 2 cells, not 1"
    else:
        assert list(row.values())[: len(columns)] == first
        assert row["toxic_score"]


def test_line_numbers_count_the_lines_before_the_header(tmp_path, score):
    source = tmp_path / "in.csv"
    source.write_text('\n\n"a\nb";text\n1;you\n1;2;3\n')
    score(source, "--output", tmp_path / "out.csv")
    assert read_csv(tmp_path / "out.csv")[1]["reason"] == "line 6 has 3 cells, not 2"


@pytest.mark.usefixtures("short_cells")
def test_an_unclosed_quotation_mark_does_not_fill_the_memory(tmp_path, score):
    source = tmp_path / "in.csv"
    source.write_text('text\nyou\n"open ' + "you\n" * 1000)
    message = fails(score, tmp_path, source, "--output", tmp_path / "out.csv")
    assert "quotation mark" in message


@pytest.mark.parametrize(
    ("content", "line", "what"),
    [
        ('n,text\n1,you\n2,"go\n3,you\n', 3, "does not end"),
        ('n,text\n1,"a\nb","c\n', 3, "does not end"),
        ('n,text\n1,you\n2,"', 3, "does not end"),
        ('n,"text\n1,you\n', 1, "does not end"),
        ('n,text\n1,"you\n2,go\n3,"you, too"\n', 2, "ends in line 4, inside a cell"),
        ('n,text\n1,"you\n2,"""Go"" he said"\n', 2, "ends in line 3, inside a cell"),
    ],
)
def test_an_unclosed_quotation_mark_is_reported_and_swallows_no_rows(
    tmp_path, score, content, line, what
):
    source = tmp_path / "in.csv"
    source.write_text(content)
    message = fails(score, tmp_path, source, "--output", tmp_path / "out.csv")
    assert f"{source}: line {line}: a quotation mark opens a cell that {what}; close it" in message


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
@pytest.mark.parametrize(
    "cell", ['"a\n""b""\n\nc"', '"a"b', 'a"b', '"a\n"""', '"\n" ', '""', '"a\r\n,"']
)
def test_closed_quotation_marks_are_read_as_the_csv_module_reads_them(tmp_path, cell, end):
    source = tmp_path / "in.csv"
    source.write_text(f"n,text\n1,{cell}\n2,{cell}{end}", newline="")
    with source.open(newline="") as stream:
        expected = list(csv.reader(stream))[1:]
    assert len(expected) == 2
    with read.open_input(str(source), "csv") as rows:
        [chunk] = rows.chunks("text")
    assert [list(row.values()) for row in chunk.cells] == expected


@pytest.mark.parametrize("head", ["", "text,n\n", "text;n\n"])
@pytest.mark.parametrize("row", ["ab," * 200_000, ("," * 30_000 + '"\n",') * 9])
def test_a_row_with_very_many_cells_does_not_fill_the_memory(tmp_path, score, head, row):
    source = tmp_path / "in.csv"
    source.write_text(head + (row.replace(",", ";") if ";" in head else row))
    message = fails(score, tmp_path, source, "--output", tmp_path / "out.csv")
    assert "the row has more than 100,000 cells" in message


def test_commas_in_a_quoted_comment_do_not_separate_cells(tmp_path):
    text = 'a,"b",\n' * 50_000 + "," * 200_000
    source = write_csv(tmp_path / "in.csv", [["n", "text"], ["1", text]])
    with read.open_input(str(source), "csv") as rows:
        assert [chunk.texts for chunk in rows.chunks("text")] == [[text]]


def test_blank_lines_before_the_header_do_not_fill_the_memory(tmp_path):
    source = tmp_path / "in.csv"
    source.write_text("\n" * 900_000 + "text\nyou\n")
    tracemalloc.start()
    try:
        with read.open_input(str(source), "csv") as rows:
            assert [chunk.texts for chunk in rows.chunks("text")] == [["you"]]
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()
    source.write_text("\n" * 1_000_001 + "text\nyou\n")
    with (
        pytest.raises(
            read.DataError, match=r"in.csv: its first 1,000,000 lines are empty; expected"
        ),
        read.open_input(str(source), "csv"),
    ):
        pass
