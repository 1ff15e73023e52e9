"""Files without a header, or in another encoding: read again on the page."""

import pytest

from comment_toxicity.errors import DataError
from comment_toxicity.files.read import open_input
from ui.files import preview as previews
from ui.files.preview import preview
from ui.files.reread import WINDOWS, look_without_header, reread
from ui.files.upload import look_into


def rows_of(source):
    with open_input(str(source.path), "csv") as file:
        return [cells for chunk in file.chunks(source.text_column) for cells in chunk.cells]


def without_header(tmp_path, content, name="a.csv"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    source = look_without_header(path, name)
    return reread(source, header=False)


def test_columns_of_a_headless_file_get_names_and_the_longest_has_the_comments(tmp_path):
    source = without_header(tmp_path, "7;hi, you two;ann\n8;bye for now;bob\n")
    assert source.columns == ["column 1", "comment_text", "column 3"]
    assert [row["comment_text"] for row in rows_of(source)] == ["hi, you two", "bye for now"]


def test_plain_lines_with_commas_are_one_comment_each(tmp_path):
    source = without_header(tmp_path, 'Well, well, "hm"\nNo.\n\nYes, or no\n', "a.txt")
    assert [row["comment_text"] for row in rows_of(source)] == [
        'Well, well, "hm"',
        "No.",
        "Yes, or no",
    ]


def test_quoted_cells_of_one_column_keep_their_line_ends(tmp_path):
    source = without_header(tmp_path, '"one,\ntwo"\n"three"\n')
    assert [row["comment_text"] for row in rows_of(source)] == ["one,\ntwo", "three"]


def test_a_headless_file_in_utf16_is_read(tmp_path):
    source = without_header(tmp_path, "1,schön\n2,gut so\n".encode("utf-16"))
    assert [row["comment_text"] for row in rows_of(source)] == ["schön", "gut so"]


def test_more_rows_than_the_head_are_all_kept(tmp_path):
    content = "".join(f"{n},comment number {n}\n" for n in range(500))
    assert len(rows_of(without_header(tmp_path, content))) == 500


def test_the_header_can_be_a_header_again(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes("name,grüße\na,b\n".encode("cp1252"))
    with pytest.raises(DataError, match="the header is not UTF-8"):
        look_into(path, "a.csv")
    path.write_bytes("name,body\na,größer als\n".encode("cp1252"))
    source = reread(look_into(path, "a.csv"), header=False, encoding=WINDOWS)
    assert rows_of(source)[1]["comment_text"] == "größer als"
    source = reread(source, header=True, encoding=WINDOWS)
    assert (source.columns, rows_of(source)[0]["body"]) == (["name", "body"], "größer als")
    assert reread(source).path == path


def test_counting_stops_at_its_bound(tmp_path, monkeypatch):
    monkeypatch.setattr(previews, "COUNTED", 2500)
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "hi"}\n' * 5000)
    shown = preview(look_into(path, "a.jsonl"))
    assert shown.in_words() == "1 column, more than 2,500 rows, JSON, UTF-8"
    assert shown.first == [["hi"]] * 5
