"""What reaches Streamlit's server: this site's own requests, within bounds."""

import asyncio
from types import SimpleNamespace

import pytest
import streamlit as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect
from streamlit.web.server import server_util

from ui import guard
from ui.guard import Guard, most_visitors_of


@pytest.fixture(autouse=True)
def no_question_to_the_internet(monkeypatch):
    """Streamlit would ask for this machine's address."""

    def asked():
        raise AssertionError("the internet was asked")

    monkeypatch.setattr("streamlit.net_util.get_external_ip", asked)


async def stream(websocket: WebSocket) -> None:
    """Judge the origin as Streamlit does, and stay until the browser leaves."""
    origin, host = websocket.headers.get("origin"), websocket.headers["host"]
    if origin and origin.split("//")[1] != host:
        assert server_util.is_url_from_allowed_origins(origin)
    await websocket.accept()
    await websocket.receive()


async def upload(request: Request) -> PlainTextResponse:
    return PlainTextResponse(str(len(await request.body())))


async def page(_: Request) -> HTMLResponse:
    return HTMLResponse("<title>")


def client(host="127.0.0.1:8501", **settings):
    """A browser on a page that Guard stands before."""
    inside = Starlette(
        routes=[
            WebSocketRoute("/_stcore/stream", stream),
            Route("/_stcore/upload_file/{session}/{file}", upload, methods=["PUT"]),
            Route("/_stcore/metrics", page),
            Route("/{rest:path}", page),
        ]
    )
    return TestClient(Guard(inside, **settings), base_url=f"http://{host}")


def opens(browser, **headers):
    """Whether the page's connection opens."""
    headers = {"host": browser.base_url.netloc.decode(), **headers}
    try:
        with browser.websocket_connect("/_stcore/stream", headers=headers):
            return True
    except WebSocketDisconnect:
        return False


@pytest.mark.parametrize(
    ("host", "origin", "opened"),
    [
        ("127.0.0.1:8501", "http://127.0.0.1:8501", True),
        ("127.0.0.1:8501", "http://localhost:3000", True),
        ("[::1]:8501", "http://[::1]:8501", True),
        ("tox.example", "https://tox.example", True),
        ("tox.example:443", "https://tox.example", True),
        ("tox.example", "https://other.example", True),  # listed
        ("tox.example", "https://evil.example", False),
        ("tox.example", "https://tox.example.evil.example", False),
        ("tox.example", "https://tox.example@evil.example", False),
        ("tox.example", "http://localhost:3000", False),
        ("127.0.0.1:8501", "http://evil.example", False),
        ("127.0.0.1:8501", "null", False),
        ("127.0.0.1:8501", "", False),
        ("127.0.0.1:8501", "http://[", False),
        ("127.0.0.1:8501", "", False),
        ("127.0.0.1:8501", "http://127.0.0.1.evil.example:8501", False),
    ],
)
def test_only_the_page_itself_opens_its_connection_and_nobody_asks_the_internet(
    host, origin, opened
):
    browser = client(host, origins=["https://other.example"])
    assert opens(browser, origin=origin) is opened


def test_a_program_without_an_origin_opens_the_connection():
    assert opens(client())


