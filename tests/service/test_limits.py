"""Who may call, how often, how much; and what a caller is told otherwise."""

import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from urllib.parse import urlsplit

import pytest
from limits.errors import StorageError

from comment_toxicity.errors import SettingsError
from comment_toxicity.service.service import Service
from comment_toxicity.service.settings import ServiceSettings
from tests.service.conftest import KIND, RUDE, until


@pytest.fixture
def keys(tmp_path, monkeypatch):
    """A file with two keys; a third in the environment."""
    file = tmp_path / "keys"
    lines = "first-key\n# ours\nsecond-key  # the forum's\n\n"
    file.write_text(lines, encoding="utf-8-sig")  # as Windows' Notepad begins a file
    monkeypatch.setenv("TOXICITY_API_KEYS", "third-key,")
    return str(file)


class SlowModel:
    """The embedded model, which scores only when it may."""

    def __init__(self, classifier):
        self._classifier = classifier
        self.may = threading.Event()
        self.asked = threading.Semaphore(0)

    def __getattr__(self, name):
        return getattr(self._classifier, name)

    def score(self, texts):
        self.asked.release()
        assert self.may.wait(20)
        return self._classifier.score(texts)


# Keys


def test_a_key_lets_in_wherever_it_stands(serving, keys):
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


def test_a_key_file_that_cannot_be_used_is_told(tmp_path):
    for file in (tmp_path / "missing", tmp_path):
        with pytest.raises(SettingsError, match="cannot be read"):
            Service(ServiceSettings(api_keys_file=str(file)))
    empty = tmp_path / "empty"
    empty.write_text("# nothing\n")
    with pytest.raises(SettingsError, match="has no key"):
        Service(ServiceSettings(api_keys_file=str(empty)))


@pytest.mark.parametrize("keys", [" ", ",", " , "])
def test_a_variable_without_a_key_does_not_let_everybody_in(monkeypatch, keys):
    monkeypatch.setenv("TOXICITY_API_KEYS", keys)
    with pytest.raises(SettingsError, match="TOXICITY_API_KEYS: has no key"):
        Service(ServiceSettings())


def test_an_empty_variable_is_none(monkeypatch):
    monkeypatch.setenv("TOXICITY_API_KEYS", "")
    Service(ServiceSettings())


# Rates


def test_each_key_has_its_own_rate(serving, keys):
    body = {"texts": [KIND]}
    with serving(api_keys_file=keys, rate_limit="3/minute") as running:
        statuses = [running.post("/v1/score?key=first-key", body).status for _ in range(5)]
        assert statuses == [200, 200, 200, 429, 429]
        refused = running.post("/v1/score?key=first-key", body)
        assert refused.json["error"]["status"] == "RESOURCE_EXHAUSTED"
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert running.post("/v1/score?key=second-key", body).status == 200


def test_without_keys_an_address_is_a_caller(serving):
    with serving(rate_limit="1/minute") as running:
        assert running.analyze(KIND).status == 200
        assert running.analyze(KIND).status == 429


def test_a_caller_who_waits_as_long_as_told_is_let_in(serving):
    with serving(rate_limit="2/2seconds") as running, ThreadPoolExecutor(6) as callers:
        for _ in range(3):
            sent = [callers.submit(running.get, "/v1/model") for _ in range(6)]
            refused = [call.result() for call in sent if call.result().status == 429]
            assert refused
            time.sleep(max(int(reply.headers["retry-after"]) for reply in refused))
            assert running.get("/v1/model").status == 200


def test_where_callers_cannot_be_counted_they_are_asked_to_come_back(serving, caplog):
    async def fail(*_):
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
def test_a_rate_that_cannot_be_used_is_told(settings, message):
    with pytest.raises(SettingsError, match="^--rate-limit.*" + message) as caught:
        Service(ServiceSettings(**{"rate_limit": "1/minute", **settings}))
    assert "secret" not in str(caught.value)


# Sizes


