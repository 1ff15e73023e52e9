"""Results as downloads, streamed from disk: st.download_button would hold all of it in memory.

A file is written when it is asked for. An address holds a random token that only its visitor's page
knows, and dies with the folder that the result is in.
"""

import secrets
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import streamlit as st
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route

from ui.markup import download_buttons

WRITTEN_AT_ONCE = 2
GONE = "This result was deleted when its page was closed. Score the file again.\n"
NO_ROOM = "This server cannot store the download. Try again later, or tell its operator.\n"


@dataclass(frozen=True)
class Offer:
    """A download. folder: that of the result; what: names it there. write: writes it to a path."""

    folder: Path
    what: str
    write: Callable[[Path], None]


_offered: dict[str, Offer] = {}
_changing = threading.Lock()  # each visitor's page runs in a thread of its own
_writing = threading.Semaphore(WRITTEN_AT_ONCE)


async def download(request: Request) -> Response:
    """Write an offered file, and send it."""
    offer = _offered.get(request.path_params["token"])
    if offer is None or not offer.folder.is_dir():
        return PlainTextResponse(GONE, status_code=404)
    try:
        path = await run_in_threadpool(_written, offer)
    except FileNotFoundError:  # discarded meanwhile
        return PlainTextResponse(GONE, status_code=404)
    except OSError:
        return PlainTextResponse(NO_ROOM, status_code=507)
    # nosniff and attachment: a visitor's text is saved, never shown as a page of this site
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    name = request.path_params["name"]
    return FileResponse(
        path, filename=name, headers=headers, background=BackgroundTask(path.unlink, True)
    )


def _written(offer: Offer) -> Path:
    path = offer.folder / f"download-{secrets.token_hex(8)}"
    with _writing:
        try:
            offer.write(path)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
    return path


def route() -> Route:
    """The route of all downloads, below the path that the page itself is served under."""
    return Route(f"{base_path()}/downloads/{{token}}/{{name}}", download, methods=["GET"])


def address(offer: Offer, name: str) -> str:
    """The address of an offer: the same for what is called the same in its folder."""
    with _changing:
        for old in [old for old, other in _offered.items() if not other.folder.is_dir()]:
            del _offered[old]
        same = (offer.folder, offer.what)
        tokens = (token for token, other in _offered.items() if (other.folder, other.what) == same)
        token = next(tokens, None) or secrets.token_urlsafe(24)
        _offered[token] = offer
    return f"{base_path()}/downloads/{token}/{quote(name)}"


def links(offers: Iterable[tuple[Offer, str, str]]) -> str:
    """Links that look like buttons. offers: each with its name for the visitor and its title."""
    return download_buttons((address(offer, name), title) for offer, name, title in offers)


def base_path() -> str:
    """The path that the page is served below, such as /toxicity; empty for the root."""
    base = st.get_option("server.baseUrlPath").strip("/")
    return f"/{base}" if base else ""
