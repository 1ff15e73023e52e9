import contextlib
import csv
import errno
import gzip
import itertools
import json
import math
import os
import pathlib
import resource
import signal
import subprocess
import sys
import threading
import time
import tracemalloc

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from comment_toxicity.__main__ import main
from comment_toxicity.files import csv_rows, read
from comment_toxicity.files.score import score_file, slices
from tests.running import ROOT

SCORES = [
    f"{label}_score"
    for label in ("toxic", "severe_toxic", "obscene", "threat", "insult", "identity_hate")
]
TEXTS = ["you idiot", 'thanks, "kind" people\r\n', "", " padded ", "😀 ünï"]


@pytest.fixture
def score(exported, capsys):
    """Run the command line with the tiny model; gives its exit code and what it said on stderr."""

    def run(*arguments):
        code = main(["score", *map(str, arguments), "--model", str(exported)])
        return code, capsys.readouterr().err

    return run


def write_csv(path, rows):
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows(rows)
    return path


def read_csv(path):
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


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
def test_a_cell_with_a_line_end_of_whatever_kind_stays_one_cell(tmp_path, score, cell):
    source = write_csv(tmp_path / "in.csv", [["n", "text"]])
    with source.open("a", newline="") as stream:
        csv.writer(stream).writerow([cell, "you"])
    score(source, "--output", tmp_path / "out.csv")
    assert [row["n"] for row in read_csv(tmp_path / "out.csv")] == [cell]


def test_json_lines_are_json_though_parquet_knows_numbers_that_are_none(tmp_path, score):
    table = pyarrow.table({"text": ["you"], "n": [math.nan], "more": [[math.inf]]})
    pyarrow.parquet.write_table(table, tmp_path / "in.parquet")
    score(tmp_path / "in.parquet", "--output", tmp_path / "out.jsonl")
    row = json.loads((tmp_path / "out.jsonl").read_text(), parse_constant=pytest.fail)
    assert (row["n"], row["more"]) == (None, [None])


def test_there_is_no_reason_column_when_no_row_needs_one(tmp_path, score):
    source = write_csv(tmp_path / "in.csv", [["comment_text"], ["you"]])
    score(source, "--output", tmp_path / "out.csv")
    assert list(read_csv(tmp_path / "out.csv")[0]) == ["comment_text", *SCORES, "flags"]


