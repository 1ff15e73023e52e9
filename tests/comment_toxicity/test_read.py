"""Files of comments, as they are read: their rows, columns and reasons."""

import contextlib
import gzip
import itertools
import json
import os
import threading

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from comment_toxicity.files import read
from tests.comment_toxicity.tables import SCORES, fails, read_csv, write_csv


def test_unreadable_csv_rows_keep_their_position_with_a_reason(tmp_path, score):
    source = tmp_path / "in.csv"
    source.write_bytes(
        b'\xef\xbb\xbfcomment_text,n\nyou,1\n\nidi\xffot,2\ngo\ngo,away,3\n"a\nb\0",4\n'
    )
    code, message = score(source, "--output", tmp_path / "out.csv")
    assert code == 0
    assert message.startswith("5 rows, 3 of them without scores")
    found = read_csv(tmp_path / "out.csv")
    assert [row["comment_text"] for row in found] == ["you", "idi\ufffdot", "go", "go", "a\nb\0"]
    assert [row["reason"] for row in found] == [
        "",
        "line 4 is not UTF-8; save the file as “CSV UTF-8”",
        "line 5 has 1 cells, not 2",
        "line 6 has 3 cells, not 2",
        "",
    ]
    assert [bool(row["toxic_score"]) for row in found] == [True, False, False, False, True]


@pytest.mark.parametrize("name", ["Comment_Text", "TEXT"])
def test_the_comment_column_is_found_ignoring_case(tmp_path, score, name):
    source = write_csv(tmp_path / "in.csv", [["id", name], ["1", "you"]])
    assert score(source, "--output", tmp_path / "out.csv")[0] == 0
    assert read_csv(tmp_path / "out.csv")[0][name] == "you"


def test_a_column_in_the_same_case_is_preferred(tmp_path):
    source = write_csv(tmp_path / "in.csv", [["Comment_Text", "text"], ["1", "you"]])
    with read.open_input(str(source), "csv") as rows:
        assert read.choose_text_column(rows, str(source), None) == "text"


def test_the_comment_key_may_be_missing_in_the_first_json_line(tmp_path, score):
    source = tmp_path / "in.jsonl"
    source.write_text('{"id": 1}\n{"id": 2, "text": "you"}\n')
    assert score(source, "--output", tmp_path / "out.csv")[0] == 0
    assert [row["reason"] for row in read_csv(tmp_path / "out.csv")] == ["blank", ""]


def test_json_lines_keep_their_values_and_unreadable_lines_their_position(tmp_path, score, tiny):
    source, output = tmp_path / "in.jsonl", tmp_path / "out.jsonl.gz"
    source.write_bytes(
        b'{"id": 1, "text": "you", "more": {"a": [1.5, null]}}\nnot json\n[1]\n{"text": 3}\n'
        b'{"text": "\xff"}\n{"text": null}\n{"text": "\\ud83d idiot"}\n{"id": 9}\n'
    )
    assert score(source, "--output", output)[0] == 0
    found = [json.loads(line) for line in gzip.decompress(output.read_bytes()).splitlines()]
    assert found[0]["more"] == {"a": [1.5, None]}
    assert (
        np.float32([found[0][name] for name in SCORES]).tolist() == tiny.score(["you"])[0].tolist()
    )
    assert [row.get("reason") for row in found] == [
        None,
        "line 2: not JSON",
        "line 3: not a JSON object",
        "line 4: its text is not a text",
        "line 5: not UTF-8",
        "blank",
        None,
        "blank",
    ]
    assert found[6]["text"] == "\ufffd idiot"
    assert found[1]["toxic_score"] is None


