"""Texts of concurrent requests → scores: a few texts a call, each distinct text once.

A worker takes what has come in while it was at work, so a lone request waits for nobody, and a
crowd is scored in small batches. A text that is already waiting or being scored is not scored
again: both requests get the same scores. When too much is waiting, new requests are refused
until it is less.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Executor

import numpy as np
from numpy.typing import NDArray

from classifier.service.refusals import busy

Scores = NDArray[np.float32]

# A batch ends at either: a few comments of usual length, about 20 ms of work; a long one by itself.
BATCH_TEXTS = 8
BATCH_CHARACTERS = 2_000
# What two cores read in a second, roughly: for Retry-After only.
CHARACTERS_PER_SECOND = 100_000


class Gatherer:
    """Scores texts for many callers at once. It lives in one event loop.

    score: texts → (texts × labels), called in `executor`, by as many workers as given.
    limit: how many characters may wait.
    """

    def __init__(
        self,
        score: Callable[[Sequence[str]], Scores],
        executor: Executor,
        workers: int,
        limit: int,
    ):
        self._score = score
        self._executor = executor
        self._limit = limit
        self._waiting: deque[str] = deque()
        self._results: dict[str, asyncio.Future[Scores]] = {}
        self._some = asyncio.Event()
        self.waiting_characters = 0
        self.shared = 0  # texts that were not scored because they were being scored
        self._tasks = [asyncio.create_task(self._work()) for _ in range(workers)]

    def check(self) -> None:
        """Raise RefusedError where too much is waiting to take on another request."""
        if self.waiting_characters >= self._limit:
            seconds = self.waiting_characters / CHARACTERS_PER_SECOND
            raise busy(503, "The service is overloaded; try again later.", seconds)

    def score(self, text: str) -> Awaitable[Scores]:
        """Give the scores of a text, (labels,), when they are there."""
        result = self._results.get(text)
        if result is None:
            result = asyncio.get_running_loop().create_future()
            self._results[text] = result
            self._waiting.append(text)
            self.waiting_characters += len(text)
            self._some.set()
        else:
            self.shared += 1
        return asyncio.shield(result)  # a caller who goes away takes nothing from the others

    async def close(self) -> None:
        """Stop the workers; what waits is not scored any more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for result in self._results.values():
            result.cancel()

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._some.wait()
            texts = self._batch()
            if not texts:
                self._some.clear()
                continue
            try:
                scores = await loop.run_in_executor(self._executor, self._score, texts)
            except Exception as error:
                for text in texts:
                    self._take(text).set_exception(error)
            else:
                for text, row in zip(texts, scores, strict=True):
                    self._take(text).set_result(row)
            finally:
                self.waiting_characters -= sum(map(len, texts))

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
