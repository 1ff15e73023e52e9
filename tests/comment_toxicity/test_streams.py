"""Encodings other than UTF-8."""

import io

import pytest

from comment_toxicity.errors import DataError
from comment_toxicity.files.read import open_input
from comment_toxicity.files.streams import as_utf8
from tests.comment_toxicity.tables import fails, read_csv

CONTENT = {
    "in.csv": "id,text\r\n1,so schön 😀\r\n2,oh no\r\n",
    "in.tsv": "id\ttext\n1\tso schön 😀\n2\toh no\n",
    "in.jsonl": '{"text": "so schön 😀"}\n{"text": "oh no"}\n',
    "in.json": '[{"text": "so schön 😀"},\n{"text": "oh no"}]',
}


@pytest.mark.parametrize("name", CONTENT)
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"])
def test_utf_16_and_32_are_read(tmp_path, name, encoding):
    (tmp_path / name).write_bytes(CONTENT[name].encode(encoding))
    with open_input(str(tmp_path / name), "csv") as rows:
        assert [chunk.texts for chunk in rows.chunks("text")] == [["so schön 😀", "oh no"]]


def test_an_encoding_can_be_named(tmp_path):
    (tmp_path / "in.csv").write_bytes("text\nça va\n".encode("cp1252"))
    with open_input(str(tmp_path / "in.csv"), "csv", "cp1252") as rows:
        assert [chunk.texts for chunk in rows.chunks("text")] == [["ça va"]]


def test_what_the_named_encoding_lacks_is_told(tmp_path):
    (tmp_path / "in.csv").write_bytes(b"text\nwell\n\x81\n")
    with open_input(str(tmp_path / "in.csv"), "csv", "cp1252") as rows:
        [chunk] = rows.chunks("text")
    assert chunk.reasons == [None, "line 3 is not cp1252; give its right encoding"]


@pytest.mark.parametrize("encoding", ["klingon", "base64", "rot13"])
def test_an_unknown_encoding_is_refused(encoding):
    with pytest.raises(DataError, match="no encoding is called"):
        as_utf8(io.BytesIO(b"text"), "in.csv", encoding)


def test_utf_16_that_is_cut_off_is_refused(tmp_path):
    (tmp_path / "in.csv").write_bytes("text\nwell\n".encode("utf-16") + b"x")
    with (
        pytest.raises(DataError, match=r"in.csv: not utf-16 text \(truncated data\)"),
        open_input(str(tmp_path / "in.csv"), "csv") as rows,
    ):
        list(rows.chunks("text"))


def test_the_command_line_takes_an_encoding(tmp_path, score):
    source, output = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_bytes("text\nça va\n".encode("cp1252"))
    assert score(source, "--encoding", "cp1252", "--output", output)[0] == 0
    assert read_csv(output)[0]["text"] == "ça va"
    output.unlink()
    assert "no encoding is called" in fails(
        score, tmp_path, source, "--encoding", "cp-1252x", "--output", output
    )
