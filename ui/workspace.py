"""A visitor's folder for uploads and results; it is deleted with the session."""

import shutil
import tempfile
import threading
import weakref
from pathlib import Path

import streamlit as st

from comment_toxicity.errors import SettingsError

WORKSPACE = "workspace"

_LIVING: "weakref.WeakSet[Workspace]" = weakref.WeakSet()
_CHANGING = threading.Lock()


class Workspace:
    """A temporary folder that is removed with this object, and at the latest with the server.

    end(): removes it before that.
    It lives in the visitor's session. Streamlit drops that some minutes after the tab was closed.
    ended is set first, for work that goes on in the background.
    Raises SettingsError where temporary files cannot be written.
    """

    def __init__(self) -> None:
        try:
            self.folder = Path(tempfile.mkdtemp(prefix="toxicity-"))
        except OSError as error:
            raise SettingsError(
                "This server has nowhere to put temporary files; its operator must set TMPDIR "
                f"to a folder that can be written ({error.strerror})."
            ) from error
        self.ended = threading.Event()
        self.end = weakref.finalize(self, _end, self.folder, self.ended)
        with _CHANGING:
            _LIVING.add(self)

    def new_folder(self) -> Path:
        """Make an empty folder inside."""
        return Path(tempfile.mkdtemp(dir=self.folder))

    def discard(self, folder: Path) -> None:
        """Remove a folder that new_folder made: a visitor can upload many files in turn.

        Any other one, such as data/, is left alone.
        """
        if folder.parent == self.folder:
            shutil.rmtree(folder, ignore_errors=True)


def _end(folder: Path, ended: threading.Event) -> None:
    ended.set()
    shutil.rmtree(folder, ignore_errors=True)


def end_workspaces() -> None:
    """Remove every visitor's folder, for a server that stops."""
    with _CHANGING:
        living = list(_LIVING)
    for each in living:
        each.end()


def workspace() -> Workspace:
    """The workspace of this session."""
    if WORKSPACE not in st.session_state:
        st.session_state[WORKSPACE] = Workspace()
    return st.session_state[WORKSPACE]
