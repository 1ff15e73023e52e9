"""moto's S3 on localhost, and the ways it can fail."""

import re
import socket
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from werkzeug.serving import make_server


@dataclass
class Fault:
    """What to do instead of answering the next request that matches, or before it.

    action: a status and S3's code for it; "close" (break the connection), "close after" (do it,
    but answer nothing), "half" (send half of the body), or a function to be called before
    answering.
    """

    method: str
    path: str
    action: tuple[int, str] | str | Callable[[], None]


class S3:
    """The server; what it holds is moto's, and can be looked at with a client of one's own."""

    def __init__(self) -> None:
        from moto.moto_server.werkzeug_app import (
            DomainDispatcherApplication,
            MotoRequestHandler,
            create_backend_app,
        )

        self.app = DomainDispatcherApplication(create_backend_app)
        self.faults: list[Fault] = []
        self.asked: list[str] = []
        self.stopped = False

        class Quiet(MotoRequestHandler):
            def log_request(self, *arguments: Any) -> None:
                pass

        self._server = make_server("127.0.0.1", 0, self, True, request_handler=Quiet)
        self._server.handle_error = lambda *arguments: None  # connections are broken on purpose
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=[0.01], daemon=True).start()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer a request, as WSGI wants it."""
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        self.asked.append(f"{method} {path}")
        fault = next(
            (
                fault
                for fault in self.faults
                if fault.method == method and re.search(fault.path, path)
            ),
            None,
        )
        if fault:
            self.faults.remove(fault)
        action = fault.action if fault else None
        if callable(action):
            action()
        if isinstance(action, tuple):
            status, code = action
            start_response(f"{status} Refused", [("Content-Type", "text/xml")])
            return [f"<Error><Code>{code}</Code><Message>as wanted</Message></Error>".encode()]
        answer = None if action == "close" else self.app(environ, start_response)
        if action == "half":
            return self.half(b"".join(answer or ()), environ["werkzeug.socket"])
        if action in ("close", "close after"):
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            raise ConnectionError("as the test wants it")
        return answer

    @staticmethod
    def half(body: bytes, connection: socket.socket) -> Iterable[bytes]:
        """Send half of the body, and break the connection."""
        yield body[: len(body) // 2]
        connection.shutdown(socket.SHUT_RDWR)
        raise ConnectionError("as the test wants it")

    def fail(self, method: str, path: str, action: Any) -> None:
        """Make the next request with this method and a matching path fail."""
        self.faults.append(Fault(method, path, action))

    def objects(self) -> dict[tuple[str, str], tuple[bytes, dict[str, str]]]:
        """All objects: (bucket, key) → (content, metadata)."""
        return {
            (bucket.name, key.name): (key.value, dict(key.metadata))
            for bucket in self._backend().buckets.values()
            for key in bucket.keys.values()
        }

    def fill(self, objects: dict[tuple[str, str], tuple[bytes, dict[str, str]]]) -> None:
        """Store what objects() returned, without a request."""
        for (bucket, name), (value, metadata) in objects.items():
            if bucket not in self._backend().buckets:
                self._backend().create_bucket(bucket, "us-east-1")
            key = self._backend().put_object(bucket, name, value)
            key.set_metadata(metadata, replace=True)

    @staticmethod
    def _backend() -> Any:
        from moto.backends import get_backend

        return get_backend("s3")["123456789012"]["aws"]

    def reset(self) -> None:
        """Forget all buckets, requests and faults."""
        from moto.backends import get_backend

        for backends in get_backend("s3").values():
            for backend in backends.values():
                backend.reset()
        self.faults.clear()
        self.asked.clear()

    def stop(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()
