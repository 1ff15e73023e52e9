"""A visitor's folder for uploads and results; it is deleted with the session."""

import os
import shutil
import tempfile
import threading
import weakref
from contextlib import ExitStack, suppress
from pathlib import Path

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from comment_toxicity.disk import LOCK_NAME, kept_for_this_process
from comment_toxicity.errors import SettingsError

WORKSPACE = "workspace"
PREFIX = "toxicity-"

_LIVING: "weakref.WeakSet[Workspace]" = weakref.WeakSet()
_ENDED: set[Path] = set()
_CHANGING = threading.Lock()


class Workspace:
    """A temporary folder that is removed with this object, and at the latest with the server.

    end(): removes it before that.
    It lives in the visitor's session, which ui/visitors.py ends minutes after the tab was closed.
    ended is set first, for work that goes on in the background.
    The folder is locked by this process, so that a later server knows whose was killed.
    Raises SettingsError where temporary files cannot be written.
    """

    def __init__(self) -> None:
        lock = ExitStack()
        try:
            self.folder = Path(tempfile.mkdtemp(prefix=PREFIX))
            busy = OSError("another server has just removed the folder")
            lock.enter_context(kept_for_this_process(self.folder, busy))
        except OSError as error:
            raise _no_room(error) from error
        self.ended = threading.Event()
        self.sessions: set[str] = set()
        self.join()
        self.end = weakref.finalize(self, _end, self.folder, self.ended, lock)
        with _CHANGING:
            _LIVING.add(self)

    def join(self) -> None:
        """Keep it until this session has ended, too."""
        context = get_script_run_ctx()
        self.sessions.add(context.session_id if context else "")

    def new_folder(self) -> Path:
        """Make an empty folder inside. Raises SettingsError where that is not possible."""
        try:
            return Path(tempfile.mkdtemp(dir=self.folder))
        except OSError as error:
            raise _no_room(error) from error

    def discard(self, folder: Path) -> None:
        """Remove a folder that new_folder made: a visitor can upload many files in turn.

        Any other one, such as data/, is left alone.
        """
        if folder.parent == self.folder:
            shutil.rmtree(folder, ignore_errors=True)


def _no_room(error: OSError) -> SettingsError:
    return SettingsError(
        "This server has nowhere to put temporary files; its operator must set TMPDIR to a folder "
        f"that can be written ({error.strerror or error})."
    )


def _end(folder: Path, ended: threading.Event, lock: ExitStack) -> None:
    ended.set()
    with lock:
        shutil.rmtree(folder, ignore_errors=True)
    _ENDED.add(folder)  # work that has not noticed yet may still write there


def end_workspaces() -> None:
    """Remove every visitor's folder, for a server that stops."""
    for each in _living():
        each.end()


def end_workspaces_of(session: str) -> None:
    """Remove the folder of a visitor who has left, unless another session has joined it."""
    for each in _living():
        if session in each.sessions:
            each.sessions.discard(session)
            if not each.sessions:
                each.end()


def remove_remains() -> None:
    """Remove what was written to visitors' folders after their end."""
    for folder in list(_ENDED):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            _ENDED.discard(folder)


def remove_abandoned() -> None:
    """Remove the folders of servers that were killed, and of no others: those are locked."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError):  # another user's, or another server removes it
            mine = not hasattr(os, "getuid") or folder.lstat().st_uid == os.getuid()
            if mine and not folder.is_symlink() and (folder / LOCK_NAME).is_file():
                with kept_for_this_process(folder, OSError("in use")):
                    shutil.rmtree(folder)


def _living() -> "list[Workspace]":
    with _CHANGING:
        return list(_LIVING)


def workspace() -> Workspace:
    """The workspace of this session."""
    if WORKSPACE not in st.session_state:
        st.session_state[WORKSPACE] = Workspace()
    return st.session_state[WORKSPACE]
