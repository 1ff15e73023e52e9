"""`python -m comment_toxicity serve`: the service in one process or several, under uvicorn.

On SIGTERM a process first answers with “Connection: close” and reports that it is not ready. It
then stops accepting, answers what it has accepted, and exits. SIGINT skips the first step. Requests
are not logged: their URLs contain keys, and their bodies other people's words.
"""

import argparse
import asyncio
import os
import signal
import socket
import tempfile
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import fields
from types import FrameType
from typing import Any

import uvicorn
from starlette.applications import Starlette
from uvicorn.supervisors import Multiprocess

from comment_toxicity.errors import SettingsError
from comment_toxicity.service.connections import (
    BoundedProtocol,
    file_limit,
    most_unaccepted,
    raise_file_limit,
)
from comment_toxicity.service.routes import create_app, lifespan
from comment_toxicity.service.service import Service
from comment_toxicity.service.settings import METRICS_FOLDER, ServiceSettings

DRAIN_VARIABLE = "TOXICITY_DRAIN_SECONDS"
IDLE_SECONDS = 75  # longer than clients and proxies keep a connection for another request
STOP_SECONDS = 30  # for callers to read their answers


def run(arguments: argparse.Namespace) -> None:
    """Serve until told to stop. Raises ModelError or SettingsError before anything is opened."""
    settings = ServiceSettings.read(
        **{entry.name: getattr(arguments, entry.name) for entry in fields(ServiceSettings)}
    )
    if arguments.workers < 1:
        raise SettingsError("--workers must be at least 1.")
    if not arguments.drain_seconds >= 0:
        raise SettingsError("--drain-seconds must be 0 or more.")
    _check_address(arguments.host, arguments.port)
    settings = settings.on(arguments.host)
    Service(settings).check()  # so that an error is one line, before uvicorn starts
    os.environ.update(settings.environment())
    os.environ[DRAIN_VARIABLE] = str(arguments.drain_seconds)
    raise_file_limit()
    config = uvicorn.Config(
        "comment_toxicity.service.server:worker",
        factory=True,
        http=BoundedProtocol,
        host=arguments.host,
        port=arguments.port,
        workers=arguments.workers,
        backlog=most_unaccepted(file_limit()),
        access_log=False,
        server_header=False,
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=STOP_SECONDS,
    )
    with _metrics_folder(arguments.workers), suppress(KeyboardInterrupt):
        if arguments.workers == 1:
            uvicorn.Server(config).run()
        else:
            _Supervisor(config, [config.bind_socket()]).run()


def _check_address(host: str, port: int) -> None:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        socket.create_server((host, port), family=family).close()
    except (OSError, OverflowError) as error:
        reason = error.strerror if isinstance(error, OSError) else "a port is 0 to 65535"
        raise SettingsError(
            f"--host {host} --port {port}: cannot listen there ({reason}); choose another."
        ) from None


class _Supervisor(Multiprocess):
    """uvicorn's parent of several workers; when they stop, they alone hold the port.

    Else the system would go on to take connections that nobody accepts any more.
    """

    def terminate_all(self) -> None:
        """Signal the workers to stop."""
        super().terminate_all()
        for listener in self.sockets:
            listener.close()


@contextmanager
def _metrics_folder(workers: int) -> Iterator[None]:
    """Set up a shared folder for the metrics of several workers."""
    if workers == 1:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="toxicity-metrics-") as folder:
        os.environ[METRICS_FOLDER] = folder
        yield


def worker() -> Starlette:
    """Return the application of one process, from the environment that run() has set."""
    service = Service(ServiceSettings.read())
    app = create_app(service)
    running = lifespan(service)

    @asynccontextmanager
    async def until_drained(app: Starlette) -> AsyncIterator[None]:
        async with running(app):
            drain_at_sigterm(service)
            yield

    app.router.lifespan_context = until_drained
    return app


def drain_at_sigterm(service: Service) -> None:
    """Let SIGTERM reach uvicorn only TOXICITY_DRAIN_SECONDS later; call it in a lifespan."""
    if threading.current_thread() is not threading.main_thread():
        return  # it gets no signals
    given = os.environ.get(DRAIN_VARIABLE, "1")
    try:
        seconds = float(given)
    except ValueError:
        seconds = -1
    if not seconds >= 0:
        raise SettingsError(f"{DRAIN_VARIABLE}: {given!r} is not a number of 0 or more.")
    loop = asyncio.get_running_loop()
    stop: Any = signal.getsignal(signal.SIGTERM)

    def drain(number: int, _: FrameType | None) -> None:
        if service.draining:
            return  # a worker gets it twice where its process group is signalled, as by systemd
        service.draining = True
        loop.call_soon_threadsafe(loop.call_later, seconds, stop, number, None)

    signal.signal(signal.SIGTERM, drain)
