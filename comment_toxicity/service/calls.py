"""Requests, answers and endpoints without HTTP: the parts of a batch use them, too."""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from comment_toxicity.service.errors import ApiError
from comment_toxicity.service.messages import ERROR
from comment_toxicity.service.proto_json import Message

LARGE = 131_072
"""A request is large if it, or its answer, has more bytes than this: than one comment can take."""


async def _stays() -> bool:
    return False


@dataclass(frozen=True)
class Call:
    """One request.

    query: the parameters of the URL, the last of each name.
    headers: by name, in lower case.
    client: the caller's address.
    root: the URL that all paths of the service are under, as the caller wrote it.
    left: whether the caller has closed the connection.
    key: the SHA-256 digest of the caller's valid API key; empty where no keys are set.
    batched: whether it is a part of a batch.
    """

    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    client: str
    root: str
    left: Callable[[], Awaitable[bool]] = _stays
    key: bytes = b""
    batched: bool = False

    async def check_caller(self) -> None:
        """Raise ApiError if the caller has left: nobody would read the answer."""
        if await self.left():
            raise ApiError(499, "The caller closed the connection.")


@dataclass(frozen=True)
class Answer:
    """What is sent back."""

    status: int
    body: bytes
    media_type: str = "application/json; charset=UTF-8"
    headers: Mapping[str, str] = field(default_factory=dict)


def as_json(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """Answer with JSON. ASCII only, so lone surrogates that were sent in come out unchanged."""
    body = json.dumps(value, separators=(",", ":"), allow_nan=False).encode("ascii")
    return Answer(status, body, headers=headers or {})


def error_answer(error: ApiError) -> Answer:
    """Answer with an error."""
    return as_json(error.body(), error.code, error.headers)


@dataclass(frozen=True)
class ErrorFormat:
    """How the errors of an endpoint are written.

    answer: makes the answer. message: describes its body.
    statuses: those that only this format has, and what they mean, for the OpenAPI document.
    """

    answer: Callable[[ApiError], Answer] = error_answer
    message: Message = ERROR
    statuses: Mapping[str, str] = field(default_factory=dict)


GOOGLE_ERRORS = ErrorFormat()


@dataclass(frozen=True)
class Endpoint:
    """One address of the service.

    name: what metrics and the OpenAPI document call it.
    keyed: whether it needs an API key, where keys are set.
    scoring: whether it counts as work, which is refused when there is too much of it.
    summary: for the OpenAPI document; without one the document leaves the endpoint out.
    request, response: the messages that its bodies are; no request for GET.
    errors: the format of its errors.
    """

    name: str
    method: str
    path: str
    handler: Callable[[Call], Awaitable[Answer]]
    keyed: bool = True
    scoring: bool = True
    summary: str = ""
    request: Message | None = None
    response: Message | None = None
    errors: ErrorFormat = GOOGLE_ERRORS
