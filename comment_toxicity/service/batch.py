"""Many requests in one: multipart/mixed with one HTTP request per part, as Google's clients send.

The answer has an HTTP response in each part, named “response-” plus the name of the request.
"""

import asyncio
import http.client
import re
import uuid
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from urllib.parse import parse_qsl, unquote, urlsplit

from comment_toxicity.service.batching import portions
from comment_toxicity.service.calls import LARGE, Answer, Call, Endpoint, error_answer
from comment_toxicity.service.errors import ApiError, invalid
from comment_toxicity.service.service import Service

MAX_PARTS = 1000  # what Google's clients send at most
MAX_ANSWERS = 8_388_608  # bytes; once the answers exceed it, the remaining parts are refused
TOO_MUCH = (
    f"The batch's answers exceed the limit: {MAX_ANSWERS} bytes. Send this request again, in a "
    "smaller batch."
)
KEY_HEADERS = ("authorization", "x-goog-api-key")
Endpoints = Mapping[tuple[str, str], Endpoint]
"""Those that a batch may call, by method and path."""

BOUNDARY = re.compile(r"""multipart/.*?[;\s]boundary=(?:"([^"]+)"|([^\s;"]+))""", re.I)


async def batch(service: Service, endpoints: Endpoints, call: Call) -> Answer:
    """Answer POST /batch. Keys, rate limits and errors apply to each part separately."""
    parts = _parts(call)
    answers: list[bytes] = []
    size = 0
    counted = len(call.body) > LARGE
    with ExitStack() as until_built:
        for portion in portions(list(map(len, parts))):
            await call.check_caller()
            full = size > MAX_ANSWERS
            pending = (_answer(service, endpoints, call, part, full) for part in parts[portion])
            answers += await asyncio.gather(*pending)
            size += sum(map(len, answers[portion]))
            if size > LARGE and not counted:
                until_built.enter_context(service.large())
                counted = True
    boundary = f"batch_{uuid.uuid4().hex}"
    mark = f"--{boundary}".encode()
    body = b"".join(mark + b"\r\n" + answer for answer in answers) + mark + b"--\r\n"
    return Answer(200, body, f"multipart/mixed; boundary={boundary}")


async def _answer(
    service: Service, endpoints: Endpoints, whole: Call, part: bytes, full: bool
) -> bytes:
    outer, _, inner = _head_and_body(part)
    try:
        if full:
            raise ApiError(413, TOO_MUCH)
        method, path, call = _request(whole, inner)
        endpoint = endpoints.get((method, path))
        if not endpoint:
            raise ApiError(404, "Requested entity not found.")
        answer = await service.answer_part(endpoint, call)
    except ApiError as error:
        answer = error_answer(error)
    head = [f"HTTP/1.1 {answer.status} {http.client.responses.get(answer.status, 'Cancelled')}"]
    head += [f"Content-Type: {answer.media_type}", f"Content-Length: {len(answer.body)}"]
    head += [f"{header}: {value}" for header, value in answer.headers.items()]
    name = ""
    if "content-id" in outer:
        printable = re.sub(r"[^ -~]", "", outer["content-id"])[:200]
        name = f"Content-ID: <response-{printable.strip('<>')}>\r\n"
    start = f"Content-Type: application/http\r\n{name}\r\n" + "\r\n".join(head)
    return start.encode() + b"\r\n\r\n" + answer.body + b"\r\n"


def _request(whole: Call, inner: bytes) -> tuple[str, str, Call]:
    """Return a part's method, path and call. The key may be in the part or in the whole request."""
    headers, first, body = _head_and_body(inner, first_line=True)
    words = first.split(" ")
    if len(words) < 2:
        raise invalid("A part of the batch holds no HTTP request.")
    try:
        url = urlsplit(words[1])
        query = dict(parse_qsl(url.query, max_num_fields=100))
    except ValueError:
        raise invalid("A part of the batch has an unreadable address.") from None
    query = {name: value for name, value in whole.query.items() if name == "key"} | query
    headers = {name: whole.headers[name] for name in KEY_HEADERS if name in whole.headers} | headers
    # Clients take paths from the discovery document; they can include the path of a proxy.
    path = unquote(url.path).removeprefix(urlsplit(whole.root).path)
    return words[0], path, replace(whole, query=query, headers=headers, body=body, batched=True)


def _parts(call: Call) -> list[bytes]:
    boundary = BOUNDARY.match(call.headers.get("content-type", ""))
    if not boundary:
        raise invalid("A batch has the content type multipart/mixed with a boundary.")
    mark = re.escape((boundary[1] or boundary[2]).encode("latin-1"))
    # Google's Python client ends lines with \n, others with \r\n.
    _, *parts = re.split(rb"(?:\A|\r?\n)--" + mark + rb"(?=--|[ \t]*\r?\n)", call.body)
    parts = [part for part in parts if not part.startswith(b"--")]
    if not 1 <= len(parts) <= MAX_PARTS:
        raise invalid(f"A batch holds 1 to {MAX_PARTS} requests.")
    return parts


def _head_and_body(block: bytes, first_line: bool = False) -> tuple[dict[str, str], str, bytes]:
    """Split into headers (names in lower case), the line before them if `first_line`, and body."""
    head, *body = re.split(rb"\r?\n\r?\n", block.lstrip(b"\r\n \t"), maxsplit=1)
    lines = head.decode("latin-1").splitlines()
    first = lines.pop(0) if first_line and lines else ""
    pairs = (line.partition(":") for line in lines)
    headers = {name.strip().lower(): value.strip() for name, colon, value in pairs if colon}
    return headers, first, body[0] if body else b""
