"""The command `score` reads and writes S3: moto's, over HTTP."""

import json

import pyarrow
import pyarrow.parquet
import pytest

from comment_toxicity.files.folders import UNFINISHED, S3Folder


@pytest.fixture
def comments(s3):
    """s3://bucket/in with three files; beside it, what is not asked for."""
    parquet = pyarrow.BufferOutputStream()
    pyarrow.parquet.write_table(pyarrow.table({"text": ["thanks", None]}), parquet)
    files = {
        "in/a.csv": b"text\nyou fool\n",
        "in/deep/b.jsonl": b'{"text": "go away"}\n',
        "in/deep/c.parquet": parquet.getvalue().to_pybytes(),
        "in/_SUCCESS": b"",
        "in/_temporary/x.csv": b"text\nyou\n",
        "inner/x.csv": b"text\nyou\n",
    }
    s3.fill({("bucket", name): (content, {}) for name, content in files.items()})
    s3.fill({("results", "kept"): (b"", {})})
    return "s3://bucket/in"


def results(s3, prefix="out/"):
    return {
        name.removeprefix(prefix): content
        for (bucket, name), (content, _) in s3.objects().items()
        if bucket == "results" and name.startswith(prefix) and not name.endswith("/")
    }


NAMES = ["a.csv", "deep/b.jsonl", "deep/c.parquet"]
RECORDS = [f"_records/{name}.json" for name in NAMES[:2]]


def test_a_prefix_is_scored_to_another_and_finished_objects_are_not_repeated(s3, comments, score):
    code, message = score(comments, "--output", "s3://results/out/")
    assert code == 0, message
    assert "3 files, 4 rows, 1 of them without scores" in message
    first = results(s3)
    assert sorted(first) == sorted([*NAMES, *RECORDS])
    table = pyarrow.parquet.read_table(pyarrow.BufferReader(first["deep/c.parquet"]))
    assert table["toxic_score"].null_count == 1
    assert json.loads(table.schema.metadata[b"comment_toxicity"])["input"]["name"] == NAMES[2]
    assert first["deep/b.jsonl"].startswith(b'{"text": "go away", "toxic_score": ')

    s3.asked.clear()
    code, message = score(comments, "--output", "s3://results/out")
    assert "0 files (3 more were finished before)" in message
    assert [each for each in s3.asked if each.startswith("PUT")] == []


def test_the_same_files_on_this_machine_get_the_same_rows(s3, comments, score, tmp_path):
    assert score(comments, "--output", "s3://results/out")[0] == 0
    assert score(f"{comments}/**/*.*", "--output", tmp_path / "here")[0] == 0
    for name in NAMES[:2]:
        assert (tmp_path / "here" / name).read_bytes() == results(s3)[name]


def test_one_object_becomes_one_file_and_one_file_an_object(s3, comments, score, tmp_path):
    assert score(f"{comments}/a.csv", "--output", tmp_path / "a.parquet")[0] == 0
    assert pyarrow.parquet.read_table(tmp_path / "a.parquet")["text"].to_pylist() == ["you fool"]
    (tmp_path / "in.csv").write_text("text\nyou\n")
    assert score(tmp_path / "in.csv", "--output", "s3://results/out/one.csv")[0] == 0
    assert sorted(results(s3)) == ["_records/one.csv.json", "one.csv"]


def test_shards_of_a_prefix_are_its_files(s3, comments, score):
    for number in range(2):
        shard = ["--shard", f"{number}/2"]
        assert score(comments, "--output", "s3://results/out", *shard)[0] == 0
    assert sorted(results(s3)) == sorted([*NAMES, *RECORDS])


def test_a_broken_upload_leaves_no_half_object_under_the_name(s3, comments, score):
    s3.fail("PUT", r"a\.csv", (403, "AccessDenied"))
    code, message = score(comments, "--output", "s3://results/out")
    assert code == 2
    assert "s3://results/out/a.csv: " in message and "check the name, AWS_REGION" in message
    assert sorted(results(s3)) == sorted([*NAMES[1:], RECORDS[1]])
    assert score(comments, "--output", "s3://results/out")[0] == 0
    assert sorted(results(s3)) == sorted([*NAMES, *RECORDS])


def test_an_upload_that_is_interrupted_is_under_another_name(s3, comments, tmp_path):
    """pyarrow completes it with what was sent so far."""
    made = tmp_path / "made.csv"
    made.write_bytes(b"text\n" * 1000)
    place = S3Folder("s3://results/out")

    class Interrupted:
        def open_output_stream(self, path):
            with place._fs.open_output_stream(path) as stream:
                stream.write(b"text\n")
            raise KeyboardInterrupt

    half = S3Folder("s3://results/out")
    half._fs = Interrupted()
    with pytest.raises(KeyboardInterrupt):
        half.put(made, "made.csv")
    assert list(results(s3)) == [f"{UNFINISHED}/made.csv"]
    assert place.files() == []


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ("s3://bucket/none", "s3://bucket/none: no such file, or no files in it"),
        ("s3://nobucket/in/a.csv", "s3://nobucket/in/a.csv: no such file, or no files in it"),
        ("s3://bucket/in/*.tsv", "s3://bucket/in/*.tsv: no file matches"),
        ("s3://", "names no folder or file"),
        ("s3://*/in", "name the bucket in full"),
    ],
)
def test_an_address_without_files_is_an_error(s3, comments, score, inputs, message):
    code, error = score(inputs, "--output", "s3://results/out")
    assert code == 2
    assert message in error and error.count("\n") == 1