def test_unreadable_csv_rows_keep_their_place_and_say_why(tmp_path, score):
    source = tmp_path / "in.csv"
    source.write_bytes(
        b'\xef\xbb\xbfcomment_text,n\nyou,1\n\nidi\xffot,2\ngo\ngo,away,3\n"a\nb\0",4\n'
    )
    code, said = score(source, "--output", tmp_path / "out.csv")
    assert code == 0
    assert said.startswith("5 rows, 3 of them without scores")
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
def test_semicolons_or_tabs_part_cells_where_commas_do_not(
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


def test_a_line_keeps_its_number_whatever_lies_before_the_header(tmp_path, score):
    source = tmp_path / "in.csv"
    source.write_text('\n\n"a\nb";text\n1;you\n1;2;3\n')
    score(source, "--output", tmp_path / "out.csv")
    assert read_csv(tmp_path / "out.csv")[1]["reason"] == "line 6 has 3 cells, not 2"


@pytest.mark.parametrize("name", ["Comment_Text", "TEXT"])
def test_the_comments_column_is_found_in_whatever_case(tmp_path, score, name):
    source = write_csv(tmp_path / "in.csv", [["id", name], ["1", "you"]])
    assert score(source, "--output", tmp_path / "out.csv")[0] == 0
    assert read_csv(tmp_path / "out.csv")[0][name] == "you"


def test_a_column_of_the_very_name_comes_first(tmp_path):
    source = write_csv(tmp_path / "in.csv", [["Comment_Text", "text"], ["1", "you"]])
    with read.open_input(str(source), "csv") as rows:
        assert read.choose_text_column(rows, str(source), None) == "text"


def test_json_lines_may_name_their_comments_later_than_in_the_first(tmp_path, score):
    source = tmp_path / "in.jsonl"
    source.write_text('{"id": 1}\n{"id": 2, "text": "you"}\n')
    assert score(source, "--output", tmp_path / "out.csv")[0] == 0
    assert [row["reason"] for row in read_csv(tmp_path / "out.csv")] == ["blank", ""]


def test_json_lines_keep_their_values_and_unreadable_ones_their_place(tmp_path, score, tiny):
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


def test_a_parquet_text_that_is_not_utf8_does_not_spoil_the_others(tmp_path, score):
    raw = pyarrow.array([b"you", b"\xff", b"go"], pyarrow.binary())
    table = pyarrow.table({"text": raw.view(pyarrow.string())})
    pyarrow.parquet.write_table(table, tmp_path / "in.parquet")
    assert score(tmp_path / "in.parquet", "--output", tmp_path / "out.csv")[0] == 0
    assert [row["reason"] for row in read_csv(tmp_path / "out.csv")] == ["", "not UTF-8", ""]


@pytest.mark.parametrize("rows", [0, 3])
@pytest.mark.parametrize("inside", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("outside", ["csv", "jsonl", "parquet", "csv.gz"])
def test_every_format_becomes_every_other(tmp_path, score, rows, inside, outside):
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


def test_rows_go_from_standard_input_to_standard_output(exported):
    command = [sys.executable, "-m", "comment_toxicity", "score", "-", "--output", "-"]
    answer = subprocess.run(
        [*command, "--format", "jsonl", "--model", str(exported)],
        input=b'{"text": "you"}\n',
        capture_output=True,
        check=True,
        cwd=ROOT,
    )
    assert list(json.loads(answer.stdout)) == ["text", *SCORES, "flags"]


class Killed(BaseException):
    """Stands for a signal at an unlucky moment."""


def killed(*_):
    raise Killed


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_an_interrupted_run_leaves_no_output_and_goes_on_to_the_same_one(
    tmp_path, tiny, monkeypatch, ending
):
    monkeypatch.setattr(read, "CHUNK_ROWS", 2)
    source = write_csv(tmp_path / "in.csv", [["text"], *[[f"you {n}"] for n in range(9)], [""]])
    whole, output = tmp_path / f"whole.{ending}", tmp_path / f"out.{ending}"
    score_file(tiny, str(source), str(whole))

    scored = []
    original = type(tiny).score

    def stop_at_third(self, texts):
        if len(scored) == 2:
            raise Killed
        scored.append(texts)
        return original(self, texts)

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(type(tiny), "score", stop_at_third)
        score_file(tiny, str(source), str(output))
    assert not output.exists()
    with pytest.raises(read.DataError, match="--resume"):
        score_file(tiny, str(source), str(output))

    seen = []
    with monkeypatch.context() as patch:
        patch.setattr(type(tiny), "score", lambda self, t: seen.extend(t) or original(self, t))
        summary = score_file(tiny, str(source), str(output), resume=True)
    assert seen[0] == "you 4"  # two chunks of two rows were done
    assert (summary.rows, summary.unscored) == (10, 1)
    assert output.read_bytes() == whole.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        ["in.csv", whole.name, output.name]
    )


@pytest.mark.parametrize("changed", ["input", "text column", "model"])
def test_a_run_is_not_gone_on_with_after_a_change(tmp_path, tiny, tiny_base, monkeypatch, changed):
    from comment_toxicity import load_classifier

    source = write_csv(tmp_path / "in.csv", [["text", "other"], ["you", "go"]])
    part = tmp_path / "out.csv.part"
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr("comment_toxicity.files.score._join", killed)
        score_file(tiny, str(source), str(tmp_path / "out.csv"))
    assert part.is_dir()
    if changed == "input":
        write_csv(source, [["text", "other"], ["you", "stay"]])
    model = load_classifier(tiny_base) if changed == "model" else tiny
    column = "other" if changed == "text column" else None
    with pytest.raises(read.DataError, match=f"another {changed}"):
        score_file(model, str(source), str(tmp_path / "out.csv"), column, resume=True)


@pytest.mark.parametrize("resume", [False, True])
def test_a_run_keeps_others_from_its_output_until_it_is_done(tmp_path, tiny, monkeypatch, resume):
    monkeypatch.setattr(read, "CHUNK_ROWS", 2)
    source = write_csv(tmp_path / "in.csv", [["text"], *[["you"]] * 5])
    output, seen = tmp_path / "out.csv", []

    def meanwhile(rows):
        with pytest.raises(read.DataError, match="another process is at work on this output"):
            score_file(tiny, str(source), str(output), resume=resume)
        seen.append(rows)

    score_file(tiny, str(source), str(output), on_rows=meanwhile)
    assert seen == [2, 4, 5]
    assert len(read_csv(output)) == 5
    assert sorted(tmp_path.iterdir()) == [source, output]


def test_long_texts_are_scored_in_shorter_slices_so_that_a_watcher_can_cancel():
    """A megabyte takes some ten seconds, so fifty long texts at a time would be minutes."""
    texts = ["word " * 10_000, None, "short", "word " * 10_000, *["short"] * 60]
    assert [len(few) for few in slices(texts)] == [1, 3, 50, 10]
    assert [text for few in slices(texts) for text in few] == texts


def test_a_watched_file_gets_the_same_scores(tmp_path, tiny):
    source = write_csv(tmp_path / "in.csv", [["text"], *[[f"you {n}"] for n in range(120)]])
    watched, seen = tmp_path / "watched.csv", []
    score_file(tiny, str(source), str(tmp_path / "out.csv"))
    score_file(tiny, str(source), str(watched), on_rows=seen.append)
    assert seen == [50, 100, 120]
    assert watched.read_bytes() == (tmp_path / "out.csv").read_bytes()


@pytest.mark.parametrize("resume", [False, True])
def test_a_run_that_came_to_nothing_but_its_folder_keeps_none_from_its_output(
    tmp_path, tiny, resume
):
    source = write_csv(tmp_path / "in.csv", [["text"], ["you"]])
    (tmp_path / "out.csv.part").mkdir()
    score_file(tiny, str(source), str(tmp_path / "out.csv"), resume=resume)
    assert sorted(tmp_path.iterdir()) == [source, tmp_path / "out.csv"]


def test_chunks_of_which_one_is_missing_are_not_joined(tmp_path, tiny, monkeypatch):
    monkeypatch.setattr(read, "CHUNK_ROWS", 2)
    source = write_csv(tmp_path / "in.csv", [["text"], *[["you"]] * 7])
    output, part = tmp_path / "out.csv", tmp_path / "out.csv.part"
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr("comment_toxicity.files.score._join", killed)
        score_file(tiny, str(source), str(output))
    (part / "00000001.jsonl").unlink()
    with pytest.raises(read.DataError, match="holds 5 rows, not the 7 of the input"):
        score_file(tiny, str(source), str(output), resume=True)
    assert not output.exists()


@pytest.mark.parametrize(
    ("number", "before"),
    [
        (signal.SIGTERM, signal.SIG_DFL),
        (signal.SIGHUP, signal.SIG_DFL),
        (signal.SIGHUP, signal.SIG_IGN),
    ],
)
def test_a_run_that_is_told_to_end_leaves_no_temporary_files(tmp_path, exported, number, before):
    """With SIGHUP ignored, as by nohup, it goes on."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    command = [sys.executable, "-m", "comment_toxicity", "score", "-", "--output", "-"]
    with subprocess.Popen(
        [*command, "--model", str(exported)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"TMPDIR": str(folder)},
        cwd=ROOT,
        preexec_fn=lambda: signal.signal(number, before),
    ) as process:
        process.stdin.write(b"text\n" + b"you\n" * 3000)
        process.stdin.flush()
        while not list(folder.glob("*/0*")):
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(number)
        said, _ = process.communicate()
    goes_on = before == signal.SIG_IGN
    assert process.returncode == (0 if goes_on else 128 + number)
    assert bool(said) == goes_on
    assert not list(folder.iterdir())


def fails(score, tmp_path, source, *arguments):
    """Check that scoring ends in one sentence and leaves nothing; give the sentence."""
    before = sorted(tmp_path.iterdir())
    code, said = score(source, *arguments)
    assert code == 2
    assert said.startswith("error: ")
    assert said.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before
    return said


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "jsonl", "parquet"])
def test_a_missing_or_empty_file_ends_in_one_sentence(tmp_path, score, ending):
    source, output = tmp_path / f"in.{ending}", tmp_path / "out.csv"
    assert "no such file" in fails(score, tmp_path, source, "--output", output)
    source.write_bytes(b"")
    assert f"{source}: " in fails(score, tmp_path, source, "--output", output)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("a,b\n1,2\n", "no column comment_text or text (found a, b)"),
        ("text,toxic_score\nyou,1\n", "has a column 'toxic_score' already"),
        ("text,flags\nyou,1\n", "has a column 'flags' already"),
        ("text,text\nyou,1\n", "more than one column is called 'text'"),
    ],
)
def test_columns_that_cannot_do_end_in_one_sentence(tmp_path, score, content, said):
    source = tmp_path / "in.csv"
    source.write_text(content)
    assert said in fails(score, tmp_path, source, "--output", tmp_path / "out.csv")


def test_a_named_column_that_is_not_there_lists_those_that_are(tmp_path, score):
    source = write_csv(tmp_path / "in.csv", [["text", "n"], ["you", "1"]])
    said = fails(score, tmp_path, source, "--text-column", "body", "--output", tmp_path / "o.csv")
    assert "no column body (found text, n)" in said


def test_files_that_are_not_what_they_are_called_end_in_one_sentence(tmp_path, score):
    output = tmp_path / "out.csv"
    for name in ("in.parquet", "in.csv.gz", "in.jsonl"):
        (tmp_path / name).write_bytes(b"text\nyou\n")
        assert name in fails(score, tmp_path, tmp_path / name, "--output", output)
    (tmp_path / "half.csv.gz").write_bytes(
        gzip.compress(b"text\n" + os.urandom(9000).hex().encode())[:5000]
    )
    assert "half.csv.gz" in fails(score, tmp_path, tmp_path / "half.csv.gz", "--output", output)
    assert "unknown ending" in fails(score, tmp_path, tmp_path / "in.xlsx", "--output", output)


@pytest.fixture
def short_cells(monkeypatch):
    """Set a limit of 1,000 characters a cell, which csv keeps for the whole process."""
    for module in (read, csv_rows):
        monkeypatch.setattr(module, "LONGEST_CELL", 1000)
    before = csv.field_size_limit()
    yield
    csv.field_size_limit(before)


@pytest.mark.usefixtures("short_cells")
def test_a_quotation_mark_left_open_does_not_fill_the_memory(tmp_path, score):
    source = tmp_path / "in.csv"
    source.write_text('text\nyou\n"open ' + "you\n" * 1000)
    said = fails(score, tmp_path, source, "--output", tmp_path / "out.csv")
    assert "quotation mark" in said


@pytest.mark.parametrize(
    ("content", "line", "what"),
    [
        ('n,text\n1,you\n2,"go\n3,you\n', 3, "does not end"),
        ('n,text\n1,"a\nb","c\n', 3, "does not end"),
        ('n,text\n1,you\n2,"', 3, "does not end"),
        ('n,"text\n1,you\n', 1, "does not end"),
        ('n,text\n1,"you\n2,go\n3,"you, too"\n', 2, "ends in line 4, amid a cell"),
        ('n,text\n1,"you\n2,"""Go"" he said"\n', 2, "ends in line 3, amid a cell"),
    ],
)
def test_a_quotation_mark_left_open_swallows_no_rows(tmp_path, score, content, line, what):
    source = tmp_path / "in.csv"
    source.write_text(content)
    said = fails(score, tmp_path, source, "--output", tmp_path / "out.csv")
    assert f"{source}: line {line}: a quotation mark opens a cell that {what}; close it" in said


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
@pytest.mark.parametrize(
    "cell", ['"a\n""b""\n\nc"', '"a"b', 'a"b', '"a\n"""', '"\n" ', '""', '"a\r\n,"']
)
def test_every_other_quotation_mark_is_read_as_csv_reads_it(tmp_path, cell, end):
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
def test_a_row_of_cells_without_end_does_not_fill_the_memory(tmp_path, score, head, row):
    source = tmp_path / "in.csv"
    source.write_text(head + (row.replace(",", ";") if ";" in head else row))
    said = fails(score, tmp_path, source, "--output", tmp_path / "out.csv")
    assert "the row has more than 100,000 cells" in said


