"""Under torchrun: the others wait for the first process, and end when it fails."""

import threading

import pytest
from torch.distributed import HashStore

from comment_toxicity.errors import UserError
from finetune import processes
from finetune.__main__ import main
from finetune.processes import let_others_train, wait_for_first


@pytest.fixture
def store(monkeypatch) -> HashStore:
    """What two processes of one run share."""
    shared = HashStore()
    monkeypatch.setattr(processes, "_store", lambda: shared)
    monkeypatch.setattr(processes, "POLL_SECONDS", 0.001)
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    return shared


def test_other_processes_wait_until_the_first_begins_to_train(store):
    waiting = threading.Thread(target=wait_for_first, daemon=True)
    waiting.start()
    waiting.join(0.05)
    assert waiting.is_alive()
    let_others_train()
    waiting.join(10)
    assert not waiting.is_alive()


def test_other_processes_end_when_the_first_fails(store, tmp_path, monkeypatch, capsys):
    named = ["--train-data", str(tmp_path / "none.csv"), "--output-dir", str(tmp_path / "run")]
    monkeypatch.setenv("RANK", "0")
    assert main(named) == 2
    monkeypatch.setenv("RANK", "1")
    assert main(named) == 2
    first, other = capsys.readouterr().err.splitlines()
    assert "no such file" in first
    assert other == "error: the first process of this run has failed; its message says why."


def test_other_processes_end_when_they_lose_the_first(monkeypatch):
    class Lost:
        def check(self, keys):
            raise RuntimeError("Connection reset by peer")

    monkeypatch.setattr(processes, "_store", Lost)
    with pytest.raises(UserError, match="the first process of this run has failed"):
        wait_for_first()


def test_other_processes_skip_a_run_without_training(store, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    assert main(["export", "card"]) == 0


def test_a_single_process_needs_no_store(monkeypatch):
    monkeypatch.setattr(processes, "_store", pytest.fail)
    let_others_train()