@pytest.mark.parametrize(
    ("host", "answered"),
    [
        ("localhost:8501", True),
        ("127.0.0.1:8501", True),
        ("[::1]:8501", True),
        ("192.0.2.7", True),  # an address is nobody's name
        ("tox.example", True),
        ("a.sites.example", True),
        ("evil.example:8501", False),
        ("localhost.evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("sites.example", False),
        ("evilsites.example", False),
    ],
)
def test_a_page_for_this_machine_answers_to_no_strange_name(host, answered):
    browser = client(host, hosts=["localhost", "tox.example", "*.sites.example"])
    reply = browser.get("/train")
    assert (reply.status_code == 200) is answered
    assert answered or "TOXICITY_ALLOWED_HOSTS" in reply.text
    assert opens(browser, origin=f"http://{host}") is answered
    assert client(host).get("/").status_code == 200  # without a list, every name is answered


@pytest.mark.parametrize("path", ["/_stcore/metrics", "/_stcore/metrics/"])
def test_streamlits_own_metrics_are_nobodys_business(path):
    assert client().get(path).status_code == 404


def test_no_other_site_frames_the_page_and_no_picture_of_another_is_loaded():
    assert client(framed=False).get("/").headers["content-security-policy"] == (
        "img-src 'self' data: blob:; frame-ancestors 'self'"
    )
    assert client().get("/").headers["content-security-policy"] == "img-src 'self' data: blob:"


def test_a_full_server_says_so_until_a_tab_is_closed():
    browser = client(most_visitors=2)
    with browser.websocket_connect("/_stcore/stream"):
        with browser.websocket_connect("/_stcore/stream"):
            reply = browser.get("/file")
            assert reply.status_code == 503
            assert reply.text.startswith("This server is full: 2 pages are open.")
            assert browser.get("/health/live").status_code == 200
            assert not opens(browser)
        assert browser.get("/file").status_code == 200
        assert opens(browser)


def test_one_address_takes_half_of_the_tabs_at_most():
    page = client(most_visitors=4).app
    one, other, proxy = (
        TestClient(page, base_url="http://127.0.0.1:8501", client=(address, 50_000))
        for address in ("8.8.8.8", "8.8.4.4", "10.0.0.1")
    )

    def tab(browser):
        return browser.websocket_connect("/_stcore/stream")

    with tab(one), tab(one):
        reply = one.get("/")
        assert reply.status_code == 503
        assert reply.text.startswith("2 pages are open from your address.")
        assert not opens(one)
        assert other.get("/").status_code == 200
        with tab(proxy), tab(proxy):  # behind an address that is not on the internet are many
            assert other.get("/").text.startswith("This server is full")
    assert opens(one)


def test_fewer_visitors_fit_where_few_files_may_be_open():
    assert most_visitors_of(256) == 21
    assert most_visitors_of(65_536) == 300
    assert most_visitors_of(3) == 1


@pytest.fixture
def held(monkeypatch):
    """The uploads that Streamlit holds: bytes by session and file."""
    storage = {}
    manager = SimpleNamespace(file_storage=storage)
    monkeypatch.setattr(guard.runtime, "exists", lambda: True)
    monkeypatch.setattr(
        guard.runtime, "get_instance", lambda: SimpleNamespace(uploaded_file_mgr=manager)
    )
    monkeypatch.setattr(guard, "SESSION_BYTES", 100)
    monkeypatch.setattr(guard, "SERVER_BYTES", 250)

    def hold(session, file, size):
        storage.setdefault(session, {})[file] = SimpleNamespace(data=b"x" * size)

    return hold


def test_uploads_are_bounded_by_visitor_and_by_server(held):
    browser = client()

    def status(session, size):
        return browser.put(f"/_stcore/upload_file/{session}/f", content=b"x" * size).status_code

    assert status("a", 100) == 200
    assert status("a", 101) == 503
    held("a", "1", 60)
    assert (status("a", 40), status("a", 41), status("b", 100)) == (200, 503, 200)
    held("b", "1", 90)
    held("c", "1", 60)
    assert (status("d", 40), status("d", 41)) == (200, 503)


def test_the_number_of_a_visitors_uploads_is_bounded(held, monkeypatch):
    monkeypatch.setattr(guard, "SESSION_FILES", 3)
    browser = client()
    for file in "123":
        assert browser.put("/_stcore/upload_file/a/f", content=b"x").status_code == 200
        held("a", file, 1)
    assert browser.put("/_stcore/upload_file/a/f", content=b"").status_code == 503
    assert browser.put("/_stcore/upload_file/b/f", content=b"x").status_code == 200


def test_an_upload_that_breaks_off_leaves_no_traceback(held):
    async def reads(scope, receive, _):
        await Request(scope, receive).body()

    async def broken_off():
        messages = iter(
            [
                {"type": "http.request", "body": b"x", "more_body": True},
                {"type": "http.disconnect"},
            ]
        )

        async def receive():
            return next(messages)

        async def send(message):
            raise AssertionError(message)

        scope = {
            "type": "http",
            "method": "PUT",
            "path": "/_stcore/upload_file/a/f",
            "headers": [(b"host", b"127.0.0.1"), (b"content-length", b"9")],
        }
        await Guard(reads)(scope, receive, send)

    asyncio.run(broken_off())


def test_an_upload_that_hides_its_size_is_refused(held):
    def pieces():
        yield b"x" * 10

    reply = client().put("/_stcore/upload_file/a/f", content=pieces())
    assert reply.status_code == 503
    assert reply.text.startswith("This server has no room for another upload.")


def test_the_page_is_not_steered_by_the_page_around_it():
    assert st.get_option("client.allowedOrigins") == []
