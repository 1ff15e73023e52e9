"""Those who have the page open, and the removal of what others left behind.

Streamlit itself forgets a visitor only when another one leaves.
"""

import asyncio
import time
from typing import Any

from streamlit import runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

from ui.workspace import end_workspaces_of, remove_abandoned, remove_remains

TICK_SECONDS = 30
KEPT_SECONDS = 120  # for a browser to come back, as after a break in its network
UPLOAD_SECONDS = 300  # the page copies an upload when it arrives; what stays has no page

_left: dict[str, float | None] = {}  # sessions; since when they have no open tab
_uploads: dict[tuple[str, str], float] = {}  # session and file; since when it is held


def welcome() -> None:
    """Note the session whose page is being shown."""
    if context := get_script_run_ctx():
        _left.setdefault(context.session_id, None)


async def tidy_up() -> None:
    """Remove the remains of servers that were killed; then, for ever, those of visitors."""
    await asyncio.to_thread(remove_abandoned)
    while True:
        await asyncio.sleep(TICK_SECONDS)
        forget(runtime.get_instance(), time.monotonic())


def forget(server: Any, now: float) -> None:
    """End the sessions whose tab has been closed for a while, and drop uploads nobody took.

    server: Streamlit's runtime. now: in seconds, of a monotonic clock.
    """
    for session, left in list(_left.items()):
        if server.is_active_session(session):
            _left[session] = None
        elif left is None:
            _left[session] = now
        elif now - left >= KEPT_SECONDS:
            del _left[session]
            server.close_session(session)
            end_workspaces_of(session)
    remove_remains()
    _drop_uploads(server.uploaded_file_mgr, now)


def _drop_uploads(uploads: Any, now: float) -> None:
    storage = getattr(uploads, "file_storage", {})
    held = {(session, file) for session, files in list(storage.items()) for file in list(files)}
    for upload in _uploads.keys() - held:
        del _uploads[upload]
    for upload in held:
        if now - _uploads.setdefault(upload, now) >= UPLOAD_SECONDS:
            uploads.remove_file(*upload)
