"""Callers who leave while they wait for scores: their work ends.

One look at all of them twice a second; a timer for each request would cost every caller.
"""

import asyncio
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from comment_toxicity.service.calls import Call
from comment_toxicity.service.errors import ApiError

LOG = logging.getLogger("comment_toxicity.service")

LOOK_SECONDS = 0.5  # between two looks; a caller who has waited for less is not looked at


@dataclass(eq=False)
class _Wait:
    call: Call
    futures: Sequence[asyncio.Future[Any]]
    since: float
    left: bool = False


class Leaving:
    """Looks which of the callers who wait have left. Call close() at the end."""

    def __init__(self) -> None:
        self._waits: dict[_Wait, None] = {}  # the oldest first
        self._loop = asyncio.get_running_loop()
        self._task = self._loop.create_task(self._look())

    @contextmanager
    def watch(self, call: Call, futures: Sequence[asyncio.Future[Any]]) -> Iterator[None]:
        """Cancel what is awaited within, and raise ApiError, once the caller has left."""
        wait = _Wait(call, futures, self._loop.time())
        self._waits[wait] = None
        try:
            yield
        except asyncio.CancelledError:
            if wait.left:
                raise ApiError(499, "The caller closed the connection.") from None
            raise
        finally:
            del self._waits[wait]

    def close(self) -> None:
        """Look no more."""
        self._task.cancel()

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            now = self._loop.time()
            for wait in list(self._waits):
                if wait.since > now - LOOK_SECONDS:
                    break  # and so are all after it
                try:
                    wait.left = await wait.call.left()
                except Exception as error:  # of one request; the others are to be looked at
                    LOG.error("cannot see whether a caller left: %s", type(error).__name__)
                if wait.left:
                    for future in wait.futures:
                        future.cancel()
