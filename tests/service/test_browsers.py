"""Other websites cannot use a visitor's browser to call the service."""

import pytest

from comment_toxicity.errors import SettingsError
from comment_toxicity.service.settings import ServiceSettings
from tests.service.conftest import KIND

TEXTS = {"texts": [KIND]}
SUGGEST = "/v1alpha1/comments:suggestscore"
CORRECTION = {
    "comment": {"text": KIND},
    "attributeScores": {"TOXICITY": {"summaryScore": {"value": 1}}},
}


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://elsewhere.example"},
        {"Origin": "http://localhost:8698"},  # the same machine, another site
        {"Origin": "null"},  # a page in a sandbox, or a file
        {"Origin": "http://[broken"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
    ids=str,
)
def test_another_site_can_neither_score_nor_store(serving, tmp_path, headers):
    with serving(feedback_database=f"sqlite:///{tmp_path / 'feedback.sqlite3'}") as running:
        for path, body in (("/v1/score", TEXTS), (SUGGEST, CORRECTION), ("/batch", b"--b--")):
            reply = running.post(path, body, **{"Content-Type": "text/plain", **headers})
            assert (reply.status, reply.json["error"]["status"]) == (403, "PERMISSION_DENIED")
        assert list(running.service._store.rows()) == []


def test_programs_and_the_servers_own_pages_may_call(running, serving):
    assert running.post("/v1/score", TEXTS).status == 200
    assert running.post("/v1/score", TEXTS, Origin=running.url).status == 200
    assert running.post("/v1/score", TEXTS, Sec_Fetch_Site="same-origin").status == 200
    with serving(public_url="https://toxicity.example/api") as behind_a_proxy:
        own = {"Origin": "https://toxicity.example"}
        assert behind_a_proxy.post("/v1/score", TEXTS, **own).status == 200


def test_a_site_that_the_operator_names_may_call(serving):
    named = {"Origin": "https://forum.example", "Sec-Fetch-Site": "cross-site"}
    other = {"Origin": "https://elsewhere.example"}
    with serving(cors_origins=("https://forum.example",)) as running:
        assert running.post("/v1/score", TEXTS, **named).status == 200
        assert running.post("/v1/score", TEXTS, **other).status == 403
    with serving(cors_origins=("*",)) as running:
        assert running.post("/v1/score", TEXTS, **other).status == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [
        *(("rebound.example", 403), ("rebound.example:8080", 403), ("localhost.evil.example", 403)),
        *(("127.0.0.1.evil.example", 403), ("user@localhost.example", 403), ("a[b", 403)),
        *(("localhost", 200), ("LOCALHOST:8080", 200), ("127.0.0.1", 200), ("[::1]:80", 200)),
        *(("toxicity.example", 200), ("toxicity.example.", 200), ("192.0.2.7:80", 200)),
    ],
)
def test_on_a_loopback_address_only_known_names_are_answered(serving, host, status):
    settings = ServiceSettings(public_url="https://toxicity.example").on("127.0.0.1")
    with serving(public_url=settings.public_url, allowed_hosts=settings.allowed_hosts) as running:
        assert running.get("/v1/model", Host=host).status == status
        assert running.post("/v1/score", TEXTS, Host=host).status == status


def test_a_refused_name_is_shown_without_markup(serving):
    with serving(allowed_hosts=("localhost",)) as running:
        message = running.get("/v1/model", Host="<b>evil").json["error"]["message"]
    assert "the name ?b?evil; its operator can allow it with --allowed-hosts" in message


@pytest.mark.parametrize(
    ("address", "given", "allowed"),
    [
        ("127.0.0.1", (), ("localhost",)),
        ("::1", (), ("localhost",)),
        ("localhost", (), ("localhost",)),
        ("0.0.0.0", (), ()),  # noqa: S104
        ("192.0.2.7", (), ()),
        ("", (), ()),
        ("127.0.0.1", ("*",), ("*",)),
        ("127.0.0.1", ("a.example",), ("a.example",)),
    ],
)
def test_names_are_limited_where_only_this_machine_should_call(address, given, allowed):
    assert ServiceSettings(allowed_hosts=given).on(address).allowed_hosts == allowed


def test_a_pattern_allows_the_names_below_it(serving):
    with serving(allowed_hosts=("*.example.org",)) as running:
        assert running.get("/v1/model", Host="a.example.org").status == 200
        assert running.get("/v1/model", Host="example.org").status == 403
        assert running.get("/v1/model", Host="aexample.org").status == 403


@pytest.mark.parametrize("name", ["http://a.example", "a.example:80", "a/b", "a.*"])
def test_what_is_no_host_name_is_an_error(name):
    with pytest.raises(SettingsError, match="is not a host name"):
        ServiceSettings(allowed_hosts=(name,))
