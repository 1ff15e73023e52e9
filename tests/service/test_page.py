"""The service on the page's port: one application, one process."""

import http.client
from contextlib import closing
from urllib.parse import urlsplit

import pytest
from starlette.applications import Starlette

from comment_toxicity.service.routes import lifespan, routes
from comment_toxicity.service.service import Service
from comment_toxicity.service.settings import ServiceSettings
from tests.service.conftest import RUDE, Running, listening


def test_a_comment_is_scored_beside_the_page(page):
    reply = page.analyze(RUDE)
    assert reply.json["attributeScores"]["TOXICITY"]["summaryScore"]["value"] > 0.8
    document = page.get("/$discovery/rest?version=v1alpha1").json
    assert document["rootUrl"] == f"{page.url}/"
    assert page.post("/v1/score", {"texts": [RUDE]}).status == 200
    assert page.post("/v1/moderations", {"input": RUDE}).json["results"][0]["flagged"] is True
    assert page.get("/health/ready").status == 200
    assert b"toxicity_requests_total" in page.get("/metrics").body
    assert page.get("/_stcore/health").body == b"ok"
    assert b"<title>" in page.get("/").body


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "OPTIONS"])
@pytest.mark.parametrize(
    "path",
    ["/v1", "/v1/", "/v1/a/b", "/v1alpha1", "/v1alpha1/comments:foo", "/health/nope", "/metrics/x"],
)
def test_an_unknown_path_beside_the_page_gets_the_404_of_the_service(page, running, method, path):
    told = []
    for service in (page, running):
        with closing(http.client.HTTPConnection(urlsplit(service.url).netloc, timeout=20)) as line:
            line.request(method, path)
            reply = line.getresponse()
            told.append((reply.status, reply.headers["content-type"], reply.read()))
    assert told[0] == told[1]
    assert told[0][0] == 404
    assert b"Requested entity not found." in told[0][2]


def test_a_page_below_another_path_has_the_service_there_too(embedded):
    service = Service(ServiceSettings(), load=lambda _: embedded)
    page = Starlette(routes=routes(service, "/tox"), lifespan=lifespan(service))
    with listening(page) as url:
        below = Running(f"{url}/tox", service)
        assert (
            below.analyze(RUDE).json["attributeScores"]["TOXICITY"]["summaryScore"]["value"] > 0.8
        )
        assert below.get("/$discovery/rest?version=v1alpha1").json["rootUrl"] == f"{url}/tox/"
        assert below.get("/health/nope").status == 404
        # A health check inside a container knows nothing of a path.
        assert Running(url, service).get("/health/ready").status == 200


def test_page_and_service_share_one_copy_of_the_model(page):
    assert page.service.classifier is page.shared