def test_a_body_that_is_too_large_is_refused_before_it_is_read(serving):
    with serving(max_body=1000) as running:
        reply = running.post("/v1/score", b"x" * 1001)
        assert (reply.status, reply.json["error"]["code"]) == (413, 413)
        address = urlsplit(running.url)
        with socket.create_connection((address.hostname, address.port), timeout=10) as line:
            line.sendall(b"POST /v1/score HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n")
            assert line.recv(1000).startswith(b"HTTP/1.1 413")
        with socket.create_connection((address.hostname, address.port), timeout=10) as line:
            head = b"POST /v1/score HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
            line.sendall(head + (b"258\r\n" + b"x" * 600 + b"\r\n") * 2)  # no length is told
            assert line.recv(1000).startswith(b"HTTP/1.1 413")


def test_one_who_sends_far_too_much_is_told_so_all_the_same(running):
    reply = running.post("/v1/score", b"x" * 20_000_000)  # read only after all is sent
    assert (reply.status, reply.json["error"]["code"]) == (413, 413)


def test_only_so_many_large_bodies_are_held_at_a_time(serving, monkeypatch):
    monkeypatch.setattr("comment_toxicity.service.service.MAX_LARGE", 1)
    large = {"texts": [KIND, "x" * 200_000]}
    with serving() as running:
        address = urlsplit(running.url)
        with socket.create_connection((address.hostname, address.port), timeout=10) as line:
            head = b"POST /v1/score HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n"
            line.sendall(head + b"x" * 150_000)  # the rest never comes
            until(lambda: running.service._large)
            refused = running.post("/v1/score", large)
            assert (refused.status, refused.headers["retry-after"]) == (503, "1")
            assert running.analyze(KIND).status == 200
        until(lambda: not running.service._large)
        assert running.post("/v1/score", large).status == 200
        until(lambda: not running.service._large)


def unread(running):
    """Ask for an answer of some megabytes, and read nothing of it; give the connection."""
    body = {
        "comment": {"text": "a\n" * 100},
        "spanAnnotations": True,
        "requestedAttributes": {"TOXICITY": {}, "THREAT": {}, "INSULT": {}, "PROFANITY": {}},
    }
    asked = f"POST /v1alpha1/comments:analyze HTTP/1.1\r\n\r\n{json.dumps(body)}"
    sent = f"--b\r\nContent-Type: application/http\r\n\r\n{asked}\r\n" * 400 + "--b--"
    head = f"Host: a\r\nContent-Type: multipart/mixed; boundary=b\r\nContent-Length: {len(sent)}"
    address = urlsplit(running.url)
    line = socket.socket()
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    line.settimeout(20)
    line.connect((address.hostname, address.port))
    line.sendall(f"POST /batch HTTP/1.1\r\n{head}\r\n\r\n{sent}".encode())
    assert line.recv(12) == b"HTTP/1.1 200"
    return line


def test_a_large_answer_counts_until_it_has_been_read(running):
    with closing(unread(running)) as line:
        until(lambda: not running.service._active)
        assert running.service._large == 1
        while running.service._large:
            assert line.recv(100_000)


def test_one_who_never_reads_is_not_waited_for(running, monkeypatch):
    monkeypatch.setattr("comment_toxicity.service.routes.SEND_SECONDS", 0.5)
    with closing(unread(running)):
        until(lambda: not running.service._large, seconds=10)


def test_a_small_request_with_a_large_answer_is_refused_where_too_many_are_held(
    running, monkeypatch
):
    monkeypatch.setattr("comment_toxicity.service.service.MAX_LARGE", 0)
    monkeypatch.setattr("comment_toxicity.service.service.LARGE", 1000)
    reply = running.post("/v1/score", {"texts": ["a"] * 100})
    assert (reply.status, reply.headers["retry-after"]) == (503, "1")


def test_what_comes_back_as_it_was_sent_is_bounded(running):
    for fields in ({"clientToken": "\x01" * 20_481}, {"languages": ["en"] * 101}):
        assert running.analyze(KIND, **fields).error[1] == "INVALID_REQUEST"
        assert running.suggest(KIND, {"TOXICITY": 1}, **fields).status == 400
    assert running.analyze(KIND, clientToken="t" * 20_480, languages=["en"] * 100).status == 200


def test_a_body_that_does_not_come_is_not_waited_for(running, monkeypatch):
    monkeypatch.setattr("comment_toxicity.service.routes.BODY_SECONDS", 0.2)
    address = urlsplit(running.url)
    with socket.create_connection((address.hostname, address.port), timeout=10) as line:
        line.sendall(b"POST /v1/score HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n{")
        assert line.recv(1000).startswith(b"HTTP/1.1 408")


