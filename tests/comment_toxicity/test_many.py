"""Many files are scored one by one, by any number of processes, and none twice."""

import gzip
import json
import signal
import subprocess
import sys

import pyarrow
import pyarrow.parquet
import pytest

from comment_toxicity import DataError, SettingsError
from comment_toxicity.__main__ import main
from comment_toxicity.files import many
from comment_toxicity.files.folders import LocalFolder, expand
from comment_toxicity.files.many import Options, Shard, is_many, model_record, plan
from comment_toxicity.files.score import BusyError
from tests.comment_toxicity.tables import SCORES, read_csv, write_csv
from tests.running import ROOT

NAMES = ["a.csv", "b.jsonl", "deep/d.csv.gz", "deep/er/c.parquet"]


@pytest.fixture
def comments(tmp_path):
    """A folder with a file of each format, and with what is not to be scored."""
    folder = tmp_path / "comments"
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "_temporary").mkdir()
    write_csv(folder / "a.csv", [["id", "text"], *[[n, f"you fool {n}"] for n in range(30)]])
    (folder / "b.jsonl").write_text('{"text": "go away"}\n{"text": " "}\n')
    table = pyarrow.table({"text": ["thanks", None]}).replace_schema_metadata({"own": "kept"})
    pyarrow.parquet.write_table(table, folder / "deep" / "er" / "c.parquet")
    (folder / "deep" / "d.csv.gz").write_bytes(gzip.compress(b"text\nstupid\n"))
    for other in ("README.md", ".hidden.csv", "_temporary/part.csv"):
        (folder / other).write_text("text\nyou\n")
    return folder


@pytest.fixture
def output(tmp_path):
    return tmp_path / "scored"


