"""What reaches Streamlit's server: requests that this site's own page sends, within bounds.

Streamlit alone serves any host name, asks a server on the internet for this machine's address to
judge a foreign Origin, and holds any number of uploads and visitors.
"""

import asyncio
import ipaddress
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from urllib.parse import SplitResult, urlsplit

import streamlit as st
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit import runtime

from comment_toxicity.service.access import network
from comment_toxicity.service.browsers import check_host, is_loopback
from comment_toxicity.service.connections import file_limit
from comment_toxicity.service.errors import ApiError
from ui.downloads import base_path

STREAM, UPLOADS, METRICS = "/_stcore/stream", "/_stcore/upload_file/", "/_stcore/metrics"
PAGES = ("/", "/score", "/file", "/models", "/train")

MOST_VISITORS = 300
A_VISITORS_SHARE = 0.5  # of them, for tabs of one address: a large office shares one, too
FILES_A_VISITOR = 12  # 5 while the tab is open, 4 for some minutes after, and room for others
SESSION_BYTES = 211_000_000  # one upload of the largest size, as it is sent
SERVER_BYTES = 1_000_000_000
SESSION_FILES = 20  # the page copies each when it arrives, and then drops it
UPLOAD_SECONDS = 600
UNREAD_SECONDS = 10  # for a browser to send what it cannot keep, and to read why

POLICY = "img-src 'self' data: blob:"  # a picture would tell its server who looks at the page
NO_FRAMES = "; frame-ancestors 'self'"


