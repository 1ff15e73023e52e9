"""The service on the page's port: one application, one process."""

import app
from tests.service.conftest import RUDE, Running, listening


def test_a_comment_is_scored_beside_the_page():
    with listening(app.app) as url:
        running = Running(url, app.SERVICE)
        reply = running.analyze(RUDE)
        assert reply.json["attributeScores"]["TOXICITY"]["summaryScore"]["value"] > 0.8
        document = running.get("/$discovery/rest?version=v1alpha1").json
        assert document["rootUrl"] == f"{url}/"
        assert running.post("/v1/score", {"texts": [RUDE]}).status == 200
        assert running.get("/health/ready").status == 200
        assert b"toxicity_requests_total" in running.get("/metrics").body
        assert running.get("/_stcore/health").body == b"ok"
        assert b"<title>" in running.get("/").body