def contents(folder):
    """The finished files: name → bytes."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.relative_to(folder).parts[0][0] != "_"
    }


def test_a_folder_becomes_a_folder_of_the_same_names(score, comments, output):
    code, message = score(comments, "--output", output)
    assert code == 0
    assert "4 files, 35 rows, 2 of them without scores, in " in message
    assert sorted(contents(output)) == NAMES
    assert list(read_csv(output / "a.csv")[0]) == ["id", "text", *SCORES, "flags"]
    assert pyarrow.parquet.read_table(output / "deep/er/c.parquet").num_rows == 2
    assert sorted(path.name for path in output.iterdir()) == [
        "_records",
        "a.csv",
        "b.jsonl",
        "deep",
    ]


def test_an_output_says_which_model_and_thresholds_made_it(score, comments, output, tiny, exported):
    score(comments, "--output", output)
    metadata = pyarrow.parquet.read_schema(output / "deep/er/c.parquet").metadata
    assert metadata[b"own"] == b"kept"
    records = [json.loads(metadata[b"comment_toxicity"])]
    records.append(json.loads((output / "_records/a.csv.json").read_text()))
    for record in records:
        assert record["model"]["weights"] == tiny.folder.weights_hash()
        assert record["model"]["decision"]["labels"]["toxic"]["threshold"] == 0.4
        assert record["model"]["name"] == exported.name
        assert str(comments) not in json.dumps(record)
    assert records[1]["output"] == {"bytes": (output / "a.csv").stat().st_size, "rows": 30}


def test_one_format_for_all_and_a_conflict_of_names(score, comments, output):
    assert score(comments, "--output", output, "--format", "parquet")[0] == 0
    names = ["a.parquet", "b.parquet", "deep/d.parquet", "deep/er/c.parquet"]
    assert sorted(contents(output)) == names
    again = score(comments, "--output", output, "--format", "parquet")
    assert "0 files (4 more were finished before)" in again[1]
    (comments / "a.tsv").write_text("text\nyou\n")
    code, message = score(comments, "--output", output)
    assert code == 2
    assert "a.csv and " in message and "a.tsv would both be a.csv in the output" in message


def test_finished_files_are_not_repeated_unless_something_changed(
    comments, output, exported, tiny_base
):
    command = ["score", str(comments), "--output", str(output), "--model"]
    main([*command, str(exported)])
    before = {name: (output / name).stat().st_mtime_ns for name in NAMES}

    def changed(*arguments, model=exported):
        assert main([*command, str(model), *arguments]) == 0
        now = {name: (output / name).stat().st_mtime_ns for name in NAMES}
        names = [name for name in NAMES if now[name] != before[name]]
        before.update(now)
        return names

    assert changed() == []
    (comments / "b.jsonl").write_text('{"text": "thanks"}\n')
    assert changed() == ["b.jsonl"]
    for name in ("deep/er/c.parquet", "a.csv"):  # as a broken disk or a hasty copy leaves it
        (output / name).write_bytes((output / name).read_bytes()[:-9])
        assert changed() == [name]
    (output / "deep/d.csv.gz").unlink()
    before["deep/d.csv.gz"] = 0
    assert changed() == ["deep/d.csv.gz"]
    assert changed("--text-column", "text") == NAMES
    assert changed("--text-column", "text", model=tiny_base) == NAMES


def test_shards_score_each_file_once_and_the_same_everywhere(score, comments, tmp_path):
    score(comments, "--output", tmp_path / "whole")
    shards = [Shard(number, 3) for number in range(3)]
    assert [shard.number for shard in shards if shard.holds("part-00007.parquet")] == [1]
    parts = [plan([str(comments)], str(tmp_path / "parts"), shard=shard) for shard in shards]
    assert sorted(job.name for part in parts for job in part) == NAMES
    for number in range(3):
        assert score(comments, "--output", tmp_path / "parts", "--shard", f"{number}/3")[0] == 0
    assert contents(tmp_path / "parts") == contents(tmp_path / "whole")


@pytest.mark.parametrize("text", ["3/3", "1", "-1/2", "1/0", "a/b", "1/2/3", "0/1\n"])
def test_a_shard_that_is_none_is_refused(text):
    with pytest.raises(SettingsError, match="with i from 0 to n - 1, such as 0/64"):
        Shard.parse(text)


def test_a_broken_file_stops_no_other_and_is_reported_at_the_end(score, comments, output):
    (comments / "a.csv").write_text("other\n1\n")
    (comments / "deep/er/c.parquet").write_bytes(b"PAR1")
    code, message = score(comments, "--output", output)
    assert code == 2
    assert sorted(contents(output)) == ["b.jsonl", "deep/d.csv.gz"]
    lines = message.splitlines()
    assert len([line for line in lines if line.startswith(str(comments))]) == 2
    assert lines[-2].startswith("2 files, 3 rows, 1 of them without scores")
    assert lines[-1].startswith("error: 2 of 4 files could not be scored, such as ")


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("*.csv", ["a.csv"]),
        ("deep/*", ["d.csv.gz"]),
        ("**/*.parquet", ["deep/er/c.parquet"]),
        ("**/*", NAMES),
        ("[ab].*", ["a.csv", "b.jsonl"]),
        ("d??p/*.gz", ["deep/d.csv.gz"]),
    ],
)
def test_a_pattern_means_the_files_that_match(comments, output, pattern, names):
    path = f"{comments}/{pattern}"
    assert is_many([path], str(output))
    if pattern == "deep/*":  # names are from the last folder without a wildcard
        assert plan([path], str(output))[0].output.address("d.csv.gz") == str(output / "d.csv.gz")
    assert [job.name for job in plan([path], str(output))] == names


def test_a_file_whose_name_looks_like_a_pattern_is_itself(comments, output):
    file = comments / "a[1].csv"
    (comments / "a.csv").rename(file)
    assert not is_many([str(file)], "out.csv")
    assert [found.name for found in expand(str(file))[1]] == ["a[1].csv"]


@pytest.mark.parametrize(
    ("inputs", "target", "message"),
    [
        (["comments"], "comments/scored", "is in the input"),
        (["comments"], "comments", "is in the input"),
        (["comments/**/*.csv"], "comments/deep", "is in the input"),
        (["comments/*.csv"], "comments", "is an input and an output"),
        (["comments"], "scored.csv", "a file, for several inputs; name a folder"),
        (["comments", "-"], "scored", "standard streams are scored alone"),
    ],
)
def test_an_output_that_would_mix_with_inputs_is_refused(
    comments, tmp_path, monkeypatch, inputs, target, message
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingsError, match=message):
        plan(inputs, target)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["comments"]


@pytest.mark.parametrize("missing", ["nowhere", "comments/*.tsv", "comments/none/**", "empty"])
def test_an_input_without_files_is_an_error(comments, tmp_path, monkeypatch, missing):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"(?i)no such file|no file"):
        plan([missing], "scored")


def test_the_column_that_was_guessed_is_told_once(score, tmp_path, output):
    folder = tmp_path / "guessed"
    folder.mkdir()
    for name in "abc":
        write_csv(folder / f"{name}.csv", [["id", "remark"], [1, "you are all good people"]])
    code, message = score(folder, "--output", output)
    assert code == 0
    assert message.count("taken from the column remark") == 1


def test_a_busy_file_is_waited_for(comments, output, tiny, monkeypatch):
    """The process that was killed elsewhere can hold its lock for a while."""
    [job] = plan([f"{comments}/a.csv"], f"{output}/")
    waited = []
    monkeypatch.setattr(many.time, "sleep", waited.append)
    original = many.score_file

    def busy(*arguments, **settings):
        if len(waited) < 2:
            raise BusyError("another process is working on this output")
        return original(*arguments, **settings)

    monkeypatch.setattr(many, "score_file", busy)
    assert many.score_job(tiny, model_record(tiny), job, Options()).rows == 30
    assert waited == [1, 1]


SCORE_AND_DIE = """
import os, signal, sys
from comment_toxicity.__main__ import main
from comment_toxicity.files import folders, read, write

