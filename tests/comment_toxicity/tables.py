"""Files of comments for tests: written, read, and refused."""

import csv

SCORES = [
    f"{label}_score"
    for label in ("toxic", "severe_toxic", "obscene", "threat", "insult", "identity_hate")
]


def write_csv(path, rows):
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows(rows)
    return path


def read_csv(path):
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def fails(score, tmp_path, source, *arguments):
    """Check that scoring ends in one error line and leaves no file. Returns the line."""
    before = sorted(tmp_path.iterdir())
    code, said = score(source, *arguments)
    assert code == 2
    assert said.startswith("error: ")
    assert said.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before
    return said
