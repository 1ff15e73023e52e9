"""Serve a copy of the app on a free port, for tests and for screenshots."""

import contextlib
import http.client
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PARTS = ["app.py", "comment_toxicity", "finetune", "pages", "ui", ".streamlit", "data/sample.csv"]
MODELS = ["toxic-minilm"]


@dataclass(frozen=True)
class Served:
    """A running app. log: what it prints."""

    url: str
    folder: Path
    log: Path


def browser_path() -> str | None:
    """The path of Chromium or of a browser built on it; None without one."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return next(filter(None, map(shutil.which, names)), None)


@contextlib.contextmanager
def serve(folder: Path) -> Iterator[Served]:
    """Copy the app into a folder, and serve it until the block ends."""
    for part in [*PARTS, *(f"models/{name}" for name in MODELS)]:
        target = folder / part
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(ROOT / part, target)
    # A second model to switch to: the same one under another name.
    shutil.copytree(folder / "models" / MODELS[0], folder / "models" / "another")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    served = Served(f"http://127.0.0.1:{port}", folder, folder / "served.log")
    # No network, and one thread: the tests share the machine with what they test.
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    address = [f"--server.port={port}", "--server.address=127.0.0.1"]
    with served.log.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", "app.py", *address],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait(process, served)
        yield served
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(process: subprocess.Popen, served: Served, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError):
            connection = http.client.HTTPConnection(served.url.removeprefix("http://"), timeout=5)
            connection.request("GET", "/_stcore/health")
            with contextlib.closing(connection), connection.getresponse() as answer:
                if answer.status == 200:
                    return
        time.sleep(0.1)
    raise AssertionError(f"the app did not start:\n{served.log.read_text(errors='replace')}")