read.CHUNK_ROWS = 10
name, moment, number, *command = sys.argv[1:]
owner = {"put": folders.LocalFolder, "write": write.RowOutput}[name]
original, calls = getattr(owner, name), []

def call_and_die(*arguments):
    calls.append(name)
    dies = len(calls) == int(number)
    if not dies or moment == "after":
        original(*arguments)
    if dies:
        os.kill(os.getpid(), signal.SIGKILL)

setattr(owner, name, call_and_die)
main(command)
"""


def test_a_run_that_is_killed_again_and_again_loses_and_repeats_nothing(
    score, comments, output, exported, tmp_path
):
    score(comments, "--output", tmp_path / "whole")
    command = ["score", str(comments), "--output", str(output), "--model", str(exported)]
    finished = {}
    # In the middle of a.csv; with a.csv in its place, but not its record; before b.jsonl's.
    for kill in (["write", "after", "2"], ["put", "after", "1"], ["put", "before", "3"]):
        words = [sys.executable, "-c", SCORE_AND_DIE, *kill, *command]
        answer = subprocess.run(words, cwd=ROOT, check=False)
        assert answer.returncode == -signal.SIGKILL
        for name, at in finished.items():
            assert (output / name).stat().st_mtime_ns == at, f"{name} was repeated"
        records = (output / "_records").rglob("*.json")
        for name in (path.relative_to(output / "_records").with_suffix("") for path in records):
            finished[name] = (output / name).stat().st_mtime_ns
    assert list(map(str, finished)) == ["a.csv"]
    code, message = score(comments, "--output", output)
    assert code == 0
    assert "3 files (1 more were finished before)" in message
    assert contents(output) == contents(tmp_path / "whole")
    assert sorted(path.name for path in output.iterdir()) == [
        "_records",
        "a.csv",
        "b.jsonl",
        "deep",
    ]


def test_a_half_finished_file_is_continued_and_not_begun_again(comments, output, tiny, monkeypatch):
    monkeypatch.setattr("comment_toxicity.files.read.CHUNK_ROWS", 10)
    [job] = plan([f"{comments}/a.csv"], f"{output}/")
    seen = []
    original = type(tiny).score

    def stop_at_third(self, texts, languages=None):
        if len(seen) == 2:
            raise KeyboardInterrupt
        seen.append(len(texts))
        return original(self, texts)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(type(tiny), "score", stop_at_third)
        many.score_job(tiny, model_record(tiny), job, Options())
    assert not (output / "a.csv").exists()
    seen.clear()

    def counted(self, texts, languages=None):
        seen.append(texts)
        return original(self, texts)

    monkeypatch.setattr(type(tiny), "score", counted)
    many.score_job(tiny, model_record(tiny), job, Options())
    assert [len(texts) for texts in seen] == [10]


def test_links_and_files_that_vanish_do_not_stop_a_listing(comments):
    (comments / "gone.csv").symlink_to(comments / "nowhere.csv")
    assert [found.name for found in LocalFolder(str(comments)).files()] == [
        "README.md",
        *NAMES,
    ]
