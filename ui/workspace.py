"""A visitor's folder for files: uploads and results, gone when the session is."""

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
    Raises SettingsError where the machine has no place for temporary files.
    """

    def __init__(self) -> None:
        try:
            self.folder = Path(tempfile.mkdtemp(prefix="toxicity-"))
        except OSError as error:
            raise SettingsError(
                "This server has no place for temporary files; whoever runs it must name one "
                f"in TMPDIR ({error.strerror})."
            ) from error
        self.ended = threading.Event()
        self.end = weakref.finalize(self, _end, self.folder, self.ended)
        with _CHANGING:
            _LIVING.add(self)

    def new_folder(self) -> Path:
        """Make an empty folder within."""
        return Path(tempfile.mkdtemp(dir=self.folder))

    def discard(self, folder: Path) -> None:
        """Remove a folder that new_folder made, for one visitor can hand in many files in turn.

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
    for place in living:
        place.end()


def workspace() -> Workspace:
    """Give this session's."""
    if WORKSPACE not in st.session_state:
        st.session_state[WORKSPACE] = Workspace()
    return st.session_state[WORKSPACE]