# Load


def test_beyond_its_limits_it_sheds_and_comes_back_by_itself(serving, embedded):
    model = SlowModel(embedded)
    with serving(model, max_requests=4) as running, ThreadPoolExecutor(20) as callers:
        sent = [callers.submit(running.analyze, f"{RUDE} {number}") for number in range(20)]
        model.asked.acquire()
        until(lambda: sum(call.done() for call in sent) == 16)
        assert running.get("/health/live").status == 200
        model.may.set()
        replies = [call.result() for call in sent]
        refused = [reply for reply in replies if reply.status == 503]
        assert len(refused) == 16
        assert sum(reply.status == 200 for reply in replies) == 4
        assert all(int(reply.headers["retry-after"]) >= 1 for reply in refused)
        assert refused[0].json["error"]["status"] == "UNAVAILABLE"
        assert running.analyze(RUDE).status == 200


def test_one_who_would_wait_too_long_is_refused(serving, embedded):
    model = SlowModel(embedded)
    with serving(model, max_wait=0.01) as running, ThreadPoolExecutor(2) as callers:
        long = callers.submit(running.analyze, "long " * 2_000)
        model.asked.acquire()
        assert running.analyze(RUDE).status == 503
        model.may.set()
        assert long.result().status == 200
        assert running.analyze(RUDE).status == 200


def test_the_same_text_in_flight_is_read_once(serving, embedded):
    model = SlowModel(embedded)
    with serving(model) as running, ThreadPoolExecutor(9) as callers:
        sent = [callers.submit(running.analyze, RUDE) for _ in range(9)]
        model.asked.acquire()
        until(lambda: running.service._active == 9)
        model.may.set()
        replies = [call.result() for call in sent]
        assert {reply.status for reply in replies} == {200}
        assert len({reply.body for reply in replies}) == 1
        figures = running.get("/metrics").body.decode()
        assert "toxicity_texts_scored_total 1.0" in figures
        assert "toxicity_texts_shared_total 8.0" in figures


def test_an_error_of_ours_tells_nothing_of_the_text(serving, embedded, caplog):
    class Broken(SlowModel):
        def score(self, texts):
            raise ValueError(texts[0])

    with serving(Broken(embedded)) as running:
        reply = running.analyze("very private words")
    assert reply.status == 500
    assert reply.json["error"]["message"] == "Internal error encountered."
    assert "ValueError" in caplog.text
    assert "private" not in caplog.text


# Browsers


def test_other_sites_pages_are_let_in_only_where_the_operator_says(running, serving):
    asked = {"Origin": "https://forum.example"}
    assert "access-control-allow-origin" not in running.get("/v1/model", **asked).headers
    with serving(cors_origins=("https://forum.example",)) as open_to_one:
        headers = open_to_one.get("/v1/model", **asked).headers
        assert headers["access-control-allow-origin"] == "https://forum.example"
        assert headers["access-control-expose-headers"] == "retry-after"
        other = open_to_one.get("/v1/model", Origin="https://evil.example").headers
        assert "access-control-allow-origin" not in other


# Settings


def test_a_flag_comes_before_the_environment_and_that_before_the_default():
    environment = {"TOXICITY_MAX_REQUESTS": "5", "TOXICITY_LANGUAGES": "en, de"}
    settings = ServiceSettings.read(environment, max_requests="7", rate_limit=None)
    assert settings == ServiceSettings(max_requests=7, languages=("en", "de"))
    assert ServiceSettings.read(settings.environment()) == settings


@pytest.mark.parametrize(
    ("environment", "name"),
    [
        ({"TOXICITY_MAX_BODY": "much"}, "TOXICITY_MAX_BODY"),
        ({"TOXICITY_MAX_WAIT": "nan"}, "--max-wait"),
        ({"TOXICITY_MAX_WAIT": "long"}, "TOXICITY_MAX_WAIT"),
        ({"TOXICITY_LANGUAGES": ","}, "--languages"),
        ({"TOXICITY_LANGUAGES": "en,EN-us"}, "--languages"),
        ({"TOXICITY_PUBLIC_URL": "toxicity.example"}, "--public-url"),
    ],
)
def test_a_setting_that_is_wrong_is_named(environment, name):
    with pytest.raises(SettingsError, match=name):
        ServiceSettings.read(environment)
