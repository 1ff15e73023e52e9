"""The HTTP service under load: 64 callers at a rate and without pause, ten times too many, one.

    python benchmarks/load.py --data FILE

Starts `python -m comment_toxicity serve` in its own process and sends comments:analyze requests
over persistent connections. “64 callers, 100/s”: together they send at that rate for a minute.
“64 callers”: each sends its next comment after the last answer, so all 64 always wait. “10 ×
overload”: ten times as many callers send at ten times the rate that was just reached, whatever is
answered. “after it”: 64 callers again. Callers and service share the machine's cores.

    python benchmarks/load.py --data FILE --policies

compares a service without with one that has policies and a decision log, in turns: the first two
kinds of load, twice each, and how many percent fewer answers the latter gives.
"""

import argparse
import asyncio
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from common import (
    ROOT,
    count,
    flags_of,
    print_table,
    read_comments,
    resident_megabytes,
    run,
    wait_until_ready,
)

PATH = "/v1alpha1/comments:analyze?key=any"
TIMEOUT = 5.0  # seconds without an answer
POLICY = """default = "benchmark"
[policies.benchmark]
never = [{}]
thresholds = {{toxic = 0.5, insult = 0.5}}
always = {{insult = [{}]}}
""".format(*(", ".join(f'"{kind}word{n}"' for n in range(200)) for kind in ("never", "always")))


@dataclass
class Tally:
    """What callers saw: the seconds of each answer 200, and the number of each outcome."""

    seconds: list[float] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)
    without_retry_after: int = 0


class Requests:
    """An endless supply of requests in random order, all different."""

    def __init__(self, texts: list[str]):
        self._texts = texts
        self._random = random.Random(1)
        self._number = 0

    def next(self) -> bytes:
        """The bytes of the next request. A number after the comment makes it unique."""
        self._number += 1
        text = f"{self._random.choice(self._texts)} {self._number}"
        body = json.dumps(
            {
                "comment": {"text": text},
                "doNotStore": True,
                "requestedAttributes": {"TOXICITY": {}},
                "languages": ["en"],
                "clientToken": f"comment:{self._number}",
            }
        ).encode()
        head = f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        head += "Content-Type: application/json\r\n"
        return head.encode() + f"Content-Length: {len(body)}\r\n\r\n".encode() + body


class Caller:
    """One persistent connection."""

    def __init__(self, port: int, requests: Requests, tally: Tally):
        self._port, self._requests, self._tally = port, requests, tally
        self._connection: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def call(self) -> None:
        """Send a request and read the answer; count it."""
        started = time.perf_counter()
        try:
            async with asyncio.timeout(TIMEOUT):
                status, retry_after = await self._exchange()
        except (OSError, EOFError, TimeoutError) as error:
            self._tally.outcomes[type(error).__name__] += 1
            self.close()
            return
        self._tally.outcomes[str(status)] += 1
        if status == 200:
            self._tally.seconds.append(time.perf_counter() - started)
        elif not retry_after:
            self._tally.without_retry_after += 1

    def close(self) -> None:
        """Close the connection."""
        if self._connection:
            self._connection[1].close()
        self._connection = None

    async def _exchange(self) -> tuple[int, bool]:
        if not self._connection:
            self._connection = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._connection
        writer.write(self._requests.next())
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.partition(b"content-length:")[2].split(b"\r\n")[0])
        await reader.readexactly(length)
        return int(head.split(b" ", 2)[1]), b"\r\nretry-after:" in head


async def closed_loop(port: int, requests: Requests, callers: int, seconds: float) -> Tally:
    """Each caller sends its next request as soon as it has an answer."""
    tally = Tally()
    end = time.perf_counter() + seconds

    async def one() -> None:
        caller = Caller(port, requests, tally)
        while time.perf_counter() < end:
            await caller.call()
        caller.close()

    await asyncio.gather(*(one() for _ in range(callers)))
    return tally


async def open_loop(
    port: int, requests: Requests, callers: int, rate: float, seconds: float
) -> Tally:
    """Send at a rate, whatever is answered; a caller that still waits misses its turn."""
    tally = Tally()
    start = time.perf_counter()

    async def one(number: int) -> None:
        caller = Caller(port, requests, tally)
        due = start + number / rate
        while due < start + seconds:
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            await caller.call()
            turns = max(1.0, np.ceil((time.perf_counter() - due) * rate / callers))
            due += turns * callers / rate
        caller.close()

    await asyncio.gather(*(one(number) for number in range(callers)))
    return tally


def main() -> int:
    """Measure, and print the table."""
    parser = flags_of(__doc__)
    parser.add_argument("--comments", type=count, default=2000, help="how many (%(default)s)")
    parser.add_argument("--connections", type=count, default=64, help="callers (%(default)s)")
    parser.add_argument(
        "--seconds", type=float, default=60, help="length of each row's run (%(default)s)"
    )
    parser.add_argument(
        "--rate", type=float, default=100, help="requests a second in the first row (%(default)g)"
    )
    parser.add_argument(
        "--policies", action="store_true", help="compare with policies and a decision log"
    )
    parser.add_argument("--workers", type=int, default=1, help="of the service (%(default)s)")
    parser.add_argument("--port", type=int, default=8749, help="of the service (%(default)s)")
    parser.add_argument("--model", default="toxic-minilm", help="score with it (%(default)s)")
    return run(parser, measure)


