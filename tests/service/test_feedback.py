"""Stored corrections, in SQLite and PostgreSQL, and their way into training data."""

import csv
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sql

from comment_toxicity.service import service
from comment_toxicity.service.feedback import TABLE, FeedbackStore, export, since
from finetune.config import Settings
from tests.rows import read_rows
from tests.service.conftest import KIND, RUDE


def test_a_new_sqlite_file_is_for_its_owner_alone(tmp_path):
    file = tmp_path / "feedback.sqlite3"
    before = os.umask(0o022)
    try:
        FeedbackStore(f"sqlite:///{file}").open()
    finally:
        os.umask(before)
    assert file.stat().st_mode & 0o777 == 0o600


def exported(database, path, **options):
    """Export with the six labels; return the rows by comment."""
    labels = ["toxic", "severe_toxic", "obscene", "threat", "insult", "identity_hate"]
    store = FeedbackStore(database)
    count = export(store, labels, str(path), **options)
    store.close()
    with path.open(encoding="utf-8", newline="") as stream:
        rows = {
            row["comment_text"]: [int(row[label]) for label in labels]
            for row in csv.DictReader(stream)
        }
    assert len(rows) == count
    return rows


def test_a_correction_is_stored_with_the_scores_of_the_model(serving, embedded, database):
    with serving(feedback_database=database) as running:
        reply = running.suggest(
            RUDE, {"TOXICITY": 0, "INSULT": 0.9}, clientToken="t", communityId="c", languages=["en"]
        )
        assert reply.json == {
            "clientToken": "t",
            "requestedLanguages": ["en"],
            "detectedLanguages": ["en"],
        }
    store = FeedbackStore(database)
    [row] = store.rows()
    store.close()
    assert (row.text, row.community, row.client_token) == (RUDE, "c", "t")
    assert row.suggested == {"TOXICITY": 0, "INSULT": 0.9}
    assert row.languages == ["en"]
    assert row.model == "toxic-minilm"
    assert row.weights == embedded.decision.weights.sha256
    expected = dict(zip(embedded.labels, embedded.score([RUDE])[0], strict=True))
    assert row.scored == pytest.approx(expected, abs=1e-7)


def test_corrections_become_rows_that_finetune_reads(serving, database, tmp_path):
    hard = 'He said "no",\nthen\0 left \ud800😀'
    with serving(feedback_database=database) as running:
        running.suggest(RUDE, {"TOXICITY": 0})
        running.suggest(KIND, {"TOXICITY": 0, "PROFANITY": 1, "FLIRTATION": 1})
        running.suggest(RUDE, {"TOXICITY": 1, "INSULT_EXPERIMENTAL": 1})
        running.suggest(hard, {"IDENTITY_ATTACK": 0.2}, communityId="other")
        running.suggest(hard, {"FLIRTATION": 1})
        running.suggest("two\rlines", {"THREAT": 1})
    rows = exported(database, tmp_path / "all.csv")
    assert rows == {
        RUDE: [1, -1, -1, -1, 1, -1],  # the latest counts
        KIND: [0, -1, 1, -1, -1, -1],
        'He said "no",\nthen� left �😀': [-1, -1, -1, -1, -1, 0],
        "two\rlines": [-1, -1, -1, 1, -1, -1],
    }
    assert len(read_rows(str(tmp_path / "all.csv"), Settings().layout)) == 4
    assert len(exported(database, tmp_path / "part.csv", community="other")) == 1
    late = exported(database, tmp_path / "late.csv", since=since("2100-01-01"))
    assert late == {}


def test_decisions_of_corals_moderators_are_stored_and_can_be_exported(serving, database, tmp_path):
    with serving(feedback_database=database) as running:
        running.suggest(KIND, {"APPROVED": 1})
        running.suggest(RUDE, {"DELETED": 1})
    assert exported(database, tmp_path / "a.csv") == {KIND: [0, -1, -1, -1, -1, -1]}
    both = exported(database, tmp_path / "b.csv", deleted_is_toxic=True)
    assert both[RUDE] == [1, -1, -1, -1, -1, -1]


def test_span_scores_of_a_correction_are_stored(serving, database):
    part = {"begin": 0, "end": 3, "score": {"value": 1}}
    body = {"comment": {"text": RUDE}, "attributeScores": {"INSULT": {"spanScores": [part]}}}
    with serving(feedback_database=database) as running:
        assert running.post("/v1alpha1/comments:suggestscore", body).status == 200
    store = FeedbackStore(database)
    assert [row.spans for row in store.rows()] == [{"INSULT": [[0, 3, 1]]}]
    store.close()


def test_analyzing_stores_nothing_even_with_a_database(serving, database):
    with serving(feedback_database=database) as running:
        assert running.analyze(RUDE).status == 200
        assert running.post("/v1/score", {"texts": [RUDE]}).status == 200
    store = FeedbackStore(database)
    assert list(store.rows()) == []
    store.close()


def test_a_failing_database_gives_503_and_scoring_continues(serving, database, caplog):
    with serving(feedback_database=database) as running:
        engine = sql.create_engine(database)
        TABLE.metadata.drop_all(engine)
        engine.dispose()
        reply = running.suggest("very private words", {"TOXICITY": 1})
        assert reply.status == 503
        assert int(reply.headers["retry-after"]) >= 1
        assert "a correction is lost" in caplog.text
        assert "private" not in caplog.text
        assert running.analyze(RUDE).status == 200


def test_a_hanging_database_delays_no_other_requests(serving, database, monkeypatch):
    gone_on = threading.Event()
    monkeypatch.setattr(FeedbackStore, "add", lambda *_, **__: gone_on.wait())
    monkeypatch.setattr(service, "MAX_WRITING_SECONDS", 1)
    with serving(feedback_database=database) as running, ThreadPoolExecutor() as callers:
        try:
            waiting = [
                callers.submit(running.suggest, f"{RUDE} {number}", {"TOXICITY": 1})
                for number in range(service.MAX_WRITING)
            ]
            assert {reply.result().status for reply in waiting} == {503}
            refused = running.suggest(RUDE, {"TOXICITY": 1})  # the four still hang
            assert (refused.status, running.analyze(RUDE).status) == (503, 200)
        finally:
            gone_on.set()
