"""data/sample.csv is as data/README.md describes it."""

import csv
import re
from pathlib import Path

import pytest

DATA = Path(__file__).parent.parent / "data"
LABELS = ["toxic", "severe_toxic", "obscene", "threat", "insult", "identity_hate"]


@pytest.fixture(scope="module")
def rows():
    with (DATA / "sample.csv").open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def ids_with(rows, label):
    return {row["id"] for row in rows if row[label] == "1"}


def test_the_columns_are_those_of_the_jigsaw_file(rows):
    assert list(rows[0]) == ["id", "comment_text", *LABELS]
    assert {row[label] for row in rows for label in LABELS} == {"0", "1"}


def test_lines_end_in_lf_and_the_text_is_utf8():
    raw = (DATA / "sample.csv").read_bytes()
    assert b"\r" not in raw
    raw.decode("utf-8")


def test_no_id_and_no_text_occurs_twice(rows):
    assert all(re.fullmatch(r"[0-9a-f]{16}", row["id"]) for row in rows)
    assert len({row["id"] for row in rows}) == len(rows)
    assert len({row["comment_text"].casefold().strip() for row in rows}) == len(rows)
    assert all(row["comment_text"].strip() for row in rows)


def test_every_other_label_comes_with_toxic(rows):
    """A comment that is severely toxic, or insulting, is toxic as well."""
    for label in LABELS[1:]:
        assert ids_with(rows, label) <= ids_with(rows, "toxic"), label


@pytest.mark.parametrize("label", LABELS)
def test_every_label_has_enough_rows_for_a_split_in_three(rows, label):
    assert 15 <= len(ids_with(rows, label)) <= len(rows) - 15


def test_the_readme_has_the_right_row_counts(rows):
    readme = (DATA / "README.md").read_text(encoding="utf-8")
    assert f"holds {len(rows)} comments" in readme
    for label in LABELS:
        assert re.search(rf"^\| `{label}` .* {len(ids_with(rows, label))} \|$", readme, re.M), label
