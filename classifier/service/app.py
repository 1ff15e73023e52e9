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

from classifier.service.calls import Answer, Call, Endpoint, as_json
from classifier.service.core import Service
from classifier.service.refusals import RefusedError, too_large

BODY_SECONDS = 10  # a caller who sends slower than this is not waited for
LARGE_BODY = 131_072  # bytes; more than one comment can take


def routes(service: Service) -> list[Route]:
    """Give the routes for another Starlette application, such as a Streamlit page's.

    Each leads into an application of our own, so that errors, CORS and limits are ours too.
    """
    inside = create_app(service)
    return [Route(endpoint.path, endpoint=inside) for endpoint in service.endpoints]


def lifespan(service: Service) -> Callable[[Any], AbstractAsyncContextManager[None]]:
    """Give what starts the service with an application, and stops it with it."""

    @asynccontextmanager
    async def running(_: Any) -> AsyncIterator[None]:
        await service.start()
        try:
            yield
        finally:
            await service.stop()

    return running


def create_app(service: Service) -> Starlette:
    """Give the service as an application of its own."""
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
    return Starlette(
        routes=[
            Route(endpoint.path, _handler(service, endpoint), methods=[endpoint.method])
            for endpoint in service.endpoints
        ],
        middleware=middleware,
        exception_handlers={HTTPException: _no_such_route},
        lifespan=lifespan(service),
    )


def _handler(service: Service, endpoint: Endpoint) -> Callable:
    async def handle(request: Request) -> Response:
        with ExitStack() as until_answered:
            return await answered(request, until_answered)

    async def answered(request: Request, until_answered: ExitStack) -> Response:
        try:
            body = await _body(request, service, until_answered)
        except RefusedError as refused:
            service.metrics.answered(endpoint.name, refused.code, 0)
            kind = Response if refused.code == 408 else _Unread
            return _response(as_json(refused.body(), refused.code, refused.headers), kind=kind)
        except ClientDisconnect:
            return Response(status_code=400)  # nobody is there to read it
        call = Call(
            request.query_params,
            request.headers,
            body,
            client=request.client.host if request.client else "",
            root=service.settings.public_url.rstrip("/") or _root(request),
        )
        return _response(await service.answer(endpoint, call), service.draining)

    return handle


async def _body(request: Request, service: Service, until_answered: ExitStack) -> bytes:
    parts: list[bytes] = []
    size = 0
    limit = service.settings.max_body
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > limit:
        raise too_large(limit)
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for part in request.stream():
                if size <= LARGE_BODY < size + len(part):
                    until_answered.enter_context(service.large())
                size += len(part)
                if size > limit:
                    raise too_large(limit)
                parts.append(part)
    except TimeoutError:
        message = f"The request's body did not arrive within {BODY_SECONDS} seconds."
        raise RefusedError(408, message, headers={"Connection": "close"}) from None
    return b"".join(parts)


def _root(request: Request) -> str:
    return f"{request.url.scheme}://{request.url.netloc}"


def _response(answer: Answer, draining: bool = False, kind: type[Response] = Response) -> Response:
    headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", **answer.headers}
    if draining:
        headers["Connection"] = "close"  # so that the caller's next request goes elsewhere
    return kind(answer.body, answer.status, headers, answer.media_type)


class _Unread(Response):
    """An answer to a body that is not wanted: sent at once; then what still comes is let go by.

    Many callers read an answer only after they have sent all. If the connection ended before,
    they would see an error of the network instead.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.headers["connection"] = "close"

        async def go_on(message: Message) -> None:
            if message["type"] == "http.response.body":
                message["more_body"] = True
            await send(message)

        await super().__call__(scope, receive, go_on)
        with suppress(TimeoutError):
            async with asyncio.timeout(BODY_SECONDS):
                while (await receive()).get("more_body"):
                    pass
        await send({"type": "http.response.body", "body": b""})


async def _no_such_route(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for no other
    message = "Method not allowed." if error.status_code == 405 else "Requested entity not found."
    refused = RefusedError(error.status_code, message, headers=error.headers)
    return _response(as_json(refused.body(), refused.code, refused.headers))


__all__: Sequence[str] = ["create_app", "lifespan", "routes"]