def test_a_parquet_text_that_is_not_utf8_does_not_spoil_the_others(tmp_path, score):
    raw = pyarrow.array([b"you", b"\xff", b"go"], pyarrow.binary())
    table = pyarrow.table({"text": raw.view(pyarrow.string())})
    pyarrow.parquet.write_table(table, tmp_path / "in.parquet")
    assert score(tmp_path / "in.parquet", "--output", tmp_path / "out.csv")[0] == 0
    assert [row["reason"] for row in read_csv(tmp_path / "out.csv")] == ["", "not UTF-8", ""]


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "jsonl", "parquet"])
def test_a_missing_or_empty_file_ends_in_one_clear_error(tmp_path, score, ending):
    source, output = tmp_path / f"in.{ending}", tmp_path / "out.csv"
    assert "no such file" in fails(score, tmp_path, source, "--output", output)
    source.write_bytes(b"")
    assert f"{source}: " in fails(score, tmp_path, source, "--output", output)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,b\n1,2\n", "no column comment_text or text (found a, b)"),
        ("text,text\nyou,1\n", "more than one column is called 'text'"),
        (f"text,{'n' * 2000}\nyou,1\n", "a column name has 2,000 characters ('nnn"),
    ],
)
def test_unusable_columns_end_in_one_clear_error(tmp_path, score, content, message):
    source = tmp_path / "in.csv"
    source.write_text(content)
    assert message in fails(score, tmp_path, source, "--output", tmp_path / "out.csv")


def test_the_error_for_an_unknown_column_lists_the_columns(tmp_path, score):
    source = write_csv(tmp_path / "in.csv", [["text", "n"], ["you", "1"]])
    message = fails(
        score, tmp_path, source, "--text-column", "body", "--output", tmp_path / "o.csv"
    )
    assert "no column body (found text, n)" in message


def test_a_file_that_does_not_match_its_suffix_ends_in_one_clear_error(tmp_path, score):
    output = tmp_path / "out.csv"
    for name in ("in.parquet", "in.csv.gz", "in.jsonl"):
        (tmp_path / name).write_bytes(b"text\nyou\n")
        assert name in fails(score, tmp_path, tmp_path / name, "--output", output)
    (tmp_path / "half.csv.gz").write_bytes(
        gzip.compress(b"text\n" + os.urandom(9000).hex().encode())[:5000]
    )
    assert "half.csv.gz" in fails(score, tmp_path, tmp_path / "half.csv.gz", "--output", output)
    assert "unknown ending" in fails(score, tmp_path, tmp_path / "in.docx", "--output", output)
    assert "save the sheet as" in fails(score, tmp_path, tmp_path / "in.xlsx", "--output", output)


@pytest.mark.parametrize(
    ("ending", "head"), [("csv", "text,id\nyou,1\n"), ("jsonl", '{"text": "you"}\n')]
)
def test_reading_empty_lines_can_be_interrupted(tmp_path, ending, head):
    source = tmp_path / f"in.{ending}"
    source.write_text(head + "\n" * 250_000 + head.splitlines()[-1])
    with read.open_input(str(source), "csv") as rows:
        assert [chunk.texts for chunk in rows.chunks("text")] == [["you"], [], ["you"]]


def test_the_comment_column_is_guessed_from_the_first_json_object(tmp_path):
    source = tmp_path / "in.jsonl"
    source.write_text('{"text": "you"}\n{"text": "go", "comment_text": "x"}\n')
    with read.open_input(str(source), "csv") as rows:
        assert read.choose_text_column(rows, str(source), None) == "text"
        assert read.choose_text_column(rows, str(source), "comment_text") == "comment_text"


def test_a_json_line_with_very_many_values_is_not_parsed_and_keeps_its_position(tmp_path):
    source = tmp_path / "in.jsonl"
    source.write_text('{"text": "you"}\n{"text": "go", "n": [' + "{}," * 200_000 + "{}]}\n")
    with read.open_input(str(source), "csv") as rows:
        [chunk] = rows.chunks("text")
    assert chunk.reasons == [None, "line 2: more than 200,000 commas and brackets"]