class Guard:
    """ASGI middleware that refuses what only attackers send, in a sentence.

    hosts: names that the server answers to besides addresses and localhost; none for any.
    origins: of pages that may open the page's connection, besides its own.
    framed: whether pages of other sites may show it in a frame.
    most_visitors: how many tabs are served at a time; by default, as many as open files allow.
    """

    def __init__(
        self,
        app: ASGIApp,
        hosts: Sequence[str] = (),
        origins: Sequence[str] = (),
        framed: bool = True,
        most_visitors: int | None = None,
    ):
        self._app = app
        self._hosts = hosts
        self._origins = origins
        self._policy = POLICY + NO_FRAMES * (not framed)
        self._most_visitors = most_visitors or most_visitors_of(file_limit())
        self._visitors = 0
        self._tabs: Counter[str] = Counter()  # by the visitor's address
        self._arriving: Counter[str] = Counter()  # bytes of unfinished uploads, by session

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request or refuse it."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        path = scope["path"].removeprefix(base_path()) or "/"
        try:
            check_host(headers.get("host", ""), self._hosts)
        except ApiError as error:
            await _refuse(scope, receive, send, error.code, error.message)
            return
        if scope["type"] == "websocket":
            await self._stream(scope, receive, send, headers)
        elif path.rstrip("/") == METRICS:
            await _refuse(scope, receive, send, 404, "Not found.")
        elif path in PAGES and (sentence := self._crowded(scope)):
            await _refuse(scope, receive, send, 503, sentence)
        elif path.startswith(UPLOADS) and scope["method"] == "PUT":
            await self._upload(scope, receive, send, headers, path.split("/")[3])
        else:
            await self._app(scope, receive, self._with_policy(send))

    async def _stream(self, scope: Scope, receive: Receive, send: Send, headers: Headers) -> None:
        origin, host = headers.get("origin"), headers.get("host", "")
        if origin is not None and not self._may_open(origin, host):
            await _refuse(scope, receive, send, 403, "Pages of other sites may not open this one.")
            return
        if sentence := self._crowded(scope):
            await _refuse(scope, receive, send, 503, sentence)
            return
        if origin is not None:
            # Streamlit checks it again, and asks the internet about an origin that it cannot place.
            scope = {**scope, "headers": list(scope["headers"])}
            MutableHeaders(scope=scope)["origin"] = f"http://{host}"
        address = _address(scope)
        self._visitors += 1
        self._tabs[address] += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._visitors -= 1
            self._tabs[address] -= 1
            self._tabs += Counter()  # forget addresses without any

    def _may_open(self, origin: str, host: str) -> bool:
        if not st.get_option("server.enableCORS"):
            return True
        if {"*", origin} & {*self._origins, *st.get_option("server.corsAllowedOrigins")}:
            return True
        theirs, ours = _split(origin), _split(f"{_split(origin).scheme}://{host}")
        if is_loopback(_name(theirs)) and is_loopback(_name(ours)):
            return True  # another port of this machine, such as a tunnel's
        return bool(_name(theirs)) and _place(theirs) == _place(ours)

    def _crowded(self, scope: Scope) -> str:
        """Why there is no room for another tab of this visitor; empty where there is."""
        if self._visitors >= self._most_visitors:
            pages = f"This server is full: {self._visitors} pages are open."
            return f"{pages} Try again in a few minutes."
        address = _address(scope)
        if address and self._tabs[address] >= self._most_visitors * A_VISITORS_SHARE:
            return f"{self._tabs[address]} pages are open from your address. Close one of them."
        return ""

    async def _upload(
        self, scope: Scope, receive: Receive, send: Send, headers: Headers, session: str
    ) -> None:
        """Pass an upload on while there is room for it: Streamlit keeps uploads in memory."""
        length = headers.get("content-length", "")
        if not length.isdecimal() or int(length) > self._room(session):
            await _refuse_upload(scope, receive, send)
            return
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            size = len(message.get("body", b""))
            if size > self._room(session):
                raise _NoRoomError
            received += size
            self._arriving[session] += size
            return message

        started = False

        async def noted(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            async with asyncio.timeout(UPLOAD_SECONDS):
                await self._app(scope, counted, noted)
        except (TimeoutError, _NoRoomError):
            if started:
                raise
            await _refuse_upload(scope, receive, send)
        except ClientDisconnect:
            pass  # the traceback would be thirty times as long as what the caller sent
        finally:
            self._arriving[session] -= received
            self._arriving += Counter()  # forget sessions without any

    def _room(self, session: str) -> int:
        """Bytes that a session may still upload."""
        held, files = _held()
        if files[session] >= SESSION_FILES:
            return -1
        return min(
            SESSION_BYTES - held[session] - self._arriving[session],
            SERVER_BYTES - held.total() - self._arriving.total(),
        )

    def _with_policy(self, send: Send) -> Send:
        """Add headers: which pictures a page may load, which sites may show it in a frame."""

        async def with_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if headers.get("content-type", "").startswith("text/html"):
                    headers["content-security-policy"] = self._policy
            await send(message)

        return with_policy


class _NoRoomError(Exception):
    pass


def most_visitors_of(files: int) -> int:
    """How many tabs are served by a process that may open this many files."""
    return max(1, min(MOST_VISITORS, files // FILES_A_VISITOR))


def _address(scope: Scope) -> str:
    """The visitor's address on the internet; empty for another, which a proxy's can be."""
    host = (scope.get("client") or ("",))[0]
    with suppress(ValueError):
        if ipaddress.ip_address(host).is_global:
            return network(host)
    return ""


def _held() -> tuple[Counter[str], Counter[str]]:
    """Bytes of the uploads in memory, by session, and their number."""
    manager = runtime.get_instance().uploaded_file_mgr if runtime.exists() else None
    storage = {
        session: list(files.values())
        for session, files in list(getattr(manager, "file_storage", {}).items())
    }
    return (
        Counter({name: sum(len(file.data) for file in files) for name, files in storage.items()}),
        Counter({name: len(files) for name, files in storage.items()}),
    )


async def _refuse_upload(scope: Scope, receive: Receive, send: Send) -> None:
    sentence = "This server has no room for another upload. Try again in a few minutes."
    await _refuse(scope, receive, send, 503, sentence)


async def _refuse(scope: Scope, receive: Receive, send: Send, status: int, sentence: str) -> None:
    """Answer at once; a body is then read and dropped: a browser reads the answer after it."""
    if scope["type"] == "websocket":  # the browser shows its page no sentence: 403
        await send({"type": "websocket.close", "code": 1008})
        return
    headers = {"Cache-Control": "no-store", "Connection": "close"}
    response = PlainTextResponse(f"{sentence}\n", status, headers)

    async def unfinished(message: Message) -> None:
        if message["type"] == "http.response.body":
            message["more_body"] = True
        await send(message)

    await response(scope, receive, unfinished)
    with suppress(TimeoutError):
        async with asyncio.timeout(UNREAD_SECONDS):
            while (await receive()).get("more_body"):
                pass
    await send({"type": "http.response.body", "body": b""})


def _split(url: str) -> SplitResult:
    """The parts of a URL; empty ones for what is none."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return SplitResult("", "", "", "", "")
    return parts


def _name(parts: SplitResult) -> str:
    return (parts.hostname or "").rstrip(".")


def _place(parts: SplitResult) -> tuple[str, int]:
    return _name(parts), parts.port or {"https": 443}.get(parts.scheme, 80)
