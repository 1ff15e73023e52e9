"""Texts of concurrent requests → scores, in small batches that score each distinct text once.

A worker takes what has arrived while it was busy: a lone request waits for nobody, and many are
scored in small batches. A text that is already waiting or being scored is not scored again; both
requests get the same scores. A text whose callers have all left is not scored, or not to its end. A
new request that would wait too long, by the speed of the last ones, is refused: its caller would
have given up before the answer.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from comment_toxicity.service.errors import OVERLOADED, busy
from comment_toxicity.windows import Cut

Scores = NDArray[np.float32]

# A batch ends at either limit: a few comments of usual length, about 20 ms of work, or a long one
# by itself.
BATCH_TEXTS = 8
BATCH_TOKENS = 450
BATCH_CHARACTERS = 2_000  # as many, in English
# The overhead of a text, in tokens that would take as long.
TOKENS_A_TEXT = 25
# Tokens per second that a worker reads: the first guess, and the weight of a new measurement.
FIRST_RATE = 7_000.0
RATE_WEIGHT = 0.2


class _NobodyWaitsError(Exception):
    """All callers of a batch have left."""


@dataclass(eq=False)
class _Job:
    """A text that waits, or is being scored, and how many callers want it."""

    text: str
    cut: Cut
    work: int
    result: asyncio.Future[Scores]
    callers: int = 0


class Batcher:
    """Scores texts for many callers at once, within one event loop.

    score: texts as Classifier.cut() returns them → (texts, labels), called in `executor` by
        `workers` tasks at a time. Its second argument is to be called between windows.
    max_wait: the seconds that a text may wait before it is scored.
    """

    def __init__(
        self,
        score: Callable[[Sequence[Cut], Callable[[], None]], Scores],
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
        self._waiting: deque[_Job] = deque()
        self._jobs: dict[str, _Job] = {}
        self._arrived = asyncio.Event()
        self.shared = 0  # texts that were not scored because they were being scored
        self._tasks = [asyncio.create_task(self._serve()) for _ in range(workers)]

    @property
    def alive(self) -> bool:
        """Whether all workers run: without one, texts could wait for ever."""
        return not any(task.done() for task in self._tasks)

    @property
    def wait(self) -> float:
        """The estimated seconds that a new text would wait."""
        return self._work_ahead / (self._rate * self._workers)

    def check(self) -> None:
        """Raise ApiError if a new text would wait too long."""
        if self.wait > self._max_wait:
            raise busy(503, OVERLOADED, self.wait)

    def score(self, text: str, cut: Cut) -> Awaitable[Scores]:
        """Return an awaitable of the scores of a text, (labels,). To leave, cancel it."""
        job = self._jobs.get(text)
        if job is None:
            result = asyncio.get_running_loop().create_future()
            job = self._jobs[text] = _Job(text, cut, cut.tokens + TOKENS_A_TEXT, result)
            self._queue(job)
        else:
            self.shared += 1
        job.callers += 1
        waiter = asyncio.shield(job.result)  # a caller who leaves cancels nothing for the others
        waiter.add_done_callback(lambda waiter: self._left(job) if waiter.cancelled() else None)
        return waiter

    async def close(self) -> None:
        """Stop the workers; waiting texts are cancelled."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for job in self._jobs.values():
            job.result.cancel()

    def _queue(self, job: _Job) -> None:
        self._waiting.append(job)
        self._work_ahead += job.work
        self._arrived.set()

    def _left(self, job: _Job) -> None:
        job.callers -= 1
        if not job.callers and job in self._waiting:
            self._waiting.remove(job)
            self._work_ahead -= job.work
            del self._jobs[job.text]

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._arrived.wait()
            jobs = self._batch()
            if not jobs:
                self._arrived.clear()
                continue
            work = sum(job.work for job in jobs)
            started = loop.time()

            def between(jobs: list[_Job] = jobs) -> None:
                if not any(job.callers for job in jobs):
                    raise _NobodyWaitsError

            cuts = [job.cut for job in jobs]
            try:
                scores = await loop.run_in_executor(self._executor, self._score, cuts, between)
            except asyncio.CancelledError:  # close() stops this worker
                raise
            except _NobodyWaitsError:
                self._give_up(jobs)
                continue
            except Exception as error:
                self._fail(jobs, error)
            except BaseException as error:  # a panic of an extension; raised, it would end us
                self._fail(jobs, RuntimeError(type(error).__name__))
            else:
                for job, row in zip(jobs, scores, strict=True):
                    self._jobs.pop(job.text).result.set_result(row)
            finally:
                self._work_ahead -= work
            rate = work / max(loop.time() - started, 1e-6)
            self._rate += RATE_WEIGHT * (rate - self._rate)

    def _batch(self) -> list[_Job]:
        jobs: list[_Job] = []
        tokens = 0
        while self._waiting and len(jobs) < BATCH_TEXTS:
            tokens += self._waiting[0].cut.tokens
            if jobs and tokens > BATCH_TOKENS:
                break
            jobs.append(self._waiting.popleft())
        return jobs

    def _fail(self, jobs: Sequence[_Job], error: Exception) -> None:
        for job in jobs:
            self._jobs.pop(job.text).result.set_exception(error)

    def _give_up(self, jobs: Sequence[_Job]) -> None:
        for job in jobs:
            if job.callers:  # somebody came while the others left
                self._queue(job)
            else:
                del self._jobs[job.text]


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