@pytest.mark.usefixtures("short_cells")
@pytest.mark.parametrize("ending", ["csv.gz", "jsonl.gz"])
def test_an_endless_line_does_not_fill_the_memory(tmp_path, score, ending):
    source = tmp_path / f"in.{ending}"
    source.write_bytes(gzip.compress(b"text" * 1_000_000))
    message = fails(score, tmp_path, source, "--output", tmp_path / "out.csv")
    assert "line 1 is longer than 1,000 characters" in message


@pytest.mark.parametrize(("ending", "line"), [("csv", "you\n"), ("jsonl", '{"text": "you"}\n')])
def test_an_endless_file_is_read_chunk_by_chunk(tmp_path, ending, line):
    source = tmp_path / f"in.{ending}"
    os.mkfifo(source)

    def write():
        with contextlib.suppress(BrokenPipeError), source.open("w") as stream:
            stream.write("text\n" if ending == "csv" else line)
            while True:
                stream.write(line * 1000)

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    with read.open_input(str(source), "csv") as rows:
        found = [len(chunk.texts) for chunk in itertools.islice(rows.chunks("text"), 3)]
    assert found == [read.CHUNK_ROWS] * 3
    writer.join(60)
    assert not writer.is_alive()


def test_a_parquet_file_with_one_row_group_is_not_loaded_whole(tmp_path):
    texts = [os.urandom(1000).hex() for _ in range(10_000)]  # 20 MB
    source = tmp_path / "in.parquet"
    pyarrow.parquet.write_table(pyarrow.table({"text": texts}), source, row_group_size=10_000)
    before = pyarrow.total_allocated_bytes()
    with read.open_input(str(source), "csv") as rows:
        taken = [pyarrow.total_allocated_bytes() - before for _ in rows.chunks("text")]
    assert len(taken) == 10
    assert max(taken) < 10_000_000


def test_a_parquet_file_with_a_duplicate_column_name_is_refused(tmp_path, score):
    table = pyarrow.table([pyarrow.array(["you"])] * 2, names=["text", "text"])
    pyarrow.parquet.write_table(table, tmp_path / "in.parquet")
    message = fails(score, tmp_path, tmp_path / "in.parquet", "--output", tmp_path / "out.csv")
    assert "more than one column is called 'text'" in message


def test_a_path_below_a_file_ends_in_one_clear_error(tmp_path, score):
    source = write_csv(tmp_path / "in.csv", [["text"], ["you"]])
    message = fails(score, tmp_path, source / "in.csv", "--output", tmp_path / "out.csv")
    assert "cannot be read (Not a directory)" in message


@pytest.mark.parametrize(
    "column",
    [
        pyarrow.array([b"you", b"", None, b"\xff.."], pyarrow.binary()),
        pyarrow.array([b"you", b"", None, b"\xff.."], pyarrow.large_binary()),
        pyarrow.array([b"you", b"\0\0\0", None, b"\xff.."], pyarrow.binary(3)),
        pyarrow.array([b"you", b"", None, b"\xff.."], pyarrow.binary_view()),
        pyarrow.array([b"you", b"", None, b"\xff.."]).dictionary_encode(),
    ],
    ids=lambda column: str(column.type),
)
def test_parquet_texts_that_are_stored_as_bytes_are_read(tmp_path, score, column):
    pyarrow.parquet.write_table(pyarrow.table({"text": column}), tmp_path / "in.parquet")
    for output in ("out.csv", "out.parquet"):
        assert score(tmp_path / "in.parquet", "--output", tmp_path / output)[0] == 0
    found = read_csv(tmp_path / "out.csv")
    assert [row["reason"] for row in found] == ["", "blank", "blank", "not UTF-8"]
    assert [row["text"] for row in found] == ["you", "", "", "\ufffd.."]
    table = pyarrow.parquet.read_table(tmp_path / "out.parquet")
    assert table["text"].to_pylist() == ["you", "", None, "\ufffd.."]


def test_only_some_formats_can_be_written(tmp_path, score):
    source = write_csv(tmp_path / "in.csv", [["text"], ["you"]])
    message = fails(score, tmp_path, source, "--output", tmp_path / "out.tsv")
    assert "unknown ending" in message
