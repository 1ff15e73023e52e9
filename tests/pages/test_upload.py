"""Uploads: what is kept of a visitor's file, and what is refused."""

import csv
import errno
import gzip
import io
import tracemalloc
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from comment_toxicity.errors import DataError
from ui.files import upload
from ui.files.safe_csv import write_safe_csv
from ui.files.upload import save_lines, save_upload


def saved(content, name, tmp_path):
    data = content if isinstance(content, bytes) else content.encode()
    folder = tmp_path / "upload"
    folder.mkdir()
    return save_upload(io.BytesIO(data), name, folder)


def test_a_column_called_text_is_the_comment_column(tmp_path):
    source = saved("note,text\na very long note indeed,hi\n", "a.csv", tmp_path)
    assert (source.columns, source.text_column) == (["note", "text"], "text")


def test_the_name_of_the_comment_column_is_matched_ignoring_case(tmp_path):
    content = "note,Comment_Text\na very long note indeed,hi\n"
    assert saved(content, "a.csv", tmp_path).text_column == "Comment_Text"


def test_a_csv_with_semicolons_is_split_into_columns(tmp_path):
    source = saved('id;comment_text\r\n1;"hi; you"\r\n', "a.csv", tmp_path)
    assert (source.columns, source.text_column) == (["id", "comment_text"], "comment_text")


def test_a_json_line_with_very_many_values_is_not_parsed(tmp_path):
    line = '{"text": "hi", "n": [' + "{}," * 300_000 + "{}]}"
    tracemalloc.start()
    try:
        source = saved('{"text": "ho"}\n' + line + "\n", "a.jsonl", tmp_path)
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()
    assert source.path.read_text().splitlines()[1] == line


def test_without_a_known_name_the_longest_column_is_the_comment_column(tmp_path):
    source = saved("id,when,body\n1,2020,what a long comment\n2,2021,\n", "a.csv", tmp_path)
    assert source.text_column == "body"


def test_the_longest_text_column_of_a_parquet_file_is_the_comment_column(tmp_path):
    table = pd.DataFrame({"n": [1, 2], "who": ["a", "b"], "said": ["hello there", "bye now"]})
    stream = io.BytesIO()
    table.to_parquet(stream)
    assert saved(stream.getvalue(), "x.parquet", tmp_path).text_column == "said"


def test_a_gzipped_csv_is_unpacked(tmp_path):
    source = saved(gzip.compress(b"text\nhello\n"), "a.csv.gz", tmp_path)
    assert source.path.read_text() == "text\nhello\n"


def test_gzip_that_unpacks_to_too_much_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(upload, "UNPACKED_BYTES", 1_000_000)
    bomb = gzip.compress(b"text\n" + b"a" * 5_000_000)
    with pytest.raises(DataError, match=r"^bomb.csv.gz: larger than 1 MB when unpacked"):
        saved(bomb, "bomb.csv.gz", tmp_path)
    assert not (tmp_path / "upload").exists()


@pytest.mark.parametrize("encoding", ["RLE_DICTIONARY", "DELTA_BYTE_ARRAY"])
@pytest.mark.parametrize("nested", [False, True])
def test_parquet_that_unpacks_to_too_much_is_refused(tmp_path, monkeypatch, nested, encoding):
    """Parquet stores a repeated text once: gigabytes fit into a kilobyte."""
    monkeypatch.setattr(upload, "UNPACKED_BYTES", 10_000_000)
    text = "a" * 100_000
    cell = [{"said": [text]}] if nested else text
    stream = io.BytesIO()
    table = pa.table({"text": ["hi"] * 101, "said": [cell] * 101})
    path = "said.list.element.said.list.element" if nested else "said"
    how = {} if encoding == "RLE_DICTIONARY" else {"column_encoding": {path: encoding}}
    pq.write_table(table, stream, use_dictionary=not how, **how)
    assert encoding in str(pq.ParquetFile(stream).metadata.row_group(0).to_dict())
    assert len(stream.getvalue()) < 100_000
    with pytest.raises(DataError, match=r"^bomb.parquet: larger than 10 MB when unpacked"):
        saved(stream.getvalue(), "bomb.parquet", tmp_path)


def test_repeated_numbers_in_parquet_count_towards_the_unpacked_size(tmp_path, monkeypatch):
    monkeypatch.setattr(upload, "UNPACKED_BYTES", 1_000_000)
    stream = io.BytesIO()
    pq.write_table(pa.table({"text": ["hi"], "n": [[7] * 200_000]}), stream)
    with pytest.raises(DataError, match="larger than 1 MB when unpacked"):
        saved(stream.getvalue(), "numbers.parquet", tmp_path)


def test_parquet_of_every_type_and_encoding_is_accepted(tmp_path):
    columns = {
        "map": pa.array([[("k", "v")], None], pa.map_(pa.string(), pa.string())),
        "struct": pa.array([{"t": "1"}, None]),
        "few": pa.array(["x", "y"]).dictionary_encode(),
        "bytes": pa.array([b"abc", None], pa.binary(3)),
        "view": pa.array(["p", "q"], pa.string_view()),
        "none": pa.nulls(2),
        "said": ["hello there", "hello"],
    }
    stream = io.BytesIO()
    encoding = {"said": "DELTA_BYTE_ARRAY"}
    kept_once = [name for name in columns if name != "said"]
    pq.write_table(pa.table(columns), stream, use_dictionary=kept_once, column_encoding=encoding)
    assert saved(stream.getvalue(), "all.parquet", tmp_path).text_column == "said"