def test_commas_in_a_quoted_comment_are_no_cells(tmp_path):
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


@pytest.mark.parametrize(
    ("ending", "head"), [("csv", "text,id\nyou,1\n"), ("jsonl", '{"text": "you"}\n')]
)
def test_a_run_over_empty_lines_can_be_ended(tmp_path, ending, head):
    source = tmp_path / f"in.{ending}"
    source.write_text(head + "\n" * 250_000 + head.splitlines()[-1])
    with read.open_input(str(source), "csv") as rows:
        assert [chunk.texts for chunk in rows.chunks("text")] == [["you"], [], ["you"]]


def test_the_column_of_texts_is_what_the_first_object_calls_it(tmp_path):
    source = tmp_path / "in.jsonl"
    source.write_text('{"text": "you"}\n{"text": "go", "comment_text": "x"}\n')
    with read.open_input(str(source), "csv") as rows:
        assert read.choose_text_column(rows, str(source), None) == "text"
        assert read.choose_text_column(rows, str(source), "comment_text") == "comment_text"


def test_a_line_of_json_with_values_without_end_keeps_its_place_and_is_not_parsed(tmp_path):
    source = tmp_path / "in.jsonl"
    source.write_text('{"text": "you"}\n{"text": "go", "n": [' + "{}," * 200_000 + "{}]}\n")
    with read.open_input(str(source), "csv") as rows:
        [chunk] = rows.chunks("text")
    assert chunk.reasons == [None, "line 2: more than 200,000 commas and brackets"]


