"""Connections that send nothing are closed, and no number of them keeps other callers out.

uvicorn has no time limit for the first request of a connection, nor for the rest of a request's
head. asyncio accepts until no file descriptor is left, and then nobody is served.
"""

import asyncio
import sys
from socket import socket
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS = 10  # for all of a request's head; a byte now and then gains no time
READ_SECONDS = 60  # for a caller to read any of an answer that has filled the buffers
MOST_FILES = 65_536
MOST_CONNECTIONS = 4096
MOST_UNACCEPTED = 2048  # uvicorn's own default


def raise_file_limit() -> None:
    """Raise this process's limit of open files as far as it may be raised."""
    if sys.platform != "win32":
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = min(_number(hard), MOST_FILES)
        if _number(soft) < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def file_limit() -> int:
    """Return how many files this process may open, at most MOST_FILES."""
    if sys.platform == "win32":
        return MOST_FILES
    import resource

    return min(_number(resource.getrlimit(resource.RLIMIT_NOFILE)[0]), MOST_FILES)


def most_connections(files: int) -> int:
    """Return how many connections a process takes that may open this many files."""
    return min(MOST_CONNECTIONS, files // 2)


def most_unaccepted(files: int) -> int:
    """Return how many connections may wait to be accepted: asyncio accepts so many in one go."""
    return min(MOST_UNACCEPTED, files // 8)


def _number(limit: int) -> int:
    return MOST_FILES if limit < 0 else limit  # RLIM_INFINITY is -1


class BoundedProtocol(H11Protocol):
    """uvicorn's HTTP, with time limits for silent callers and a bound on connections.

    At the bound, the connection that has been longest without a request is closed for the new one;
    where all have one, the oldest: its caller sends a body, or reads an answer, very slowly.
    """

    def __init__(self, *arguments: Any, **named: Any):
        super().__init__(*arguments, **named)
        # This server's connections without a request, and those with one and since when; the
        # oldest first.
        shared = self.server_state.__dict__
        self._waiting: dict[BoundedProtocol, None] = shared.setdefault("waiting", {})
        self._busy: dict[BoundedProtocol, float] = shared.setdefault("busy", {})
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for a request, in the place of another connection where there are too many."""
        super().connection_made(transport)
        self._follow()
        if len(self.connections) > most_connections(file_limit()):
            self._for_which_there_is_no_room().drop()

    def data_received(self, data: bytes) -> None:
        """Read the request."""
        super().data_received(data)
        self._follow()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        super().on_response_complete()
        self._follow()

    def pause_writing(self) -> None:
        """Stop the answer until the caller has read some of it."""
        super().pause_writing()
        self._start(READ_SECONDS)

    def resume_writing(self) -> None:
        """Continue the answer."""
        super().resume_writing()
        self._stop()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._forget()
        super().connection_lost(exc)

    def drop(self) -> None:
        """Close the connection at once."""
        self._forget()
        self.connections.discard(self)
        self.transport.abort()

    def _for_which_there_is_no_room(self) -> "BoundedProtocol":
        longest = next(iter(self._waiting))
        oldest, since = next(iter(self._busy.items()), (self, self.loop.time()))
        return oldest if longest is self and self.loop.time() > since + HEAD_SECONDS else longest

    def _forget(self) -> None:
        self._stop()
        self._waiting.pop(self, None)
        self._busy.pop(self, None)

    def _follow(self) -> None:
        """Limit the wait for a request, unless uvicorn's limit between two requests does."""
        if self not in self.connections:  # a WebSocket has a protocol of its own
            self._forget()
            return
        if self.cycle and not self.cycle.response_complete:
            self._stop()
            self._waiting.pop(self, None)
            self._busy.setdefault(self, self.loop.time())
            return
        self._busy.pop(self, None)
        self._waiting.setdefault(self)
        if self.timeout_keep_alive_task is None:
            self._start(HEAD_SECONDS)

    def _start(self, seconds: float) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(seconds, self.drop)

    def _stop(self) -> None:
        if self._deadline:
            self._deadline.cancel()
            self._deadline = None


def bound_every_server() -> None:
    """Let each uvicorn server of this process use BoundedProtocol.

    For the page: Streamlit starts the server, and gives no access to its settings. The application
    is imported after the server has read its settings, and before it listens.
    """
    raise_file_limit()
    original = uvicorn.Server.startup

    async def startup(self: uvicorn.Server, sockets: list[socket] | None = None) -> None:
        self.config.http_protocol_class = BoundedProtocol
        self.config.backlog = min(self.config.backlog, most_unaccepted(file_limit()))
        await original(self, sockets)

    uvicorn.Server.startup = startup  # type: ignore[method-assign]
