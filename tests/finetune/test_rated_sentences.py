"""VADER's rated sentences become rows for a sentiment model."""

import io
import tarfile
from pathlib import Path

import pandas as pd
import pytest

from finetune.rated_sentences import INNER, SOURCES, main, nearly_in

FILMS, PRODUCTS, TWEETS = SOURCES


def packed(files: dict[str, bytes]) -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as packing:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            packing.addfile(member, io.BytesIO(content))
    return archive.getvalue()


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    films = "1\t2.5\tDon't miss this slow, sweet and funny film.\n2\t-0.4\tIt has two parts.\n"
    texts = {
        FILMS: (films + "3\t-1.9\tA dull caf\xe9 drama without an idea.\n").encode("cp1252"),
        PRODUCTS: b"1_1\t0.5\tthe zoom works well.\n",
        TWEETS: b"1\t-3.1\tMissed the bus &amp; lost my keys\n",
        "nytEditorialSnippets_GroundTruth.txt": b"1_1\t-2.0\tThe mayor is wrong.\n",
    }
    inner = packed({f"hutto/{name}": content for name, content in texts.items()})
    path = tmp_path / "vaderSentiment.tar.gz"
    path.write_bytes(packed({"vaderSentiment/README.rst": b"", f"vaderSentiment/{INNER}": inner}))
    return path


@pytest.fixture
def held_out(tmp_path: Path) -> Path:
    path = tmp_path / "test.csv"
    path.write_text('sentence,label\n"do n\'t miss this slow , sweet and funny thing",1\n')
    return path


def test_clear_ratings_become_rows_except_near_duplicates_of_held_out_ones(
    archive: Path, held_out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    output = tmp_path / "rows.parquet"
    assert main([str(archive), "--apart-from", str(held_out), "--output", str(output)]) == 0
    rows = pd.read_parquet(output)
    assert rows.values.tolist() == [
        ["A dull café drama without an idea.", 0, "vader_films", "MIT"],
        ["the zoom works well.", 1, "vader_products", "MIT"],
        ["Missed the bus & lost my keys", 0, "vader_tweets", "MIT"],
    ]
    assert "3 rows (vader_films 1, vader_products 1, vader_tweets 1)" in capsys.readouterr().out


def test_texts_that_share_half_of_the_shorter_ones_three_word_runs_are_near_duplicates():
    held_out = ["one two three four five six seven eight"]
    texts = ["One two, three four!", "zero one two three", "one two seven", "one", ""]
    assert nearly_in(texts, held_out).tolist() == [True, True, False, False, False]
    assert nearly_in(["One!"], ["one"]).tolist() == [True]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"no archive", "not a gzip file"),
        (packed({"a/b.txt": b""}), f"no {INNER} in it"),
        (
            packed({f"a/{INNER}": packed({f"b/{FILMS}": b"1\tgood\tA film.\n"})}),
            "could not convert",
        ),
        (packed({f"a/{INNER}": packed({f"b/{FILMS}": b"1\t2.0\n"})}), "out of range"),
    ],
    ids=["no archive", "no inner archive", "a rating that is no number", "a rating out of range"],
)
def test_an_unexpected_archive_ends_in_one_clear_error(
    content: bytes,
    reason: str,
    held_out: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
):
    other = tmp_path / "other.tar.gz"
    other.write_bytes(content)
    output = tmp_path / "rows.parquet"
    assert main([str(other), "--apart-from", str(held_out), "--output", str(output)]) == 2
    error = capsys.readouterr().err
    assert reason in error and error.count("\n") == 1
    assert not output.exists()


def test_held_out_rows_without_the_text_column_end_in_one_clear_error(
    archive: Path, held_out: Path, capsys: pytest.CaptureFixture[str]
):
    flags = [str(archive), "--apart-from", str(held_out), "--text-column", "text"]
    assert main([*flags, "--output", str(held_out.with_name("rows.parquet"))]) == 2
    assert "no column text" in capsys.readouterr().err