@pytest.mark.usefixtures("short_cells")
@pytest.mark.parametrize("ending", ["csv.gz", "jsonl.gz"])
def test_a_line_without_end_does_not_fill_the_memory(tmp_path, score, ending):
    source = tmp_path / f"in.{ending}"
    source.write_bytes(gzip.compress(b"text" * 1_000_000))
    said = fails(score, tmp_path, source, "--output", tmp_path / "out.csv")
    assert "line 1 is longer than 1,000 characters" in said


@pytest.mark.parametrize(("ending", "line"), [("csv", "you\n"), ("jsonl", '{"text": "you"}\n')])
def test_a_file_without_end_is_read_chunk_by_chunk(tmp_path, ending, line):
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


def test_a_parquet_file_of_one_row_group_does_not_lie_in_memory(tmp_path):
    texts = [os.urandom(1000).hex() for _ in range(10_000)]  # 20 MB
    source = tmp_path / "in.parquet"
    pyarrow.parquet.write_table(pyarrow.table({"text": texts}), source, row_group_size=10_000)
    before = pyarrow.total_allocated_bytes()
    with read.open_input(str(source), "csv") as rows:
        taken = [pyarrow.total_allocated_bytes() - before for _ in rows.chunks("text")]
    assert len(taken) == 10
    assert max(taken) < 10_000_000


