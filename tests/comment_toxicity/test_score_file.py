"""A file is scored completely or not at all: interruptions, locks, streams, full disks."""

import errno
import io
import json
import os
import pathlib
import resource
import signal
import subprocess
import sys
import time

import numpy as np
import pandas
import pyarrow
import pyarrow.parquet
import pytest

from comment_toxicity.__main__ import main
from comment_toxicity.files import read, score
from comment_toxicity.files.score import score_file, slices
from tests.comment_toxicity.tables import SCORES, fails, read_csv, write_csv
from tests.running import ROOT


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
def test_an_interrupted_command_leaves_no_output_and_resumes_to_the_same_result(
    tmp_path, tiny, monkeypatch, ending
):
    monkeypatch.setattr(read, "CHUNK_ROWS", 2)
    source = write_csv(tmp_path / "in.csv", [["text"], *[[f"you {n}"] for n in range(9)], [""]])
    whole, output = tmp_path / f"whole.{ending}", tmp_path / f"out.{ending}"
    score_file(tiny, str(source), str(whole))

    scored = []
    original = type(tiny).score

    def stop_at_third(self, texts, languages=None):
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
        patch.setattr(type(tiny), "score", lambda self, t, _: seen.extend(t) or original(self, t))
        summary = score_file(tiny, str(source), str(output), resume=True)
    assert seen[0] == "you 4"  # two chunks of two rows were done
    assert (summary.rows, summary.unscored) == (10, 1)
    assert output.read_bytes() == whole.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        ["in.csv", whole.name, output.name]
    )


@pytest.mark.parametrize("changed", ["input", "text column", "model"])
def test_a_command_is_not_resumed_after_a_change(tmp_path, tiny, tiny_base, monkeypatch, changed):
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
def test_two_commands_cannot_write_the_same_output(tmp_path, tiny, monkeypatch, resume):
    monkeypatch.setattr(read, "CHUNK_ROWS", 2)
    source = write_csv(tmp_path / "in.csv", [["text"], *[["you"]] * 5])
    output, seen = tmp_path / "out.csv", []

    def meanwhile(rows):
        with pytest.raises(read.DataError, match="another process is working on this output"):
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


def test_on_rows_does_not_change_the_scores(tmp_path, tiny):
    source = write_csv(tmp_path / "in.csv", [["text"], *[[f"you {n}"] for n in range(120)]])
    watched, seen = tmp_path / "watched.csv", []
    score_file(tiny, str(source), str(tmp_path / "out.csv"))
    score_file(tiny, str(source), str(watched), on_rows=seen.append)
    assert seen == [50, 100, 120]
    assert watched.read_bytes() == (tmp_path / "out.csv").read_bytes()


@pytest.mark.parametrize("resume", [False, True])
def test_an_empty_folder_of_an_earlier_command_does_not_block_its_output(tmp_path, tiny, resume):
    source = write_csv(tmp_path / "in.csv", [["text"], ["you"]])
    (tmp_path / "out.csv.part").mkdir()
    score_file(tiny, str(source), str(tmp_path / "out.csv"), resume=resume)
    assert sorted(tmp_path.iterdir()) == [source, tmp_path / "out.csv"]


@pytest.mark.parametrize(("inside", "ending"), [("csv", "jsonl"), ("parquet", "parquet")])
def test_a_lost_chunk_is_scored_again_and_a_damaged_one_is_reported(
    tmp_path, tiny, monkeypatch, inside, ending
):
    monkeypatch.setattr(read, "CHUNK_ROWS", 2)
    source, output = tmp_path / f"in.{inside}", tmp_path / f"out.{inside}"
    texts = [f"you {n}" for n in range(7)]
    if inside == "csv":
        write_csv(source, [["text"], *[[text] for text in texts]])
    else:
        pyarrow.parquet.write_table(pyarrow.table({"text": texts}), source)
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr("comment_toxicity.files.score._join", killed)
        score_file(tiny, str(source), str(output))
    part = tmp_path / f"out.{inside}.part"
    (part / f"00000001.{ending}").unlink()
    damaged = part / f"00000002.{ending}"
    damaged.write_bytes(damaged.read_bytes()[:-9])
    with pytest.raises(read.DataError, match=f"00000002.{ending}: is damaged; delete this file"):
        score_file(tiny, str(source), str(output), resume=True)
    assert not output.exists()
    damaged.unlink()
    assert score_file(tiny, str(source), str(output), resume=True).rows == 7


@pytest.mark.parametrize(
    ("number", "before"),
    [
        (signal.SIGTERM, signal.SIG_DFL),
        (signal.SIGHUP, signal.SIG_DFL),
        (signal.SIGHUP, signal.SIG_IGN),
    ],
)
def test_a_terminated_command_leaves_no_temporary_files(tmp_path, exported, number, before):
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
        message, _ = process.communicate()
    goes_on = before == signal.SIG_IGN
    assert process.returncode == (0 if goes_on else 128 + number)
    assert bool(message) == goes_on
    assert not list(folder.iterdir())


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


