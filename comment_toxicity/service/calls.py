"""A request and its answer, freed from HTTP: the parts of a batch are made of them as well."""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

LARGE = 131_072
"""A request is large that has more bytes than one comment can take, or whose answer has."""


@dataclass(frozen=True)
class Call:
    """One request.

    query: the parameters of the URL, the last of each name.
    headers: by their names in small letters.
    client: the caller's address. root: the address that all paths of the service begin with, as the
    caller wrote it.
    """

    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    client: str
    root: str


@dataclass(frozen=True)
class Answer:
    """What is sent back."""

    status: int
    body: bytes
    media_type: str = "application/json; charset=UTF-8"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Endpoint:
    """One address of the service.

    name: what it is called in metrics. keyed: whether it wants an API key, where keys are set.
    scoring: whether it counts as work, which is refused when there is too much of it.
    """

    name: str
    method: str
    path: str
    handler: Callable[[Call], Awaitable[Answer]]
    keyed: bool = True
    scoring: bool = True


def as_json(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """Answer with JSON. ASCII only, so half characters that were sent in come out as they were."""
    body = json.dumps(value, separators=(",", ":"), allow_nan=False).encode("ascii")
    return Answer(status, body, headers=headers or {})
