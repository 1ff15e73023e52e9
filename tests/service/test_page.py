"""The service on the page's port: one application, one process."""

import pytest

import app
from classifier.cache import shared_models
from tests.service.conftest import RUDE, Running, listening


@pytest.fixture(scope="module")
def page():
    """The page's application; Streamlit can start it once a process."""
    with listening(app.app) as url:
        yield Running(url, app.SERVICE)


def test_a_comment_is_scored_beside_the_page(page):
    reply = page.analyze(RUDE)
    assert reply.json["attributeScores"]["TOXICITY"]["summaryScore"]["value"] > 0.8
    document = page.get("/$discovery/rest?version=v1alpha1").json
    assert document["rootUrl"] == f"{page.url}/"
    assert page.post("/v1/score", {"texts": [RUDE]}).status == 200
    assert page.get("/health/ready").status == 200
    assert b"toxicity_requests_total" in page.get("/metrics").body
    assert page.get("/_stcore/health").body == b"ok"
    assert b"<title>" in page.get("/").body


def test_page_and_service_share_one_copy_of_the_model(page):
    assert page.service.classifier is shared_models().get("toxic-minilm")