def test_a_parquet_file_with_two_columns_of_a_name_is_refused(tmp_path, score):
    table = pyarrow.table([pyarrow.array(["you"])] * 2, names=["text", "text"])
    pyarrow.parquet.write_table(table, tmp_path / "in.parquet")
    said = fails(score, tmp_path, tmp_path / "in.parquet", "--output", tmp_path / "out.csv")
    assert "more than one column is called 'text'" in said


def test_a_path_through_a_file_ends_in_one_sentence(tmp_path, score):
    source = write_csv(tmp_path / "in.csv", [["text"], ["you"]])
    said = fails(score, tmp_path, source / "in.csv", "--output", tmp_path / "out.csv")
    assert "cannot be read (Not a directory)" in said


def test_a_folder_as_output_is_refused_before_the_work(tmp_path, score):
    source = write_csv(tmp_path / "in.csv", [["text"], ["you"]])
    (tmp_path / "out.csv").mkdir()
    assert "is a folder" in fails(score, tmp_path, source, "--output", tmp_path / "out.csv")


def test_a_disk_that_is_full_from_the_start_leaves_no_folder(tmp_path, tiny, monkeypatch):
    source = write_csv(tmp_path / "in.csv", [["text"], ["you"]])

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(read.DataError, match="No space left"):
        patch.setattr(pathlib.Path, "write_text", full)
        score_file(tiny, str(source), str(tmp_path / "out.csv"))
    assert list(tmp_path.iterdir()) == [source]


