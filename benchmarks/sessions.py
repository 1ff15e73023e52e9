"""The page under many concurrent users, who score comments for a minute.

    python benchmarks/sessions.py --sessions 50 --seconds 60

Serves app.py on a free port and speaks Streamlit's own protocol to it, as 50 browsers would. Each
session connects, types one of the sample comments, presses Score, waits for the result, pauses to
read, and repeats. Prints the time of the first score and of later ones, errors, loaded copies of
the model, and the server's memory over time. No network.
"""

import argparse
import asyncio
import os
import runpy
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles

import websockets
from common import ROOT, count, resident_megabytes, wait_until_ready
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.typing import Subprotocol

from ui.examples import SAMPLES

PAUSE = 2.0  # seconds in which a user reads a result
TIMEOUT = 60.0  # seconds until a missing answer is an error
SERVE = "serve"
STREAMLIT = Subprotocol("streamlit")


@dataclass
class Results:
    """Of all sessions: the seconds of each score, and the errors."""

    seconds: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


class Session:
    """One session: what a browser keeps of a page."""

    def __init__(self, socket: websockets.ClientConnection):
        self._socket = socket
        self._comment = self._button = ""
        self._page = ""

    async def open(self) -> None:
        """Load the Score page; find its text area and button."""
        message = BackMsg()
        message.rerun_script.SetInParent()
        await self._send(message)
        await self._until_done()
        if not (self._comment and self._button):
            raise RuntimeError("the page has no text area or no button")

    async def score(self, text: str) -> float:
        """Type a comment and press Score. Returns the seconds until its sentence is shown."""
        message = BackMsg()
        states = message.rerun_script.widget_states.widgets
        states.add(id=self._comment, string_value=text)
        states.add(id=self._button, trigger_value=True)
        message.rerun_script.page_script_hash = self._page
        started = time.monotonic()
        await self._send(message)
        shown_at = await self._until_done()
        if shown_at is None:
            raise RuntimeError("no sentence came back")
        return shown_at - started

    async def _send(self, message: BackMsg) -> None:
        await self._socket.send(message.SerializeToString())

    async def _until_done(self) -> float | None:
        """Read until the script has run. Returns when the sentence came, or None."""
        shown_at = None
        async with asyncio.timeout(TIMEOUT):
            while True:
                message = ForwardMsg()
                message.ParseFromString(await self._socket.recv())
                message_type = message.WhichOneof("type")
                if message_type == "new_session":
                    self._page = message.new_session.page_script_hash
                elif message_type == "delta":
                    element = message.delta.new_element
                    self._notice(element)
                    if element.html.body.startswith('<div class="tox-sentence"'):
                        shown_at = time.monotonic()
                elif message_type == "script_finished":
                    return shown_at

    def _notice(self, element) -> None:
        element_type = element.WhichOneof("type")
        if element_type == "exception":
            raise RuntimeError(f"the page failed: {element.exception.message}")
        if element_type == "text_area":
            self._comment = element.text_area.id
        if element_type == "button" and element.button.label == "Score":
            self._button = element.button.id


async def use(url: str, number: int, end: float, results: Results) -> None:
    """Act as one user until the time is over."""
    try:
        async with websockets.connect(url, max_size=None, subprotocols=[STREAMLIT]) as socket:
            session = Session(socket)
            await session.open()
            index = number
            while time.monotonic() < end:
                results.seconds.append(await session.score(SAMPLES[index % len(SAMPLES)]))
                index += 1
                await asyncio.sleep(PAUSE)
    except Exception as error:  # any error counts
        results.errors.append(f"{type(error).__name__}: {error}")


async def watch(process: int, end: float) -> list[float]:
    """The server's memory every five seconds, in MB."""
    memory = []
    while time.monotonic() < end:
        memory.append(resident_megabytes(process))
        await asyncio.sleep(min(5.0, max(0.1, end - time.monotonic())))
    return memory


async def measure(port: int, process: int, sessions: int, seconds: float) -> bool:
    """Print everything but the copies of the model. Returns whether there was no error."""
    url = f"ws://127.0.0.1:{port}/_stcore/stream"
    alone = []
    async with websockets.connect(url, max_size=None, subprotocols=[STREAMLIT]) as socket:
        session = Session(socket)
        await session.open()
        for sample in SAMPLES:
            alone.append(await session.score(sample))
    print(f"one user: first score after {alone[0]:.2f} s, then {median(alone[1:]):.3f} s")

    results, end = Results(), time.monotonic() + seconds
    users = [use(url, number, end, results) for number in range(sessions)]
    watching = asyncio.create_task(watch(process, end))
    await asyncio.gather(*users)
    memory = await watching
    print(f"{sessions} sessions, {seconds:.0f} s: {len(results.seconds):,} comments scored")
    if len(results.seconds) > 1:
        slow = quantiles(results.seconds, n=20)[-1]
        print(f"seconds a score: median {median(results.seconds):.2f}, 95 % within {slow:.2f}")
    print(f"errors: {len(results.errors)} {sorted(set(results.errors))[:3] or ''}")
    third = max(1, len(memory) // 3)
    print(
        f"server's memory: {median(memory[:third]):.0f} MB in the first third of the time, "
        f"{median(memory[-third:]):.0f} MB in the last"
    )
    return not results.errors


def serve(port: str, loads: str) -> None:
    """Run the app as `streamlit run` does, and log each load of a model to a file."""
    from comment_toxicity import classifier

    load = classifier.load_classifier

    def logged(
        name: str | Path = classifier.EMBEDDED, threads: int | None = None, device: str = "auto"
    ) -> classifier.Classifier:
        with Path(loads).open("a", encoding="utf-8") as file:
            file.write(f"{name}\n")
        return load(name, threads, device)

    classifier.load_classifier = logged
    address = [f"--server.port={port}", "--server.address=127.0.0.1"]
    sys.argv = ["streamlit", "run", "app.py", *address]
    runpy.run_module("streamlit", run_name="__main__")


def main() -> int:
    """Serve the app, measure, stop it."""
    if sys.argv[1:2] == [SERVE]:
        serve(*sys.argv[2:])
        return 0
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sessions", type=count, default=50, help="concurrent users (%(default)s)")
    parser.add_argument("--seconds", type=float, default=60, help="how long (%(default)s)")
    flags = parser.parse_args()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        loads = Path(folder) / "loads"
        loads.touch()
        process = subprocess.Popen(
            [sys.executable, __file__, SERVE, str(port), str(loads)],
            cwd=ROOT,
            env={**os.environ, "HF_HUB_OFFLINE": "1"},
            stdout=subprocess.DEVNULL,
        )
        try:
            wait_until_ready(process, port, "/_stcore/health")
            ok = asyncio.run(measure(port, process.pid, flags.sessions, flags.seconds))
            loaded = loads.read_text().split()
            print(f"models loaded by the page: {', '.join(loaded)}")
        finally:
            process.terminate()
            process.wait()
    return 0 if ok and len(loaded) == 1 else 1


if __name__ == "__main__":
    sys.exit(main())
