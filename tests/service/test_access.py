"""API keys and rate limits."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from limits.errors import StorageError

from comment_toxicity.errors import SettingsError
from comment_toxicity.service.access import network
from comment_toxicity.service.service import Service
from comment_toxicity.service.settings import ServiceSettings
from tests.service.conftest import KIND


@pytest.fixture
def keys(tmp_path, monkeypatch):
    """A file with two keys; a third in the environment."""
    file = tmp_path / "keys"
    lines = "first-key\n# ours\nsecond-key  # the forum's\n\n"
    file.write_text(lines, encoding="utf-8-sig")  # with a byte order mark, as Notepad writes it
    monkeypatch.setenv("TOXICITY_API_KEYS", "third-key,")
    return str(file)


def test_a_key_is_accepted_in_the_url_and_in_either_header(serving, keys):
    body = {"comment": {"text": KIND}, "requestedAttributes": {"TOXICITY": {}}}
    path = "/v1alpha1/comments:analyze"
    with serving(api_keys_file=keys) as running:
        assert running.post(f"{path}?key=first-key", body).status == 200
        assert running.post(path, body, X_Goog_Api_Key="second-key").status == 200
        assert running.post(path, body, Authorization="Bearer third-key").status == 200
        texts = {"texts": [KIND]}
        assert running.post("/v1/score", texts, Authorization="bearer first-key").status == 200


def test_a_wrong_or_missing_key_is_refused_as_google_does(serving, keys):
    with serving(api_keys_file=keys) as running:
        wrong = running.analyze(KIND)
        assert wrong.status == 400
        assert wrong.json["error"]["message"] == ("API key not valid. Please pass a valid API key.")
        assert wrong.json["error"]["details"][0]["reason"] == "API_KEY_INVALID"
        body = {"comment": {"text": KIND}, "requestedAttributes": {"TOXICITY": {}}}
        missing = running.post("/v1alpha1/comments:analyze", body)
        assert (missing.status, missing.json["error"]["status"]) == (403, "PERMISSION_DENIED")
        for path in ("/metrics", "/v1/model"):
            assert running.get(path).status == 403
            assert running.get(f"{path}?key=first-key").status == 200
        for path in ("/health/live", "/health/ready", "/$discovery/rest", "/openapi.json"):
            assert running.get(path).status == 200


def test_an_unreadable_or_empty_key_file_is_an_error(tmp_path):
    for file in (tmp_path / "missing", tmp_path):
        with pytest.raises(SettingsError, match="cannot be read"):
            Service(ServiceSettings(api_keys_file=str(file)))
    empty = tmp_path / "empty"
    empty.write_text("# nothing\n")
    with pytest.raises(SettingsError, match="has no key"):
        Service(ServiceSettings(api_keys_file=str(empty)))


@pytest.mark.parametrize("keys", [" ", ",", " , "])
def test_a_key_variable_without_a_key_is_an_error(monkeypatch, keys):
    monkeypatch.setenv("TOXICITY_API_KEYS", keys)
    with pytest.raises(SettingsError, match="TOXICITY_API_KEYS: has no key"):
        Service(ServiceSettings())


def test_an_empty_key_variable_counts_as_unset(monkeypatch):
    monkeypatch.setenv("TOXICITY_API_KEYS", "")
    Service(ServiceSettings())


def test_guessing_keys_is_slowed(serving, keys, clock):
    with serving(api_keys_file=keys) as running:
        used = {"Authorization": "Bearer first-key"}
        assert running.get("/v1/model", **used).status == 200
        guessed = [running.get(f"/v1/model?key=guess-{n}").status for n in range(14)]
        assert guessed == [400] * 10 + [429] * 4
        # A right guess gets the same answer as a wrong one; who used the key before is served.
        refused = running.get("/v1/model?key=second-key")
        assert refused.status == 429
        assert (
            refused.json["error"]["message"] == "Quota exceeded: 10 wrong API keys per 60 seconds."
        )
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert running.get("/v1/model", **used).status == 200


@pytest.mark.parametrize(
    ("address", "caller"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("testclient", "testclient"),
    ],
)
def test_an_ipv6_caller_is_a_whole_line(address, caller):
    assert network(address) == caller


def test_each_key_has_its_own_rate_limit(serving, keys, clock):
    body = {"texts": [KIND]}
    with serving(api_keys_file=keys, rate_limit="3/minute") as running:
        statuses = [running.post("/v1/score?key=first-key", body).status for _ in range(5)]
        assert statuses == [200, 200, 200, 429, 429]
        refused = running.post("/v1/score?key=first-key", body)
        assert refused.json["error"]["status"] == "RESOURCE_EXHAUSTED"
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert running.post("/v1/score?key=second-key", body).status == 200


def test_without_keys_an_ip_address_has_a_rate_limit(serving, clock):
    with serving(rate_limit="1/minute") as running:
        assert running.analyze(KIND).status == 200
        assert running.analyze(KIND).status == 429


def test_a_caller_is_served_again_after_the_seconds_of_retry_after(serving, clock):
    with serving(rate_limit="2/2seconds") as running, ThreadPoolExecutor(6) as callers:
        for _ in range(3):
            sent = [callers.submit(running.get, "/v1/model") for _ in range(6)]
            refused = [call.result() for call in sent if call.result().status == 429]
            assert refused
            clock.sleep(max(int(reply.headers["retry-after"]) for reply in refused))
            assert running.get("/v1/model").status == 200


def test_callers_get_503_while_the_storage_of_rate_limits_fails(serving, caplog):
    async def fail(*_, **__):
        raise StorageError(ConnectionError("redis://:secret@host"))

    with serving(rate_limit="1/minute") as running:
        running.service._access._limiter.hit = fail
        reply = running.analyze(KIND)
    assert (reply.status, reply.json["error"]["status"]) == (503, "UNAVAILABLE")
    assert int(reply.headers["retry-after"]) >= 1
    assert "callers cannot be counted: ConnectionError" in caplog.text
    assert "secret" not in caplog.text


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rate_limit": "often"}, "'often' is not a single limit"),
        ({"rate_limit": "1/second;9/minute"}, "is not a single limit"),
        ({"rate_limit_storage": "nowhere://:secret@host"}, "nowhere is not a storage"),
        # Not installed here:
        ({"rate_limit_storage": "redis://:secret@host"}, "redis needs the package redis;"),
    ],
)
def test_an_unusable_rate_limit_or_storage_is_an_error(settings, message):
    with pytest.raises(SettingsError, match="^--rate-limit.*" + message) as caught:
        Service(ServiceSettings(**{"rate_limit": "1/minute", **settings}))
    assert "secret" not in str(caught.value)
