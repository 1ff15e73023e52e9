"""Write and read files of comments, and check that scoring one fails."""

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
    code, message = score(source, *arguments)
    assert code == 2
    assert message.startswith("error: ")
    assert message.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before
    return message
