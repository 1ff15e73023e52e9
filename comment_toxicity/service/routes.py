"""The service over HTTP: Starlette routes, alone or beside a Streamlit page.

app = st.App("page.py", routes=routes(service), lifespan=lifespan(service))
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager, suppress
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from comment_toxicity.service.browsers import check_host, check_origin
from comment_toxicity.service.calls import LARGE, Answer, Call, Endpoint, error_answer
from comment_toxicity.service.compression import Decompressor
from comment_toxicity.service.endpoints import endpoints
from comment_toxicity.service.errors import ApiError, too_large
from comment_toxicity.service.service import Service

BODY_SECONDS = 10  # time for a caller to send the body
SEND_SECONDS = 60  # time for a caller to read the answer
PIECE = 65_536  # bytes of an answer handed to the server at a time


def routes(service: Service, base: str = "") -> list[Route]:
    """Return the routes for another Starlette application, such as a Streamlit page's.

    base: a path, such as /toxicity, that they are served under as well as at the root.
    Each leads into an application of our own, so that errors, CORS and limits are ours too. It gets
    everything below the first part of a path: the page would answer an unknown path with 200.
    """
    prefixes = sorted({endpoint.path.split("/")[1] for endpoint in endpoints(service)})
    all_routes = []
    for before in sorted({"", base}):
        inside = create_app(service, before)
        for prefix in prefixes:
            all_routes += [
                Route(f"{before}/{prefix}", endpoint=inside),
                Route(f"{before}/{prefix}/{{rest:path}}", endpoint=inside),
            ]
    return all_routes


def lifespan(service: Service) -> Callable[[Any], AbstractAsyncContextManager[None]]:
    """Return a lifespan that starts and stops the service with an application."""

    @asynccontextmanager
    async def running(_: Any) -> AsyncIterator[None]:
        await service.start()
        try:
            yield
        finally:
            await service.stop()

    return running


def create_app(service: Service, base: str = "") -> Starlette:
    """Return the service as an application of its own, all of it below the path `base`."""
    middleware = []
    if service.settings.cors_origins:
        middleware.append(
            Middleware(
                CORSMiddleware,
                allow_origins=service.settings.cors_origins,
                allow_methods=["GET", "POST"],
                allow_headers=["authorization", "content-type", "x-goog-api-key"],
                expose_headers=["retry-after"],
            )
        )
    app = Starlette(
        routes=[
            Route(
                base + endpoint.path, _Handler(service, endpoint, base), methods=[endpoint.method]
            )
            for endpoint in endpoints(service)
        ],
        middleware=middleware,
        exception_handlers={HTTPException: _no_such_route},
        lifespan=lifespan(service),
    )
    # A path with a slash too many would lead to a URL made of the caller's Host, key included.
    app.router.redirect_slashes = False
    return app


class _Handler:
    """An endpoint as an ASGI application. A large request counts until its answer is sent."""

    def __init__(self, service: Service, endpoint: Endpoint, base: str):
        self._service = service
        self._endpoint = endpoint
        self._base = base

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with ExitStack() as until_sent:
            response = await self._answered(Request(scope, receive), until_sent)
            # After that the server accepts no more of it, and closes the connection once the caller
            # has read what it has.
            with suppress(TimeoutError):
                async with asyncio.timeout(SEND_SECONDS):
                    await response(scope, receive, _in_pieces(send))

    async def _answered(self, request: Request, until_sent: ExitStack) -> Response:
        service = self._service
        try:
            self._check_browser(request)
            body = await _body(request, service, until_sent)
        except ApiError as error:
            until_sent.close()
            service.metrics.answered(self._endpoint.name, error.code, 0)
            response_type = Response if error.code == 408 else _Unread
            answer = self._endpoint.errors.answer(error)
            return _response(answer, response_type=response_type)
        except ClientDisconnect:
            return Response(status_code=400)  # nobody reads it
        call = Call(
            request.query_params,
            request.headers,
            body,
            client=request.client.host if request.client else "",
            root=service.settings.public_url.rstrip("/")
            or f"{request.url.scheme}://{request.url.netloc}{self._base}",
            left=request.is_disconnected,
        )
        answer = await service.answer(self._endpoint, call, until_sent)
        return _response(answer, service.draining)

    def _check_browser(self, request: Request) -> None:
        settings = self._service.settings
        check_host(request.headers.get("host", ""), settings.allowed_hosts)
        if self._endpoint.method != "GET":
            check_origin(request.headers, [settings.public_url], settings.cors_origins)


def _in_pieces(send: Send) -> Send:
    """Split bodies: the server takes a piece only when most of the earlier ones have been read.

    It would take a whole body at once, and keep it for a caller who never reads.
    """

    async def piecewise(message: Message) -> None:
        if message["type"] != "http.response.body":
            await send(message)
            return
        body = message.get("body", b"")
        for start in range(0, len(body) or 1, PIECE):
            more = start + PIECE < len(body) or message.get("more_body", False)
            await send({**message, "body": body[start : start + PIECE], "more_body": more})

    return piecewise


async def _body(request: Request, service: Service, until_sent: ExitStack) -> bytes:
    parts: list[bytes] = []
    size = 0
    limit = service.settings.max_body
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > limit:
        raise too_large(limit)
    decompressor = Decompressor(request.headers.get("content-encoding", ""), limit)
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for packed in request.stream():
                part = decompressor.unpack(packed)
                if size <= LARGE < size + len(part):
                    until_sent.enter_context(service.large())
                size += len(part)
                parts.append(part)
    except TimeoutError:
        message = f"The request's body did not arrive within {BODY_SECONDS} seconds."
        raise ApiError(408, message, headers={"Connection": "close"}) from None
    decompressor.finish()
    return b"".join(parts)


def _response(
    answer: Answer, draining: bool = False, response_type: type[Response] = Response
) -> Response:
    headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", **answer.headers}
    if draining:
        headers["Connection"] = "close"  # the caller's next request goes elsewhere
    return response_type(answer.body, answer.status, headers, answer.media_type)


class _Unread(Response):
    """An answer to an unwanted body: sent at once, before the rest of the body is discarded.

    Many callers read the answer only after they have sent everything. If the connection closed
    before that, they would see a network error instead.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.headers["connection"] = "close"

        async def send_unfinished(message: Message) -> None:
            if message["type"] == "http.response.body":
                message["more_body"] = True
            await send(message)

        await super().__call__(scope, receive, send_unfinished)
        with suppress(TimeoutError):
            async with asyncio.timeout(BODY_SECONDS):
                while (await receive()).get("more_body"):
                    pass
        await send({"type": "http.response.body", "body": b""})


async def _no_such_route(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for no other
    message = "Method not allowed." if error.status_code == 405 else "Requested entity not found."
    return _response(error_answer(ApiError(error.status_code, message, headers=error.headers)))


__all__: Sequence[str] = ["create_app", "lifespan", "routes"]
