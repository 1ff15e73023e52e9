"""comments:suggestscore over HTTP; what is stored of it is in test_feedback.py."""

from contextlib import closing

import pytest

from comment_toxicity.service.feedback import FeedbackStore
from tests.service.conftest import KIND, RUDE


def test_a_correction_with_do_not_store_is_answered_and_not_stored(serving, tmp_path):
    database = f"sqlite:///{tmp_path / 'feedback.sqlite3'}"
    with serving(feedback_database=database) as running:
        reply = running.suggest(RUDE, {"TOXICITY": 1}, doNotStore=True, clientToken="t")
        assert reply.json == {"clientToken": "t", "detectedLanguages": ["en"]}
        assert running.suggest(RUDE, {"TOXICITY": 1}, do_not_store="true").status == 200
        assert running.suggest(KIND, {"TOXICITY": 0}, doNotStore=False).status == 200
    with closing(FeedbackStore(database)) as store:
        assert [row.text for row in store.rows()] == [KIND]


def test_without_a_database_a_correction_is_not_stored(running, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert running.suggest(RUDE, {"TOXICITY": 1}).json == {"detectedLanguages": ["en"]}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "scores",
    [
        {},
        {"TOXICITY": {}},
        {"TOXICITY": {"summaryScore": {}}},
        {"TOXICITY": {"summaryScore": {"value": 2}}},
        {"TOXICITY": {"summaryScore": {"value": 1, "type": "RAW"}}},
        {"TOXICITY": {"spanScores": [{"begin": 3, "end": 1, "score": {"value": 1}}]}},
        {"TOXICITY": {"spanScores": [{"score": {"value": 1}}]}},
        {"TOXICITY": 1},
    ],
)
def test_a_malformed_correction_is_refused(running, scores):
    body = {"comment": {"text": RUDE}, "attributeScores": scores}
    assert running.post("/v1alpha1/comments:suggestscore", body).status == 400
    body = {"comment": {"text": " "}, "attributeScores": {"A": {"summaryScore": {"value": 1}}}}
    reply = running.post("/v1alpha1/comments:suggestscore", body)
    assert reply.error[1] == "COMMENT_EMPTY"
