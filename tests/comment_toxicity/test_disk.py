"""Files written whole, and locks on folders that several processes share."""

import shutil

import pytest

from comment_toxicity.disk import LOCK_NAME, kept_for_this_process, write_whole
from comment_toxicity.errors import DataError

BUSY = DataError("busy")


def test_a_text_that_cannot_be_written_leaves_nothing_behind(tmp_path):
    with pytest.raises(UnicodeEncodeError):
        write_whole(tmp_path / "report.json", "a lone surrogate: \ud800")
    assert list(tmp_path.iterdir()) == []


def test_a_locked_folder_is_busy(tmp_path):
    with (
        kept_for_this_process(tmp_path, BUSY),
        pytest.raises(DataError, match="busy"),
        kept_for_this_process(tmp_path, BUSY),
    ):
        pass


def test_a_lock_file_that_was_removed_before_it_could_be_locked_counts_as_busy(
    tmp_path, monkeypatch
):
    """Its folder may exist again, locked by another process through another file."""
    monkeypatch.setattr(
        "comment_toxicity.disk._lock", lambda stream: (tmp_path / LOCK_NAME).unlink()
    )
    with pytest.raises(DataError, match="busy"), kept_for_this_process(tmp_path, BUSY):
        pass


def test_a_folder_that_is_removed_before_it_can_be_locked_counts_as_busy(tmp_path):
    folder = tmp_path / "out.csv.part"
    folder.mkdir()
    shutil.rmtree(folder)  # by the process that kept it until now
    with pytest.raises(DataError, match="busy"), kept_for_this_process(folder, BUSY):
        pass
