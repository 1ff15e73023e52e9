"""The file that a page's address names: found again after a reload, or by Back.

An address holds a random token, and is of use in the browser that uploaded the file alone. The file
is gone when the last page that has it open is closed; see ui/visitors.py.
"""

import hmac
import secrets
from dataclasses import dataclass
from weakref import WeakValueDictionary

import streamlit as st
from streamlit.web.server.starlette.starlette_app_utils import decode_xsrf_token_string

from ui.files.job import FileJob
from ui.files.upload import Source
from ui.workspace import Workspace, workspace

FILE = "file"
"""The token's name in the address."""
SOURCE, JOB, KEPT = "source", "file job", "kept file"
COOKIE = "_streamlit_xsrf"


@dataclass(eq=False)
class Kept:
    """A file on the server, with its job once there is one. browser: that of its visitor."""

    token: str
    browser: bytes
    workspace: Workspace
    source: Source
    job: FileJob | None


_kept: "WeakValueDictionary[str, Kept]" = WeakValueDictionary()  # sessions hold them


def find_again() -> bool:
    """Open the file that the address names, in a session that has none. False if it is gone."""
    source: Source | None = st.session_state.get(SOURCE)
    if source is not None and not source.path.is_file():  # discarded on another page
        forget()
        st.query_params.pop(FILE, None)
        return False
    token = st.query_params.get(FILE)
    if token is None or source is not None:
        return True
    found = _kept.get(token)
    if found is None or not hmac.compare_digest(found.browser, _browser()):
        del st.query_params[FILE]
        return False
    found.workspace.join()
    st.session_state[KEPT] = found
    st.session_state[SOURCE], st.session_state[JOB] = found.source, found.job
    return True


def keep() -> None:
    """Name the session's file in the address, and keep it for a reload."""
    source: Source | None = st.session_state.get(SOURCE)
    if source is None:
        return
    kept: Kept | None = st.session_state.get(KEPT)
    if kept is None:
        token = secrets.token_urlsafe(16)
        kept = Kept(token, _browser(), workspace(), source, None)
        st.session_state[KEPT] = _kept[token] = kept
    kept.source, kept.job = source, st.session_state.get(JOB)
    if st.query_params.get(FILE) != kept.token:
        st.query_params[FILE] = kept.token


def workspace_of_file() -> Workspace:
    """The workspace that the file is in: another session's, where it was found again."""
    kept: Kept | None = st.session_state.get(KEPT)
    return kept.workspace if kept else workspace()


def forget() -> None:
    """Discard the file and its result."""
    where = workspace_of_file()
    job: FileJob | None = st.session_state.pop(JOB, None)
    if job:
        job.discard()
    source: Source | None = st.session_state.pop(SOURCE, None)
    if source:
        where.discard(source.folder)
    kept: Kept | None = st.session_state.pop(KEPT, None)
    if kept:
        _kept.pop(kept.token, None)


def _browser() -> bytes:
    """What tells this browser from others; empty where it takes no cookies."""
    token, _ = decode_xsrf_token_string(st.context.cookies.get(COOKIE, ""))
    return token or b""
