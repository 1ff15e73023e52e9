"""`python -m comment_toxicity feedback export`."""

import hashlib
import sys
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest

from comment_toxicity.errors import SettingsError
from comment_toxicity.service.feedback import FeedbackStore, export, since
from tests.running import ROOT, python, run
from tests.service.conftest import RUDE


def kept(tmp_path, text):
    """Return the URL of a database with one correction."""
    database = f"sqlite:///{tmp_path / 'kept.sqlite3'}"
    with closing(FeedbackStore(database)) as store:
        store.open()
        request = SimpleNamespace(
            text=text, summary={"TOXICITY": 1.0}, spans={}, community="", client_token=None
        )
        store.add(request, languages=["en"], scored={}, model="m", weights="w")
    return database


def command(*flags, **environment):
    return python("-m", "comment_toxicity", "feedback", "export", *flags, **environment)


def test_an_interrupted_export_leaves_no_file(tmp_path, monkeypatch):
    def stopped(_):
        raise KeyboardInterrupt

    with closing(FeedbackStore(kept(tmp_path, RUDE))) as store:
        store.open()
        monkeypatch.setattr(hashlib, "sha256", stopped)
        with pytest.raises(KeyboardInterrupt):
            export(store, ["toxic"], str(tmp_path / "out.csv"))
    assert [path.name for path in tmp_path.iterdir()] == ["kept.sqlite3"]


def test_feedback_export_writes_csv_to_standard_output(tmp_path):
    database = f"sqlite:///{tmp_path / 'kept.sqlite3'}"
    with closing(FeedbackStore(database)) as store:
        store.open()
    done = command("--database", database, "--output", "-")
    assert done.stdout.startswith("id,comment_text,toxic,severe_toxic,")
    assert done.stderr == "0 corrected comments\n"


def test_feedback_export_writes_utf8_in_any_locale(tmp_path):
    flags = ("--database", kept(tmp_path, "“你”"), "--output", "-")
    done = command(*flags, PYTHONIOENCODING="latin-1")
    assert (done.returncode, done.stderr) == (0, "1 corrected comments\n")
    assert "“你”" in done.stdout


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is Linux's")
def test_a_full_standard_output_ends_in_one_line(tmp_path):
    words = f"-m comment_toxicity feedback export --database {kept(tmp_path, 'you')} --output -"
    done = run("sh", "-c", f"{sys.executable} {words} > /dev/full")
    assert done.returncode == 2
    assert done.stderr.startswith("error: standard output: writing failed (No space left")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "flags",
    [
        ("--output", "rows.csv", "--database", "sqlite:///missing.sqlite3"),
        ("--output", "rows.txt", "--database", "sqlite://"),
        ("--output", "rows.csv", "--database", "postgresql+psycopg://u:secret@127.0.0.1:1/x"),
        ("--output", "rows.csv", "--database", "postgresql+psycopg://u:secret@127.0.0.1:port/x"),
        ("--output", "rows.csv", "--since", "yesterday"),
        ("--output", "rows.csv", "--since", "0001-01-01T00:00+14:00"),
    ],
)
def test_an_error_of_feedback_export_is_one_line_without_a_password(flags):
    done = command(*flags)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert "secret" not in done.stderr
    assert not (ROOT / "missing.sqlite3").exists()


def test_since_reads_a_date_as_utc_and_converts_a_zone():
    assert since("2026-12-31").isoformat() == "2026-12-31T00:00:00+00:00"
    assert since("2026-12-31T01:00+02:00").isoformat() == "2026-12-30T23:00:00+00:00"
    with pytest.raises(SettingsError, match="--since"):
        since("soon")