@pytest.mark.skipif(not pathlib.Path("/dev/full").exists(), reason="/dev/full is Linux's")
def test_a_full_standard_output_is_said_to_be_that(tmp_path, exported):
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


def test_the_input_is_not_overwritten(tmp_path, score):
    source = write_csv(tmp_path / "in.csv", [["text"], ["you"]])
    assert "is the input too" in fails(score, tmp_path, source, "--output", source)


def test_an_unknown_model_ends_in_one_sentence(tmp_path, capsys):
    source = write_csv(tmp_path / "in.csv", [["text"], ["you"]])
    code = main(["score", str(source), "--output", str(tmp_path / "o.csv"), "--model", "nobody"])
    assert code == 2
    assert capsys.readouterr().err.startswith("error: No model 'nobody'. There are: ")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ('{"text": "you", "n": 1}\n', '{"text": "go", "n": "one"}\n'),
        ('{"text": "you", "n": {}}\n', ""),  # an object without a field
        ('{"text": "you", "n": 9007199254740993}\n', '{"text": "go", "n": 0.5}\n'),
    ],
)
@pytest.mark.parametrize("rows", [1, 1000])
def test_a_column_that_parquet_cannot_hold_can_be_written_as_text_only(
    tmp_path, score, monkeypatch, rows, first, second
):
    monkeypatch.setattr(read, "CHUNK_ROWS", rows)
    source = tmp_path / "in.jsonl"
    source.write_text(first + second)
    assert "write JSON lines or CSV" in fails(
        score, tmp_path, source, "--output", tmp_path / "out.parquet"
    )
    assert score(source, "--output", tmp_path / "out.csv")[0] == 0


def test_a_full_disk_ends_in_one_sentence_and_keeps_what_was_done(tmp_path, exported):
    source = write_csv(tmp_path / "in.csv", [["text"], *[["you idiot " * 20]] * 3000])

    def limit():  # like a full disk after the chunks, for this process alone
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (700_000, 700_000))

    command = [sys.executable, "-m", "comment_toxicity", "score", str(source), "--output"]
    command += [str(tmp_path / "out.csv"), "--model", str(exported)]
    answer = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, preexec_fn=limit)
    assert answer.returncode == 2
    assert answer.stderr.count("error: ") == 1
    assert "writing failed (File too large)" in answer.stderr
    assert "--resume" in answer.stderr
    assert not (tmp_path / "out.csv").exists()
    subprocess.run([*command, "--resume"], capture_output=True, check=True, cwd=ROOT)
    assert len(read_csv(tmp_path / "out.csv")) == 3000


def test_the_help_tells_the_default_of_every_option(capsys):
    with pytest.raises(SystemExit):
        main(["score", "--help"])
    said = capsys.readouterr().out
    options = said[said.index("options:") :].split("\n  --")[1:]
    assert len(options) == 5
    for option in options:
        assert "default" in option or "Required" in option
