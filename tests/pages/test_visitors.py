"""What visitors leave behind goes soon after them, and never while they are there."""

import shutil
import tempfile
from types import SimpleNamespace

import pytest

from tests.running import python
from ui import visitors
from ui.workspace import Workspace, end_workspaces_of, remove_abandoned, remove_remains


class Server:
    """Stands in for Streamlit's runtime."""

    def __init__(self):
        self.active, self.closed, self.removed = {"a"}, [], []
        self.is_active_session = self.active.__contains__
        self.close_session = self.closed.append
        self.uploaded_file_mgr = SimpleNamespace(
            file_storage={"a": {"f": None}}, remove_file=lambda *names: self.removed.append(names)
        )


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path):
    monkeypatch.setattr(visitors, "_left", {"a": None})
    monkeypatch.setattr(visitors, "_uploads", {})
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def a_workspace(session="a"):
    made = Workspace()
    made.sessions = {session}
    (made.new_folder() / "pasted.csv").write_text("my words")
    return made


def test_a_visitors_files_go_minutes_after_the_tab_is_closed():
    server, mine, other = Server(), a_workspace(), a_workspace("b")
    visitors.forget(server, 0)
    server.active.clear()
    visitors.forget(server, 100)
    visitors.forget(server, 210)
    assert mine.folder.exists()
    assert not mine.ended.is_set()
    visitors.forget(server, 220)
    assert not mine.folder.exists()
    assert mine.ended.is_set()
    assert server.closed == ["a"]
    assert other.folder.exists()


def test_a_visitor_who_comes_back_keeps_the_files():
    server, mine = Server(), a_workspace()
    server.active.clear()
    visitors.forget(server, 0)
    server.active.add("a")
    visitors.forget(server, 60)
    server.active.clear()
    visitors.forget(server, 130)
    assert mine.folder.exists()
    assert server.closed == []


def test_an_upload_that_no_page_takes_is_dropped():
    server = Server()
    visitors.forget(server, 0)
    visitors.forget(server, 290)
    assert server.removed == []
    visitors.forget(server, 300)
    assert server.removed == [("a", "f")]


def test_what_is_written_after_the_end_goes_as_well():
    mine = a_workspace()
    mine.end()
    mine.folder.mkdir()
    (mine.folder / "scored.csv").write_text("late")
    remove_remains()
    assert not mine.folder.exists()


KILLED = (
    "import os; from ui.workspace import Workspace; mine = Workspace(); os.kill(os.getpid(), 9)"
)


def test_a_killed_servers_files_go_at_the_next_start_and_a_living_ones_stay(tmp_path):
    assert python("-c", KILLED, TMPDIR=str(tmp_path)).returncode == -9
    assert len(list(tmp_path.iterdir())) == 1
    mine = a_workspace()  # another living server's, for the process below
    (tmp_path / "toxicity-other").mkdir()  # without a lock it is not known whose it is
    (tmp_path / "toxicity-link").symlink_to(mine.folder)
    start = "from ui.workspace import remove_abandoned; remove_abandoned()"
    done = python("-c", start, TMPDIR=str(tmp_path))
    assert done.returncode == 0, done.stderr
    names = {mine.folder.name, "toxicity-other", "toxicity-link"}
    assert {path.name for path in tmp_path.iterdir()} == names
    remove_abandoned()  # nor does the server remove its own
    assert (mine.folder / ".lock").exists()
    shutil.rmtree(mine.folder)


def test_a_workspace_that_a_second_session_joined_outlives_the_first():
    made = Workspace()
    made.sessions = {"first", "second"}
    end_workspaces_of("first")
    assert made.folder.is_dir()
    end_workspaces_of("second")
    assert not made.folder.exists()
