"""A record of what was decided: one line for each scored comment that its caller gave an id.

    {"time": "2026-11-29T08:24:13Z", "id": "comment-17", "policy": "garden", "weights": "9728ac…",
     "scores": {"toxic": 0.952, …}, "flags": ["toxic"]}

Never the text, the key or an address. It is in no request's way: lines wait in a bounded queue for
one thread, and a full disk or a slow database costs lines, which the metrics count.
"""

import logging
import queue
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from comment_toxicity.service.decision_file import Entry, FileStore
from comment_toxicity.service.messages import MAX_ID
from comment_toxicity.service.metrics import Metrics

LOG = logging.getLogger("comment_toxicity.service")

MAX_WAITING = 10_000  # lines, some 5 MB
BATCH = 500  # lines that are written at once
STOP_SECONDS = 5  # for the last lines
TOLD_SECONDS = 60  # between two complaints in the log
LINE_BYTES = 300  # of a row in a database, roughly


class Store(Protocol):
    """Where entries are kept."""

    def open(self) -> None:
        """Make it ready. Raises SettingsError."""

    def write(self, entries: Sequence[Entry]) -> None:
        """Add entries, all or none. Raises OSError, or an error of the database."""

    def close(self) -> None:
        """Release it."""


class DecisionLog:
    """Writes entries to a file or a database, in a thread of its own.

    target: a path, or a SQLAlchemy URL. megabytes: how much is kept, roughly in a database.
    Raises SettingsError for a URL that cannot be used.
    """

    def __init__(self, target: str, megabytes: int, metrics: Metrics):
        self._metrics = metrics
        self._store = store(target, megabytes)
        self._waiting: queue.Queue[Entry | None] = queue.Queue(MAX_WAITING)
        self._thread: threading.Thread | None = None
        self._told = float("-inf")

    def check(self) -> None:
        """Raise SettingsError if it cannot be written."""
        self._store.open()
        self._store.close()

    def open(self) -> None:
        """Start the thread. Raises SettingsError if it cannot be written."""
        self._store.open()
        for result in ("written", "lost"):
            self._metrics.decisions.labels(result)  # shown as 0 until there is one
        self._thread = threading.Thread(target=self._write, name="decisions", daemon=True)
        self._thread.start()

    def put(
        self, name: str, policy: str, weights: str, scores: dict[str, float], flags: list[str]
    ) -> None:
        """Add an entry of now, unless too many wait or its id, `name`, is too long."""
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        entry = Entry(now, name, policy, weights, scores, flags)
        if len(entry.id) > MAX_ID:
            self._lost(1, f"an id is longer than {MAX_ID} characters")
            return
        try:
            self._waiting.put_nowait(entry)
        except queue.Full:
            self._lost(1, "it cannot be written fast enough")

    def close(self) -> None:
        """Write what waits, for STOP_SECONDS at most; the rest is lost."""
        if not self._thread:
            return
        ends = time.monotonic() + STOP_SECONDS
        with suppress(queue.Full):
            self._waiting.put(None, timeout=STOP_SECONDS)
        self._thread.join(max(0.0, ends - time.monotonic()))
        if self._thread.is_alive():
            self._lost(self._waiting.qsize(), "it could not be written before the service stopped")
        else:
            self._store.close()
        self._thread = None

    def _write(self) -> None:
        while (first := self._waiting.get()) is not None:
            entries = [first]
            last = False
            while len(entries) < BATCH and not last:
                try:
                    following = self._waiting.get_nowait()
                except queue.Empty:
                    break
                if following is None:
                    last = True
                else:
                    entries.append(following)
            try:
                self._store.write(entries)
            except Exception as error:  # whatever it is, requests go on
                cause = getattr(error, "orig", None) or error
                reason = cause.strerror if isinstance(cause, OSError) else type(cause).__name__
                self._lost(len(entries), reason or type(cause).__name__)
            else:
                self._metrics.decisions.labels("written").inc(len(entries))
            if last:
                return

    def _lost(self, count: int, reason: str) -> None:
        self._metrics.decisions.labels("lost").inc(count)
        now = time.monotonic()
        if now - self._told > TOLD_SECONDS:
            self._told = now
            LOG.error("The decision log loses lines: %s.", reason)


def store(target: str, megabytes: int) -> Store:
    """Return the store that a path or a SQLAlchemy URL names. Raises SettingsError."""
    if "://" not in target:
        return FileStore(Path(target), megabytes * 1_000_000)
    from comment_toxicity.service.decision_table import DatabaseStore  # SQLAlchemy takes 0.3 s

    return DatabaseStore(target, megabytes * 1_000_000 // LINE_BYTES)