def test_parquet_with_damaged_pages_is_reported(tmp_path):
    stream = io.BytesIO()
    pq.write_table(pa.table({"said": [f"comment {n}" for n in range(1000)]}), stream)
    content = bytearray(stream.getvalue())
    content[20:2000] = b"\xff" * 1980
    with pytest.raises(DataError, match=r"^a.parquet: the Parquet data is damaged"):
        saved(bytes(content), "a.parquet", tmp_path)


def test_one_text_that_is_not_utf8_does_not_spoil_a_parquet_file(tmp_path):
    offsets, texts = pa.array([0, 2, 4], pa.int32()).buffers()[1], pa.py_buffer(b"ok\xff\xfe")
    stream = io.BytesIO()
    pq.write_table(
        pa.table({"said": pa.Array.from_buffers(pa.string(), 2, [None, offsets, texts])}), stream
    )
    source = saved(stream.getvalue(), "a.parquet", tmp_path)
    assert source.text_column == "said"
    write_safe_csv(source.path, tmp_path / "a.csv", lambda: None)
    assert (tmp_path / "a.csv").read_text("utf-8-sig") == "said\nok\n\ufffd\ufffd\n"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("wide.csv", ",".join(f"c{n}" for n in range(501)) + "\na\n"),
        ("wide.jsonl", "".join(f'{{"text": "a", "c{n}": 1}}\n' for n in range(501))),
    ],
)
def test_a_file_with_too_many_columns_is_refused(tmp_path, name, content):
    """Each row has a cell of each: short lines would fill the memory."""
    with pytest.raises(DataError, match=rf"^{name}: has more than 500 columns"):
        saved(content, name, tmp_path)


def test_a_file_is_kept_as_it_is(tmp_path):
    lines = '{"text": "hi", "n": 1, "x": NaN}\nnot json\n{"text": {"a": 1}, "n": "two"}\n'
    source = saved(lines, "a.jsonl", tmp_path)
    assert (source.path.read_text(), source.columns) == (lines, ["text", "n", "x"])


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ("sep=;\nid;comment_text\n1;hi, you\n", "a.csv"),
        ("Comments of the week\nid,comment_text\n1,hi\n", "a.csv"),
        ("id\tcomment_text\n1\thi\n", "a.tsv"),
        ("id\tcomment_text\n1\thi\n", "a.txt"),
        ("id,comment_text,,,\n1,hi,,,\n", "a.csv"),
        ("id,comment_text\n1,hi\n".encode("utf-16"), "a.csv"),
        ('[{"id": 1, "comment_text": "hi"}]', "a.json"),
        (gzip.compress(b'[{"id": 1, "comment_text": "hi"}]'), "a.json.gz"),
        ('{"id": 1, "comment_text": "hi"}\n'.encode("utf-16"), "a.jsonl"),
    ],
)
def test_files_as_other_programs_write_them_are_read(tmp_path, content, name):
    source = saved(content, name, tmp_path)
    assert (source.columns, source.text_column) == (["id", "comment_text"], "comment_text")


@pytest.mark.parametrize(
    ("content", "name", "sentence"),
    [
        ("", "empty.csv", "empty.csv: is empty"),
        ("hello", "text.doc", "text.doc: unknown ending"),
        ("PK", "sheet.xlsx", "sheet.xlsx: a spreadsheet, which is not read"),
        ("Well, that is nice.\nOh no.\n", "a.csv", "a.csv: line 1 looks like a row"),
        ("who\nwell, yes\noh, no\n", "a.csv", "a.csv: line 1 has fewer cells"),
        ('[{"text": "hi"', "a.json", "a.json: line 1: an object that does not end"),
        ("not a table", "a.parquet", "a.parquet: not a whole Parquet file"),
        (b"\x1f\x8bbroken", "a.csv.gz", "a.csv.gz: the gzip data is damaged"),
    ],
)
def test_an_error_names_the_file_as_the_visitor_does(content, name, sentence, tmp_path):
    with pytest.raises(DataError) as failure:
        saved(content, name, tmp_path)
    assert str(failure.value).startswith(sentence)
    assert str(tmp_path) not in str(failure.value)


def test_an_upload_name_cannot_lead_out_of_the_folder(tmp_path):
    source = saved("text\nhi\n", "../../etc/pass wd;.csv", tmp_path)
    assert source.path.parent == tmp_path / "upload"
    assert source.path.name == "pass_wd_.csv"


def test_pasted_lines_are_comments_whatever_is_in_them(tmp_path):
    source = save_lines('one, "two"\n\n  \n=1+1\n', tmp_path)
    with source.path.open(newline="", encoding="utf-8") as file:
        assert list(csv.reader(file)) == [["comment_text"], ['one, "two"'], ["=1+1"]]
    with pytest.raises(DataError, match="Nothing pasted yet"):
        save_lines(" \n", tmp_path)


def test_empty_lines_are_rows_and_bounded_with_them(tmp_path, monkeypatch):
    monkeypatch.setattr(upload, "MOST_ROWS", 5000)
    content = gzip.compress(b'{"text": "hi"}\n' + b"\n" * 100_000)
    with pytest.raises(DataError, match="has more than 5,000 rows"):
        saved(content, "a.jsonl.gz", tmp_path)


@pytest.mark.parametrize(
    "save",
    [lambda f: save_lines("one", f), lambda f: save_upload(io.BytesIO(b"a\nb\n"), "a.csv", f)],
)
def test_a_full_disk_is_a_sentence(tmp_path, monkeypatch, save):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(DataError, match=r"cannot store the file \(No space left"):
        save(tmp_path / "mine")
