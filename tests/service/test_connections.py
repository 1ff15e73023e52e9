"""Silent callers, and too many of them."""

import http.client
import resource
import socket
import time
from contextlib import ExitStack, closing
from typing import ClassVar
from urllib.parse import urlsplit

import pytest
import uvicorn

from comment_toxicity.service import connections
from comment_toxicity.service.routes import create_app
from comment_toxicity.service.service import Service
from comment_toxicity.service.settings import ServiceSettings
from tests.service.conftest import KIND, listening, until

HALF = b"POST /v1/score HTTP/1.1\r\nHost: a\r\nX-"
WHOLE = b"GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n"


class Observed(connections.BoundedProtocol):
    """Shows which connections of the newest server have a request, and since when.

    Its sockets take little of an answer that nobody reads.
    """

    busy: ClassVar[dict[connections.BoundedProtocol, float]] = {}

    def __init__(self, *arguments, **named):
        super().__init__(*arguments, **named)
        Observed.busy = self._busy

    def connection_made(self, transport):
        super().connection_made(transport)
        line = transport.get_extra_info("socket")
        line.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)


@pytest.fixture
def app(embedded):
    """The service as an application."""
    return create_app(Service(ServiceSettings(), load=lambda _: embedded))


@pytest.fixture
def bounded(app, monkeypatch):
    """The service behind the server of `serve`, in a hurry."""
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.5)
    monkeypatch.setattr(connections, "READ_SECONDS", 0.5)
    monkeypatch.setattr(connections, "MOST_CONNECTIONS", 20)
    monkeypatch.setattr(Observed, "busy", {})
    with listening(app, http=Observed) as url:
        yield urlsplit(url)


def connect(address):
    return closing(socket.create_connection((address.hostname, address.port), timeout=10))


def answered(line, end=b'"alive"}'):
    received = b""
    while not received.endswith(end):
        part = line.recv(10_000)
        assert part, received
        received += part


def is_closed(line):
    try:
        return line.recv(1) == b""
    except ConnectionResetError:
        return True


def status(address):
    with closing(http.client.HTTPConnection(address.netloc, timeout=10)) as caller:
        caller.request("GET", "/health/live")
        return caller.getresponse().status


@pytest.mark.parametrize("sent", [b"", HALF], ids=["silent", "half"])
def test_a_connection_without_a_whole_head_is_closed(bounded, sent):
    with connect(bounded) as line:
        line.sendall(sent)
        assert is_closed(line)


def test_a_byte_now_and_then_gains_no_time(bounded):
    with connect(bounded) as line:
        line.sendall(HALF)
        line.settimeout(0.1)
        started = time.monotonic()
        with pytest.raises((ConnectionError, EOFError)):
            while time.monotonic() < started + 8:
                line.sendall(b"a")
                try:
                    if line.recv(1) == b"":
                        raise EOFError
                except TimeoutError:
                    pass


def test_the_second_head_has_its_limit_too(bounded):
    with connect(bounded) as line:
        line.sendall(WHOLE)
        answered(line)
        line.sendall(HALF)
        assert is_closed(line)


def test_a_body_that_nobody_waits_for_has_a_limit(bounded):
    with connect(bounded) as line:
        line.sendall(b"POST /nothing HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n")
        answered(line, b"}}")
        line.sendall(b"a")
        assert is_closed(line)


def test_a_connection_is_kept_for_the_next_request(bounded):
    with connect(bounded) as line:
        for _ in range(3):
            line.sendall(WHOLE)
            answered(line)
            time.sleep(0.7)  # more than the limit for a head that has begun


def test_many_silent_connections_keep_nobody_out(bounded, monkeypatch):
    monkeypatch.setattr(connections, "HEAD_SECONDS", 60)
    with ExitStack() as silent:
        lines = [silent.enter_context(connect(bounded)) for _ in range(60)]
        for line in lines[::2]:
            line.sendall(HALF)
        assert status(bounded) == 200
        assert all(is_closed(line) for line in lines[:30])


def test_a_caller_who_is_being_answered_is_not_closed_for_a_new_one(bounded, monkeypatch):
    monkeypatch.setattr(connections, "HEAD_SECONDS", 60)
    with ExitStack() as lines:
        slow = lines.enter_context(connect(bounded))
        slow.sendall(b"POST /v1/score HTTP/1.1\r\nHost: a\r\nContent-Length: 30\r\n\r\n")
        until(lambda: Observed.busy)
        for _ in range(30):
            lines.enter_context(connect(bounded))
        assert status(bounded) == 200
        slow.sendall(b'{"texts": ["A slow caller."]} ')
        assert slow.recv(10_000).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    ("asked", "reads"),
    [
        (b"POST /v1/score HTTP/1.1\r\nHost: a\r\nContent-Length: 30\r\n\r\n{", True),
        (b"GET /openapi.json HTTP/1.1\r\nHost: a\r\n\r\n" * 50, False),
    ],
    ids=["slow body", "slow reader"],
)
def test_many_slow_requests_keep_nobody_out(bounded, monkeypatch, asked, reads):
    monkeypatch.setattr(connections, "HEAD_SECONDS", 60)
    monkeypatch.setattr(connections, "READ_SECONDS", 60)
    with ExitStack() as slow:
        for _ in range(20):
            slow.enter_context(connect(bounded)).sendall(asked)
        until(lambda: len(Observed.busy) == 20)
        until(lambda: reads or all(line.flow.write_paused for line in list(Observed.busy)))
        for line in Observed.busy:
            Observed.busy[line] -= 60  # as if they had begun so long ago
        assert status(bounded) == 200
        assert status(bounded) == 200


def test_the_limit_of_open_files_is_raised():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(hard, connections.MOST_FILES) if hard > 0 else connections.MOST_FILES
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, wanted - 1), hard))
    try:
        connections.raise_file_limit()
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (wanted, hard)
        assert connections.file_limit() == wanted
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))


def test_with_few_files_connections_are_few(monkeypatch):
    assert connections.most_connections(200) + 3 * connections.most_unaccepted(200) < 200


def test_the_pages_server_is_bounded_although_streamlit_makes_it(app, monkeypatch):
    monkeypatch.setattr(uvicorn.Server, "startup", uvicorn.Server.startup)
    connections.bound_every_server()
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.5)
    with listening(app) as url, connect(urlsplit(url)) as line:
        assert is_closed(line)


def test_a_caller_is_answered_as_before(bounded):
    with closing(http.client.HTTPConnection(bounded.netloc, timeout=10)) as caller:
        for _ in range(2):
            caller.request("POST", "/v1/score", f'{{"texts": ["{KIND}"]}}')
            assert caller.getresponse().read().startswith(b'{"model"')
