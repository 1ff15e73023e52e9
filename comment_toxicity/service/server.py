"""`python -m comment_toxicity serve`: the service in one process or several, under uvicorn.

On SIGTERM a process first answers with “Connection: close” and reports that it is not ready. It
then stops accepting, answers what it has accepted, and exits. SIGINT skips the first step. Requests
are not logged: their URLs contain keys, and their bodies other people's words.
"""

import argparse
import asyncio
import logging
import os
import signal
import socket
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import fields
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn
from starlette.applications import Starlette
from uvicorn.supervisors import Multiprocess

from comment_toxicity.disk import write_whole
from comment_toxicity.errors import SettingsError, UserError
from comment_toxicity.service.connections import (
    BoundedProtocol,
    file_limit,
    most_unaccepted,
    raise_file_limit,
)
from comment_toxicity.service.routes import create_app, lifespan
from comment_toxicity.service.service import Service
from comment_toxicity.service.settings import METRICS_FOLDER, ServiceSettings

LOG = logging.getLogger("comment_toxicity.service")

DRAIN_VARIABLE = "TOXICITY_DRAIN_SECONDS"
POLICY_VARIABLE = "TOXICITY_POLICY"
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
    service = Service(settings)
    service.check()  # so that an error is one line, before uvicorn starts
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
            with _policy_copy(service) as share:
                _Supervisor(config, [config.bind_socket()], share).run()


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
    share: called on SIGHUP; whether there are new policies for the workers. None: SIGHUP replaces
        the workers.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        sockets: list[socket.socket],
        share: Callable[[], bool] | None,
    ):
        super().__init__(config, sockets)
        self._share = share

    def handle_hup(self) -> None:
        """Let the workers read the policies again."""
        if not self._share:
            super().handle_hup()
        elif self._share():
            for process in self.processes:
                if process.pid:
                    with suppress(ProcessLookupError):
                        os.kill(process.pid, signal.SIGHUP)

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


@contextmanager
def _policy_copy(service: Service) -> Iterator[Callable[[], bool] | None]:
    """Let the workers read a copy of the policy file: always one that can be used.

    Yields the function that copies it again, None without policies.
    """
    original = service.settings.policy
    if not original:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="toxicity-policy-") as folder:
        copy = Path(folder) / Path(original).name

        def share() -> bool:
            try:
                write_whole(copy, service.checked_policies())
            except (UserError, OSError) as error:
                LOG.error("%s The policies stay as they were.", error)
                return False
            return True

        write_whole(copy, service.checked_policies())
        os.environ[POLICY_VARIABLE] = str(copy)
        yield share


def worker() -> Starlette:
    """Return the application of one process, from the environment that run() has set."""
    settings = ServiceSettings.read()
    if settings.policy and hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until it can read the policies again
    service = Service(settings)
    app = create_app(service)
    running = lifespan(service)

    @asynccontextmanager
    async def until_drained(app: Starlette) -> AsyncIterator[None]:
        async with running(app):
            drain_at_sigterm(service)
            reload_at_sighup(service)
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


def reload_at_sighup(service: Service) -> None:
    """Let SIGHUP read the policy file again; without one it ends the process, as ever.

    Call it in a lifespan.
    """
    in_main = threading.current_thread() is threading.main_thread()
    if not service.settings.policy or not in_main or not hasattr(signal, "SIGHUP"):
        return
    loop = asyncio.get_running_loop()
    reading: set[asyncio.Task[None]] = set()  # the loop itself keeps no task alive

    def read_again() -> None:
        task = loop.create_task(service.reload_policies())
        reading.add(task)
        task.add_done_callback(reading.discard)

    loop.add_signal_handler(signal.SIGHUP, read_again)
