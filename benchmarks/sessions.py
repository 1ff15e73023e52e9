"""How the page bears many visitors: sessions that score comments at once for a minute.

    python benchmarks/sessions.py --sessions 50 --seconds 60

Serves app.py on a free port and speaks Streamlit's own protocol to it, as 50 browsers would: each
session connects, types one of the sample comments, presses Score, and waits until its page is
done; then again, with a pause for reading. Prints the time of the very first score and of the ones
after it, errors, loaded copies of the model, and the server's memory over time. No network.
"""

import argparse
import asyncio
import contextlib
import http.client
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

import psutil
import websockets
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from ui.examples import SAMPLES  # noqa: E402 - the line above finds it

PAUSE = 2.0  # seconds in which a visitor reads a result
PATIENCE = 60.0  # seconds until a missing answer is an error
SERVE = "serve"


@dataclass
class Visitors:
    """What all sessions found: seconds of each score, and what went wrong."""

    seconds: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


class Visit:
    """One session: what a browser keeps of a page."""

    def __init__(self, socket: websockets.ClientConnection):
        self._socket = socket
        self._comment = self._button = ""
        self._page = ""

    async def open(self) -> None:
        """Load the Score page, and find its text area and its button."""
        message = BackMsg()
        message.rerun_script.SetInParent()
        await self._send(message)
        await self._until_done()
        if not (self._comment and self._button):
            raise RuntimeError("the page has no text area or no button")

    async def score(self, text: str) -> float:
        """Type a comment, press Score; give the seconds until its sentence is there."""
        message = BackMsg()
        states = message.rerun_script.widget_states.widgets
        states.add(id=self._comment, string_value=text)
        states.add(id=self._button, trigger_value=True)
        message.rerun_script.page_script_hash = self._page
        begun = time.monotonic()
        await self._send(message)
        shown = await self._until_done()
        if shown is None:
            raise RuntimeError("no sentence came back")
        return shown - begun

    async def _send(self, message: BackMsg) -> None:
        await self._socket.send(message.SerializeToString())

    async def _until_done(self) -> float | None:
        """Read on until the script has run; give the moment when the sentence came, if it did."""
        shown = None
        async with asyncio.timeout(PATIENCE):
            while True:
                message = ForwardMsg()
                message.ParseFromString(await self._socket.recv())
                kind = message.WhichOneof("type")
                if kind == "new_session":
                    self._page = message.new_session.page_script_hash
                elif kind == "delta":
                    element = message.delta.new_element
                    self._notice(element)
                    if element.html.body.startswith('<div class="tox-sentence"'):
                        shown = time.monotonic()
                elif kind == "script_finished":
                    return shown

    def _notice(self, element) -> None:
        kind = element.WhichOneof("type")
        if kind == "exception":
            raise RuntimeError(f"the page failed: {element.exception.message}")
        if kind == "text_area":
            self._comment = element.text_area.id
        if kind == "button" and element.button.is_form_submitter:
            self._button = element.button.id


async def visit(url: str, number: int, end: float, found: Visitors) -> None:
    """Be one visitor until the time is over."""
    try:
        async with websockets.connect(url, max_size=None, subprotocols=["streamlit"]) as socket:
            visitor = Visit(socket)
            await visitor.open()
            place = number
            while time.monotonic() < end:
                found.seconds.append(await visitor.score(SAMPLES[place % len(SAMPLES)]))
                place += 1
                await asyncio.sleep(PAUSE)
    except Exception as error:  # whatever it is, it is counted
        found.errors.append(f"{type(error).__name__}: {error}")


async def watch(process: psutil.Process, end: float) -> list[float]:
    """Weigh the server each five seconds, in MB."""
    weights = []
    while time.monotonic() < end:
        weights.append(process.memory_info().rss / 1e6)
        await asyncio.sleep(min(5.0, max(0.1, end - time.monotonic())))
    return weights


async def measure(port: int, process: psutil.Process, sessions: int, seconds: float) -> bool:
    """Print all figures but the copies; whether nothing went wrong."""
    url = f"ws://127.0.0.1:{port}/_stcore/stream"
    alone = []
    async with websockets.connect(url, max_size=None, subprotocols=["streamlit"]) as socket:
        visitor = Visit(socket)
        await visitor.open()
        for sample in SAMPLES:
            alone.append(await visitor.score(sample))
    print(f"one visitor: first score after {alone[0]:.2f} s, then {median(alone[1:]):.3f} s")

    found, end = Visitors(), time.monotonic() + seconds
    visits = [visit(url, number, end, found) for number in range(sessions)]
    weights, *_ = await asyncio.gather(watch(process, end), *visits)
    print(f"{sessions} sessions, {seconds:.0f} s: {len(found.seconds):,} comments scored")
    if len(found.seconds) > 1:
        slow = quantiles(found.seconds, n=20)[-1]
        print(f"seconds a score: median {median(found.seconds):.2f}, 95 of 100 within {slow:.2f}")
    print(f"errors: {len(found.errors)} {sorted(set(found.errors))[:3] or ''}")
    third = max(1, len(weights) // 3)
    print(
        f"server's memory: {median(weights[:third]):.0f} MB in the first third of the time, "
        f"{median(weights[-third:]):.0f} MB in the last"
    )
    return not found.errors


def serve(port: str, loads: str) -> None:
    """Run the app as `streamlit run` does, and note each loading of a model in a file."""
    from comment_toxicity import classifier

    load = classifier.load_classifier

    def noted(name: str) -> classifier.Classifier:
        with Path(loads).open("a", encoding="utf-8") as file:
            file.write(f"{name}\n")
        return load(name)

    classifier.load_classifier = noted
    address = [f"--server.port={port}", "--server.address=127.0.0.1"]
    sys.argv = ["streamlit", "run", "app.py", *address]
    runpy.run_module("streamlit", run_name="__main__")


def main() -> int:
    """Serve the app, measure, stop it."""
    if sys.argv[1:2] == [SERVE]:
        serve(*sys.argv[2:])
        return 0
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--sessions", type=int, default=50, help="so many visitors at once (%(default)s)"
    )
    parser.add_argument("--seconds", type=float, default=60, help="so long (%(default)s)")
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
            _wait(port)
            server = psutil.Process(process.pid)
            ok = asyncio.run(measure(port, server, flags.sessions, flags.seconds))
            loaded = loads.read_text().split()
            print(f"models loaded by the page: {', '.join(loaded)}")
        finally:
            process.terminate()
            process.wait()
    return 0 if ok and len(loaded) == 1 else 1


def _wait(port: int) -> None:
    for _ in range(600):
        with contextlib.suppress(OSError):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/_stcore/health")
            if connection.getresponse().status == 200:
                return
        time.sleep(0.1)
    raise SystemExit("error: the app did not start")


if __name__ == "__main__":
    sys.exit(main())
