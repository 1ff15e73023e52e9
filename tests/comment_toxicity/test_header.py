"""What can precede a CSV's header, and what is no header at all."""

import pytest

from comment_toxicity.errors import DataError
from comment_toxicity.files.read import open_input


def opened(tmp_path, content, name="in.csv"):
    """A file's columns and rows, as lists of cells."""
    (tmp_path / name).write_text(content, encoding="utf-8", newline="")
    with open_input(str(tmp_path / name), "csv") as rows:
        chunks = list(rows.chunks(rows.text_column or rows.columns[-1]))
        assert [chunk.reasons for chunk in chunks] == [
            [None] * len(chunk.cells) for chunk in chunks
        ]
        return rows.columns, [list(row.values()) for chunk in chunks for row in chunk.cells]


ROWS = [["1", "well, yes"], ["2", "oh no"]]


@pytest.mark.parametrize(
    "above",
    [
        "sep=;\r\n",
        '\ufeff"sep=;"\r\n',
        "SEP=;\r\n\r\n",
        "# from the forum; see https://example.org\n",
        "# one\n#two\n\n",
        "Comments of the week\n",
        "Comments; of June; and more\n",
        "Comments;;\n;;\n",
        "Forum;Garden\nWeek;22\n\n",
        "sep=;\nComments of the week\n",
    ],
)
def test_what_precedes_the_header_is_skipped(tmp_path, above):
    content = above + "id;comment_text\n1;well, yes\n2;oh no\n"
    assert opened(tmp_path, content) == (["id", "comment_text"], ROWS)


@pytest.mark.parametrize("above", ["# a remark\n", "Exported on Monday 3\n", "Garden forum\n"])
def test_names_of_another_kind_are_found_below_a_title(tmp_path, above):
    columns, rows = opened(tmp_path, above + "id,body,who\n1,yes,Ann\n2,no,Bo\n")
    assert (columns, len(rows)) == (["id", "body", "who"], 2)


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_a_separator_that_is_named_is_used(tmp_path, mark):
    content = f"sep={mark}\nid{mark}text\n1{mark}well\n"
    assert opened(tmp_path, content) == (["id", "text"], [["1", "well"]])


@pytest.mark.parametrize(
    ("content", "columns"),
    [
        ("id,kind,body\na,text,yes\nb,link,no\n", ["id", "kind", "body"]),
        ("id,kind,body\n\na,text,yes\n\nb,text,no\n\n", ["id", "kind", "body"]),
        ("#id,text\n1,yes\n", ["#id", "text"]),
        (",0,1\n0,so you are here,3\n", ["", "0", "1"]),
        ("post,0,1\nso you are here,0,1\n", ["post", "0", "1"]),
        (
            "When,How do you like the garden?\n2026-01-02,a lot\n",
            ["When", "How do you like the garden?"],
        ),
    ],
)
def test_the_first_line_is_the_header_of_an_ordinary_file(tmp_path, content, columns):
    assert opened(tmp_path, content)[0] == columns


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("post,who\nwell, yes,Ann\noh, no,Bo\n", "line 1 has fewer cells than the 3 of each line"),
        ("post\nwell, yes\noh, no\n", "line 1 has fewer cells than the 2 of each line"),
        ("What a lovely garden.\nOh no.\n", "line 1 looks like a row, not like a header"),
        ("Well, this is lovely\nOh no\nYes\n", "line 1 looks like a row, not like a header"),
        ("Well, yes.\nOh, no.\n", "line 1 looks like a row, not like a header"),
        ("7,What a lovely garden!\n8,Oh no.\n", "line 1 looks like a row, not like a header"),
        ("\nsep=^\nid^text\n", "line 2 says that '^' separates the cells"),
        ("sep=;\n", "no header below line 1"),
        ('""\n"  "\n', "the header names no column"),
    ],
)
def test_a_file_whose_header_cannot_be_told_is_refused(tmp_path, content, message):
    with pytest.raises(DataError, match=message.replace("^", r"\^")):
        opened(tmp_path, content)


def test_lines_are_counted_from_the_top_of_the_file(tmp_path):
    (tmp_path / "in.csv").write_text("\nsep=;\n\nid;text\n1;yes\n1;2;3\n")
    with open_input(str(tmp_path / "in.csv"), "csv") as rows:
        [chunk] = rows.chunks("text")
    assert chunk.reasons == [None, "line 6 has 3 cells, not 2"]


def test_columns_without_name_and_cells_are_left_out(tmp_path):
    assert opened(tmp_path, "id,text,,,\n1,yes,,,\n2,no\n") == (
        ["id", "text"],
        [["1", "yes"], ["2", "no"]],
    )


def test_cells_below_no_name_are_kept_in_a_numbered_column(tmp_path):
    (tmp_path / "in.csv").write_text("id,text,,\n1,yes,,\n2,no,,note\n")
    with open_input(str(tmp_path / "in.csv"), "csv") as rows:
        [chunk] = rows.chunks("text")
    assert chunk.columns == ["id", "text", "column 4"]
    assert chunk.cells[1] == {"id": "2", "text": "no", "column 4": "note"}


def test_several_columns_without_a_name_are_numbered(tmp_path):
    columns, rows = opened(tmp_path, ",,text\na,1,yes\n")
    assert (columns, rows) == (["column 1", "column 2", "text"], [["a", "1", "yes"]])


def test_one_column_without_a_name_stays_so(tmp_path):
    assert opened(tmp_path, ",text\n0,yes\n")[0] == ["", "text"]


def test_spaces_after_each_separator_are_no_part_of_the_cells(tmp_path):
    content = 'id, text, n\n1, "well, yes", 0\n'
    assert opened(tmp_path, content) == (["id", "text", "n"], [["1", "well, yes", "0"]])


@pytest.mark.parametrize("name", ["in.tsv", "in.tsv.txt"])
def test_tabs_separate_the_cells_of_a_tsv(tmp_path, name):
    assert opened(tmp_path, "id\ttext\n1\twell, yes\n", name)[1] == [["1", "well, yes"]]
    if name.endswith(".tsv"):
        assert opened(tmp_path, "id\ttext\tone, two\n1\ty\tn\n", name)[0][1] == "text"
