"""comments:suggestscore with doNotStore; what is kept otherwise is in test_feedback.py."""

from contextlib import closing

from comment_toxicity.service.feedback import FeedbackStore
from tests.service.conftest import KIND, RUDE


def test_a_correction_that_must_not_be_stored_is_answered_and_not_kept(serving, tmp_path):
    database = f"sqlite:///{tmp_path / 'feedback.sqlite3'}"
    with serving(feedback_database=database) as running:
        reply = running.suggest(RUDE, {"TOXICITY": 1}, doNotStore=True, clientToken="t")
        assert reply.json == {"clientToken": "t", "detectedLanguages": ["en"]}
        assert running.suggest(RUDE, {"TOXICITY": 1}, do_not_store="true").status == 200
        assert running.suggest(KIND, {"TOXICITY": 0}, doNotStore=False).status == 200
    with closing(FeedbackStore(database)) as store:
        assert [row.text for row in store.rows()] == [KIND]