def test_the_input_is_not_overwritten(tmp_path, score):
    source = write_csv(tmp_path / "in.csv", [["text"], ["you"]])
    assert "is the input too" in fails(score, tmp_path, source, "--output", source)


def test_an_unknown_model_ends_in_one_clear_error(tmp_path, capsys):
    source = write_csv(tmp_path / "in.csv", [["text"], ["you"]])
    code = main(["score", str(source), "--output", str(tmp_path / "o.csv"), "--model", "nobody"])
    assert code == 2
    assert capsys.readouterr().err.startswith("error: No model 'nobody'. There are: ")


def test_a_full_disk_ends_in_one_clear_error_and_keeps_finished_chunks(tmp_path, exported):
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
    part = tmp_path / "out.csv.part"
    assert f"The rows scored so far are in {part}/; --resume continues from there." in answer.stderr
    assert not (tmp_path / "out.csv").exists()
    assert not list(part.glob("*.part"))  # which would fill the disk
    subprocess.run([*command, "--resume"], capture_output=True, check=True, cwd=ROOT)
    assert len(read_csv(tmp_path / "out.csv")) == 3000


@pytest.mark.skipif(not pathlib.Path("/dev/full").exists(), reason="/dev/full is Linux's")
def test_rows_that_standard_output_cannot_take_stay_in_a_folder_that_is_named(tmp_path, exported):
    source = write_csv(tmp_path / "in.csv", [["text"], ["you"]])
    command = [sys.executable, "-m", "comment_toxicity", "score", str(source), "--output", "-"]
    with pathlib.Path("/dev/full").open("wb") as full:
        answer = subprocess.run(
            [*command, "--model", str(exported)],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"TMPDIR": str(tmp_path)},
            cwd=ROOT,
        )
    assert answer.returncode == 2
    [folder] = tmp_path.glob("toxicity-*")
    last = answer.stderr.splitlines()[-1]
    assert last.startswith("error: standard output: writing failed (No space left")
    assert last.endswith(f"The rows scored so far are in {folder}/, as .jsonl files.")
    [row] = map(json.loads, (folder / "00000000.jsonl").read_text().splitlines())
    assert list(row) == ["text", *SCORES, "flags"]


def test_rows_from_standard_input_are_kept_when_the_result_cannot_be_written(
    tmp_path, score, monkeypatch
):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"text\nyou\n")))

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("comment_toxicity.files.write._write_tables", full)
        code, message = score("-", "--output", tmp_path / "out.parquet")
    part = tmp_path / "out.parquet.part"
    assert code == 2
    assert f"The rows scored so far are in {part}/, as .jsonl files." in message
    assert len((part / "00000000.jsonl").read_text().splitlines()) == 1
    source = write_csv(tmp_path / "in.csv", [["text"], ["you"]])
    refusal = fails(score, tmp_path, source, "--output", tmp_path / "out.parquet", "--resume")
    assert "cannot be resumed; delete it to start over, or move it" in refusal


def test_the_help_has_the_default_of_every_option(capsys):
    with pytest.raises(SystemExit):
        main(["score", "--help"])
    message = capsys.readouterr().out
    options = message[message.index("options:") :].split("\n  --")[1:]
    assert len(options) == 10
    for option in options:
        assert "default" in option or "Required" in option


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_row_of_very_many_tokens_is_scored_in_part_and_says_so(tmp_path, tiny, ending):
    long = "one two " * 30_000
    rows = [["text"], ["you"], [long], [""]]
    source, output = write_csv(tmp_path / "in.csv", rows), tmp_path / f"out.{ending}"
    summary = score_file(tiny, str(source), str(output))
    assert (summary.rows, summary.unscored) == (3, 1)
    table = pandas.read_csv(output) if ending == "csv" else pandas.read_parquet(output)
    assert table.toxic_score.notna().tolist() == [True, True, False]
    assert pandas.isna(table.reason[0])
    assert table.reason[1].startswith("only the first ")
    assert table.reason[1].endswith(" of 240,000 characters were scored")
    scores, [_, characters, _] = tiny.score_beginnings([row[0] for row in rows[1:]])
    assert f"{characters:,}" in table.reason[1]
    assert np.float32(table.toxic_score[1]) == scores[1, 0]


def test_a_watched_run_can_be_ended_within_a_long_row(tmp_path, tiny, monkeypatch):
    monkeypatch.setattr(score, "WATCHED_SECONDS", 0.0)
    source = write_csv(tmp_path / "in.csv", [["text"], ["you"], ["one two 3 " * 9_000]])

    def end(rows):
        if rows == 0:
            raise Killed

    with pytest.raises(Killed):
        score_file(tiny, str(source), str(tmp_path / "out.csv"), on_rows=end)
