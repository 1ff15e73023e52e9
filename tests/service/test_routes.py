"""HTTP: the size and pace of bodies and answers, and CORS."""

import json
import socket
from contextlib import closing
from urllib.parse import urlsplit

from tests.service.conftest import KIND, until


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
            line.sendall(head + (b"258\r\n" + b"x" * 600 + b"\r\n") * 2)  # without Content-Length
            assert line.recv(1000).startswith(b"HTTP/1.1 413")


def test_a_caller_who_sends_20_mb_before_reading_still_gets_413(running):
    reply = running.post("/v1/score", b"x" * 20_000_000)  # read only after all is sent
    assert (reply.status, reply.json["error"]["code"]) == (413, 413)


def test_large_requests_beyond_the_limit_are_refused(serving, monkeypatch):
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
    """Request an answer of some megabytes and read none of it; return the connection."""
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


def test_a_caller_who_never_reads_the_answer_is_dropped(running, monkeypatch):
    monkeypatch.setattr("comment_toxicity.service.routes.SEND_SECONDS", 0.5)
    with closing(unread(running)):
        until(lambda: not running.service._large, seconds=10)


def test_a_small_request_with_a_large_answer_counts_as_large(running, monkeypatch):
    monkeypatch.setattr("comment_toxicity.service.service.MAX_LARGE", 0)
    monkeypatch.setattr("comment_toxicity.service.service.LARGE", 1000)
    reply = running.post("/v1/score", {"texts": ["a"] * 100})
    assert (reply.status, reply.headers["retry-after"]) == (503, "1")


def test_fields_that_the_answer_repeats_are_bounded(running):
    for fields in ({"clientToken": "\x01" * 20_481}, {"languages": ["en"] * 101}):
        assert running.analyze(KIND, **fields).error[1] == "INVALID_REQUEST"
        assert running.suggest(KIND, {"TOXICITY": 1}, **fields).status == 400
    assert running.analyze(KIND, clientToken="t" * 20_480, languages=["en"] * 100).status == 200


def test_what_a_request_may_name_is_bounded(running):
    scores = {"summaryScore": {"value": 1}}
    span = {"begin": 0, "end": 1, "score": {"value": 1}}
    for fields in (
        {"attributeScores": {f"A{number}": scores for number in range(101)}},
        {"attributeScores": {"A" * 101: scores}},
        {"attributeScores": {"TOXICITY": {"spanScores": [span] * 501}}},
        {"communityId": "c" * 2_049},
    ):
        assert running.suggest(KIND, {"TOXICITY": 1}, **fields).error[1] == "INVALID_REQUEST"
    many = [f"A{number}" for number in range(101)]
    assert "more than 100" in running.analyze(KIND, many).error[0]
    assert running.suggest(KIND, {"TOXICITY": 1}, communityId="c" * 2_048).status == 200


def test_a_slash_too_many_redirects_nowhere(running):
    for path in ("/v1/model/?key=secret", "/health/live/"):
        reply = running.get(path, Host="elsewhere.example")
        assert (reply.status, reply.headers.get("location")) == (404, None)


def test_a_body_that_does_not_arrive_gets_408(running, monkeypatch):
    monkeypatch.setattr("comment_toxicity.service.routes.BODY_SECONDS", 0.2)
    address = urlsplit(running.url)
    with socket.create_connection((address.hostname, address.port), timeout=10) as line:
        line.sendall(b"POST /v1/score HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n{")
        assert line.recv(1000).startswith(b"HTTP/1.1 408")


def test_cors_admits_the_origins_that_the_operator_names(running, serving):
    asked = {"Origin": "https://forum.example"}
    assert "access-control-allow-origin" not in running.get("/v1/model", **asked).headers
    with serving(cors_origins=("https://forum.example",)) as open_to_one:
        headers = open_to_one.get("/v1/model", **asked).headers
        assert headers["access-control-allow-origin"] == "https://forum.example"
        assert headers["access-control-expose-headers"] == "retry-after"
        other = open_to_one.get("/v1/model", Origin="https://evil.example").headers
        assert "access-control-allow-origin" not in other
