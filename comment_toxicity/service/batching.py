"""Texts of concurrent requests → scores, in small batches that score each distinct text once.

A worker takes what has arrived while it was busy: a lone request waits for nobody, and many are
scored in small batches. A text that is already waiting or being scored is not scored again; both
requests get the same scores. A new request that would wait too long, by the speed of the last
ones, is refused: its caller would have given up before the answer.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import Executor

import numpy as np
from numpy.typing import NDArray

from comment_toxicity.service.errors import OVERLOADED, busy

Scores = NDArray[np.float32]

# A batch ends at either limit: a few comments of usual length, about 20 ms of work, or a long one
# by itself.
BATCH_TEXTS = 8
BATCH_CHARACTERS = 2_000
# The overhead of a text, in characters that would take as long.
CHARACTERS_A_TEXT = 100
# Characters per second that a worker reads: the first guess, and the weight of a new measurement.
FIRST_RATE = 30_000.0
RATE_WEIGHT = 0.2


class Batcher:
    """Scores texts for many callers at once, within one event loop.

    score: texts → (texts, labels), called in `executor` by `workers` tasks at a time.
    max_wait: the seconds that a text may wait before it is scored.
    """

    def __init__(
        self,
        score: Callable[[Sequence[str]], Scores],
        executor: Executor,
        workers: int,
        max_wait: float,
    ):
        self._score = score
        self._executor = executor
        self._workers = workers
        self._max_wait = max_wait
        self._rate = FIRST_RATE
        self._work_ahead = 0
        self._waiting: deque[str] = deque()
        self._results: dict[str, asyncio.Future[Scores]] = {}
        self._arrived = asyncio.Event()
        self.shared = 0  # texts that were not scored because they were being scored
        self._tasks = [asyncio.create_task(self._serve()) for _ in range(workers)]

    @property
    def wait(self) -> float:
        """The estimated seconds that a new text would wait."""
        return self._work_ahead / (self._rate * self._workers)

    def check(self) -> None:
        """Raise ApiError if a new text would wait too long."""
        if self.wait > self._max_wait:
            raise busy(503, OVERLOADED, self.wait)

    def score(self, text: str) -> Awaitable[Scores]:
        """Return an awaitable of the scores of a text, (labels,)."""
        result = self._results.get(text)
        if result is None:
            result = asyncio.get_running_loop().create_future()
            self._results[text] = result
            self._waiting.append(text)
            self._work_ahead += _work(text)
            self._arrived.set()
        else:
            self.shared += 1
        return asyncio.shield(result)  # a caller who leaves cancels nothing for the others

    async def close(self) -> None:
        """Stop the workers; waiting texts are cancelled."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for result in self._results.values():
            result.cancel()

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._arrived.wait()
            texts = self._batch()
            if not texts:
                self._arrived.clear()
                continue
            work = sum(map(_work, texts))
            started = loop.time()
            try:
                scores = await loop.run_in_executor(self._executor, self._score, texts)
            except Exception as error:
                for text in texts:
                    self._take(text).set_exception(error)
            else:
                for text, row in zip(texts, scores, strict=True):
                    self._take(text).set_result(row)
            finally:
                self._work_ahead -= work
            rate = work / max(loop.time() - started, 1e-6)
            self._rate += RATE_WEIGHT * (rate - self._rate)

    def _batch(self) -> list[str]:
        texts: list[str] = []
        characters = 0
        while self._waiting and len(texts) < BATCH_TEXTS:
            characters += len(self._waiting[0])
            if texts and characters > BATCH_CHARACTERS:
                break
            texts.append(self._waiting.popleft())
        return texts

    def _take(self, text: str) -> asyncio.Future[Scores]:
        return self._results.pop(text)


def portions(sizes: Sequence[int]) -> Iterator[slice]:
    """Split a long request into portions to be sent one after another; others are served between.

    sizes: in characters or bytes. A portion is just large enough to keep the workers busy.
    """
    start = total = 0
    for number, size in enumerate(sizes):
        if number - start >= BATCH_TEXTS or (number - start >= 2 and total > BATCH_CHARACTERS):
            yield slice(start, number)
            start, total = number, 0
        total += size
    if start < len(sizes):
        yield slice(start, len(sizes))


def _work(text: str) -> int:
    return len(text) + CHARACTERS_A_TEXT
