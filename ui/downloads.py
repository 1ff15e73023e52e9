"""Results as downloads, streamed from disk: st.download_button would hold all of it in memory.

An address holds a random token that only its visitor's page knows, and dies with the workspace.
"""

import secrets
import threading
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

import streamlit as st
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route

from ui.html import download_buttons
from ui.words import size_of

_offered: dict[str, Path] = {}
_changing = threading.Lock()  # each visitor's page runs in a thread of its own
GONE = "This result was deleted when its page was closed. Score the file again.\n"


async def download(request: Request) -> Response:
    """Send an offered file."""
    path = _offered.get(request.path_params["token"])
    if path is None or not path.is_file():
        return PlainTextResponse(GONE, status_code=404)
    # nosniff and attachment: a visitor's text is saved, never shown as a page of this site
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return FileResponse(path, filename=request.path_params["name"], headers=headers)


def route() -> Route:
    """The route of all downloads, below the path that the page itself is served under."""
    return Route(f"{base_path()}/downloads/{{token}}/{{name}}", download, methods=["GET"])


def address(path: Path, name: str) -> str:
    """The address of a file, always the same for the same file."""
    with _changing:
        for old in [old for old, offered in _offered.items() if not offered.is_file()]:
            del _offered[old]
        tokens = (token for token, offered in _offered.items() if offered == path)
        token = next(tokens, None) or secrets.token_urlsafe(24)
        _offered[token] = path
    return f"{base_path()}/downloads/{token}/{quote(name)}"


def links(files: Iterable[tuple[Path, str, str]]) -> str:
    """Links that look like buttons. files: path, name for the visitor and title of each."""
    return download_buttons(
        (address(path, name), title, size_of(path)) for path, name, title in files
    )


def base_path() -> str:
    """The path that the page is served below, such as /toxicity; empty for the root."""
    base = st.get_option("server.baseUrlPath").strip("/")
    return f"/{base}" if base else ""
