"""Texts of concurrent requests → scores, in small batches that score each distinct text once.

A worker takes what has arrived while it was busy: a lone request waits for nobody, and many are
scored in small batches. A long text is scored in turns, and others are scored between them. A text
that is already waiting or being scored is not scored again; both requests get the same scores. A
text whose callers have all left is not scored, or not to its end. A new request that would wait too
long, by the speed of the last ones, is refused: its caller would have given up before the answer.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from comment_toxicity.service.errors import OVERLOADED, busy
from comment_toxicity.windows import Cut, TokenIds

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


class Model(Protocol):
    """What is called of a Classifier."""

    def score_cuts(
        self, cuts: Sequence[Cut], between: Callable[[], None], languages: Sequence[str | None]
    ) -> Scores:
        """(texts, labels); between is called between windows, and ends the work by raising."""

    def window_logits(self, windows: Sequence[TokenIds]) -> Scores:
        """(windows, labels)."""

    def combined(self, logits: Scores, language: str | None) -> Scores:
        """The scores of a text, (labels,), from the logits of its windows."""


class _NobodyWaitsError(Exception):
    """All callers of a batch have left."""


@dataclass(eq=False)
class _Job:
    """A text that waits, or is being scored.

    callers: a future for each who waits for its scores; one who leaves cancels nothing for others.
    windows: of a long text, those that are different. order: which of them it has, in its order.
    begun: how many have been handed out. logits: of those that are done.
    """

    text: str
    cut: Cut
    language: str | None
    callers: list[asyncio.Future[Scores]] = field(default_factory=list)
    windows: list[TokenIds] = field(default_factory=list)
    order: list[int] = field(default_factory=list)
    begun: int = 0
    logits: dict[int, Scores] = field(default_factory=dict)

    @classmethod
    def of(cls, text: str, cut: Cut, language: str | None) -> "_Job":
        job = cls(text, cut, language)
        if cut.tokens > BATCH_TOKENS and len(cut.windows) > 1:
            distinct = {ids.tobytes(): ids for ids in cut.windows}
            numbers = {key: number for number, key in enumerate(distinct)}
            job.windows = list(distinct.values())
            job.order = [numbers[ids.tobytes()] for ids in cut.windows]
        return job

    @property
    def key(self) -> tuple[str, str | None]:
        """What it shares with jobs that have the same scores."""
        return self.text, self.language

    @property
    def next(self) -> range:
        """The windows of the next turn: as many as fit into a batch, at least one."""
        end = self.begun + 1
        tokens = sum(map(len, self.windows[self.begun : end]))
        while end < len(self.windows) and tokens + len(self.windows[end]) <= BATCH_TOKENS:
            tokens += len(self.windows[end])
            end += 1
        return range(self.begun, min(end, len(self.windows)))

    @property
    def turn(self) -> int:
        """The work of the next turn, in tokens."""
        if not self.windows:
            return self.cut.tokens + TOKENS_A_TEXT
        return _work(self.windows[number] for number in self.next)

    @property
    def rest(self) -> int:
        """The work that has not begun, in tokens."""
        return _work(self.windows[self.begun :]) if self.windows else self.turn


def _work(windows: Iterable[TokenIds]) -> int:
    return sum(len(ids) + TOKENS_A_TEXT for ids in windows)


class Batcher:
    """Scores texts for many callers at once, within one event loop.

    model: called in `executor` by `workers` tasks at a time.
    max_wait: the seconds that a text may wait before it is scored.
    """

    def __init__(self, model: Model, executor: Executor, workers: int, max_wait: float):
        self._model = model
        self._executor = executor
        self._workers = workers
        self._max_wait = max_wait
        self._rate = FIRST_RATE
        # In tokens: all work, and what a new text has to wait for, which is one turn of each.
        self._work_ahead = self._turns_ahead = 0
        self._waiting: deque[_Job] = deque()
        self._jobs: dict[tuple[str, str | None], _Job] = {}
        self._arrived = asyncio.Event()
        self.shared = 0  # texts that were not scored because they were being scored
        self._tasks = [asyncio.create_task(self._serve()) for _ in range(workers)]

    @property
    def alive(self) -> bool:
        """Whether all workers run: without one, texts could wait for ever."""
        return not any(task.done() for task in self._tasks)

    @property
    def wait(self) -> float:
        """The estimated seconds that a new text would wait for its first turn."""
        return self._turns_ahead / (self._rate * self._workers)

    def check(self, cuts: Sequence[Cut] = ()) -> None:
        """Raise ApiError if new texts would wait too long; a long one waits for all before it."""
        wait = self.wait
        if any(cut.tokens > BATCH_TOKENS for cut in cuts):
            wait = self._work_ahead / (self._rate * self._workers)
        if wait > self._max_wait:
            raise busy(503, OVERLOADED, wait)

    def score(self, text: str, cut: Cut, language: str | None = None) -> asyncio.Future[Scores]:
        """Return a future of the scores of a text, (labels,). To leave, cancel it."""
        job = self._jobs.get((text, language))
        if job is None:
            job = self._jobs[text, language] = _Job.of(text, cut, language)
            self._work_ahead += job.rest
            self._queue(job)
        else:
            self.shared += 1
        caller: asyncio.Future[Scores] = asyncio.get_running_loop().create_future()
        caller.add_done_callback(partial(self._left, job))
        job.callers.append(caller)
        return caller

    async def close(self) -> None:
        """Stop the workers; waiting texts are cancelled."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for job in self._jobs.values():
            for caller in job.callers:
                caller.cancel()

    def _queue(self, job: _Job) -> None:
        self._waiting.append(job)
        self._turns_ahead += job.turn
        self._arrived.set()

    def _withdraw(self, job: _Job) -> None:
        """Take a job out of the queue, if it is there."""
        if job in self._waiting:
            self._waiting.remove(job)
            self._turns_ahead -= job.turn
            self._work_ahead -= job.rest

    def _left(self, job: _Job, caller: asyncio.Future[Scores]) -> None:
        if not caller.cancelled():
            return
        job.callers.remove(caller)
        if not job.callers and job in self._waiting:
            self._withdraw(job)
            del self._jobs[job.key]

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._arrived.wait()
            if not self._waiting:
                self._arrived.clear()
                continue
            jobs, work, call, note = self._turn()
            started = loop.time()
            try:
                done = await loop.run_in_executor(self._executor, call)
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
                note(done)
            finally:
                self._work_ahead -= work
                self._turns_ahead -= work
            rate = work / max(loop.time() - started, 1e-6)
            self._rate += RATE_WEIGHT * (rate - self._rate)

    def _turn(self) -> tuple[list[_Job], int, Callable[[], Scores], Callable[[Scores], Any]]:
        """Take jobs from the queue: their work, the call that does it, and who takes the result."""
        if not self._waiting[0].windows:
            jobs = self._batch()

            def between() -> None:
                if not any(job.callers for job in jobs):
                    raise _NobodyWaitsError

            languages = [job.language for job in jobs]
            cuts = [job.cut for job in jobs]
            call = partial(self._model.score_cuts, cuts, between, languages)
            return jobs, sum(job.turn for job in jobs), call, partial(self._finish, jobs)
        job = self._waiting.popleft()
        work, numbers = job.turn, job.next
        job.begun = numbers.stop
        if job.begun < len(job.windows):
            self._queue(job)  # behind the others, and another worker can take it at once
        call = partial(self._model.window_logits, [job.windows[number] for number in numbers])
        return [job], work, call, partial(self._note, job, numbers)

    def _batch(self) -> list[_Job]:
        jobs: list[_Job] = []
        tokens = 0
        while self._waiting and len(jobs) < BATCH_TEXTS and not self._waiting[0].windows:
            tokens += self._waiting[0].cut.tokens
            if jobs and tokens > BATCH_TOKENS:
                break
            jobs.append(self._waiting.popleft())
        return jobs

    def _note(self, job: _Job, numbers: range, logits: Scores) -> None:
        """Keep the logits of a long text's windows; with the last ones, it has its scores."""
        job.logits |= dict(zip(numbers, logits, strict=True))
        if len(job.logits) == len(job.windows):
            rows = np.stack([job.logits[number] for number in job.order])
            self._finish([job], [self._model.combined(rows, job.language)])

    def _finish(self, jobs: Sequence[_Job], scores: Iterable[Scores]) -> None:
        for job, row in zip(jobs, scores, strict=True):
            self._forget(job)
            for caller in job.callers:
                if not caller.done():
                    caller.set_result(row)

    def _fail(self, jobs: Sequence[_Job], error: Exception) -> None:
        for job in jobs:
            self._withdraw(job)
            self._forget(job)
            for caller in job.callers:
                if not caller.done():
                    caller.set_exception(error)

    def _give_up(self, jobs: Sequence[_Job]) -> None:
        for job in jobs:
            if job.callers:  # somebody came while the others left
                self._work_ahead += job.rest
                self._queue(job)
            else:
                self._forget(job)

    def _forget(self, job: _Job) -> None:
        if self._jobs.get(job.key) is job:  # and not of the same text, asked for since
            del self._jobs[job.key]


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