def fits(text: str) -> bool:
    """Whether a comment has words and, with a number after it, is no longer than Perspective's."""
    return bool(text.strip()) and len(text.encode()) <= 20_000


def measure(flags: argparse.Namespace) -> None:
    """Read the comments, and send them to the service."""
    comments = read_comments(flags.data, flags.text_column, flags.comments)
    texts = [text for text in comments[flags.text_column].astype(str) if fits(text)]
    asyncio.run((side_by_side if flags.policies else call)(flags, texts))


async def call(flags: argparse.Namespace, texts: list[str]) -> None:
    """Start the service, send five kinds of load, and print the table."""
    requests = Requests(texts)
    port, callers = flags.port, flags.connections
    long, middle, short = flags.seconds, min(20, flags.seconds), min(10, flags.seconds)
    service = start(flags, port)
    rows = []

    async def measured(name: str, load: Coroutine[Any, Any, Tally], seconds: float) -> Tally:
        before = resident_megabytes(service.pid)
        tally = await load
        rows.append(row(name, tally, seconds, before, resident_megabytes(service.pid)))
        return tally

    try:
        await closed_loop(port, requests, callers, min(5, long))  # warm-up
        paced = open_loop(port, requests, callers, flags.rate, long)
        await measured(f"{callers} callers, {flags.rate:g}/s", paced, long)
        steady = closed_loop(port, requests, callers, long)
        answers = len((await measured(f"{callers} callers", steady, long)).seconds)
        rate = 10 * max(1, answers) / long
        overload = open_loop(port, requests, 10 * callers, rate, middle)
        over = await measured("10 × overload", overload, middle)
        await measured("after it", closed_loop(port, requests, callers, short), short)
        await measured("1 caller", closed_loop(port, requests, 1, short), short)
    finally:
        service.send_signal(signal.SIGTERM)
        service.wait(30)
    mean = sum(map(len, texts)) / len(texts)
    print(
        f"{len(texts)} comments of {flags.data}, {mean:.0f} characters each on average, each sent "
        "with a number\nof its own. Times are of answers 200, in ms; memory is the service's, in "
        f"MB. Sent at {rate:,.0f}/s in overload.\n"
    )
    header = ["", "answers/s", "p50", "p99", "429, 503", "errors", "memory before", "after"]
    print_table(header, rows)
    if over.without_retry_after:
        print(f"\n{over.without_retry_after} refusals came without Retry-After.")


async def side_by_side(flags: argparse.Namespace, texts: list[str]) -> None:
    """Send two kinds of load to a plain service and one with policies and a log, in turns."""
    requests = Requests(texts)
    header = ["", "answers/s", "p50", "p99", "429, 503", "errors", "memory before", "after"]
    rows: list[list[str | float | int]] = []
    with tempfile.TemporaryDirectory() as folder:
        policy, log = Path(folder) / "policy.toml", Path(folder) / "decisions.jsonl"
        policy.write_text(POLICY, encoding="utf-8")
        services = {
            "plain": start(flags, flags.port),
            "policies": start(
                flags, flags.port + 1, "--policy", str(policy), "--decision-log", str(log)
            ),
        }
        ports = dict(zip(services, (flags.port, flags.port + 1), strict=True))
        try:
            for port in ports.values():
                await closed_loop(port, requests, flags.connections, min(5, flags.seconds))
            for kind in (*services, *reversed(services)):
                for load, loaded in (
                    (f"{flags.rate:g}/s", partial(open_loop, rate=flags.rate)),
                    ("without pause", closed_loop),
                ):
                    before = resident_megabytes(services[kind].pid)
                    tally = await loaded(
                        ports[kind], requests, flags.connections, seconds=flags.seconds
                    )
                    after = resident_megabytes(services[kind].pid)
                    rows.append(row(f"{kind}, {load}", tally, flags.seconds, before, after))
        finally:
            for service in services.values():
                service.send_signal(signal.SIGTERM)
            for service in services.values():
                service.wait(30)
        lines = sum(len(each.read_bytes().splitlines()) for each in Path(folder).glob("*.jsonl*"))
    print_table(header, rows)
    answers = {
        kind: sum(float(each[1]) for each in rows if each[0] == f"{kind}, without pause")
        for kind in services
    }
    fewer = 1 - answers["policies"] / answers["plain"] if answers["plain"] else float("nan")
    print(
        f"\nWith policies and log: {fewer:.1%} fewer answers/s without pause; {lines:,} decisions."
    )


def row(
    name: str, tally: Tally, seconds: float, before: float, after: float
) -> list[str | float | int]:
    """A row of the table."""
    times = np.array(tally.seconds or [np.nan]) * 1000
    shed = tally.outcomes["429"] + tally.outcomes["503"]
    errors = sum(tally.outcomes.values()) - shed - tally.outcomes["200"]
    p50, p99 = float(np.median(times)), float(np.quantile(times, 0.99))
    return [name, len(tally.seconds) / seconds, p50, p99, shed, errors, before, after]


def start(flags: argparse.Namespace, port: int, *more: str) -> subprocess.Popen[bytes]:
    """Start the service; return when it is ready. Raises ModelError for an unknown model."""
    from comment_toxicity.fetch.find import find_model

    find_model(flags.model)
    command = [sys.executable, "-m", "comment_toxicity", "serve", "--port", str(port), *more]
    command += ["--workers", str(flags.workers), "--model", flags.model]
    service = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
    wait_until_ready(service, port, "/health/ready")
    return service


if __name__ == "__main__":
    sys.exit(main())
