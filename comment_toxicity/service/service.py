"""The service without HTTP: its life cycle, its limits, scoring, and storing corrections.

It knows no endpoint: endpoints.py has the table of them, and hands each one in to be answered.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial

from comment_toxicity.classifier import Classifier, load_classifier
from comment_toxicity.cpu import cores
from comment_toxicity.disk import shortest_float
from comment_toxicity.fetch.find import find_model
from comment_toxicity.folder import ModelFolder
from comment_toxicity.service.access import Access
from comment_toxicity.service.attributes import attribute_labels
from comment_toxicity.service.batching import Batcher, Scores
from comment_toxicity.service.calls import LARGE, Answer, Call, Endpoint, error_answer
from comment_toxicity.service.errors import OVERLOADED, ApiError, busy
from comment_toxicity.service.languages import LanguageDetector
from comment_toxicity.service.messages import MAX_TEXT_TOKENS
from comment_toxicity.service.metrics import Metrics
from comment_toxicity.service.requests import SuggestRequest
from comment_toxicity.service.settings import ServiceSettings
from comment_toxicity.windows import Cut

LOG = logging.getLogger("comment_toxicity.service")

# Large requests at once. Each can take --max-body in memory, then batch.MAX_ANSWERS. Small requests
# need no such bound: --max-requests of them take little.
MAX_LARGE = 32
# Corrections being written at once, and the seconds that a caller waits for the database. If it
# hangs, it delays no more requests than these.
MAX_WRITING = 4
MAX_WRITING_SECONDS = 10
# Characters that are tokenized without a thread, in 1 to 10 ms.
TOKENIZED_AT_ONCE = 500
LEFT_SECONDS = 0.5  # between two looks whether a caller who waits has left


class Service:
    """What all endpoints share. Call start() before the first request, stop() after the last.

    load: returns the model of a name; called once, in start().
    Raises SettingsError for keys, limits or a database that cannot be used.
    """

    def __init__(
        self,
        settings: ServiceSettings,
        load: Callable[[str], Classifier] = load_classifier,
    ):
        self.settings = settings
        self.metrics = Metrics()
        self.draining = False
        self._load = load
        self._access = Access(settings)
        self._store = None
        if settings.feedback_database:
            from comment_toxicity.service.feedback import FeedbackStore  # SQLAlchemy takes 0.3 s

            self._store = FeedbackStore(settings.feedback_database)
        self._active = self._large = self._writing = 0
        self._batcher: Batcher | None = None
        self._executor: ThreadPoolExecutor | None = None
        self._tokenizing: ThreadPoolExecutor | None = None

    @property
    def ready(self) -> bool:
        """Whether it can score, and is not about to stop."""
        return self._batcher is not None and self._batcher.alive and not self.draining

    def check(self) -> None:
        """Raise ModelError or SettingsError for a model or a database that cannot be used."""
        labels = ModelFolder.read(find_model(self.settings.model)).labels
        if not attribute_labels(labels):
            LOG.warning(
                "The model scores %s: comments:analyze supports no attribute, but /v1/score works.",
                ", ".join(labels),
            )
        if self._store:
            self._store.open()
            self._store.close()

    async def start(self) -> None:
        """Load model and language detector. Raises ModelError or SettingsError."""
        self.classifier = await asyncio.to_thread(self._load, self.settings.model)
        self.labels = self.classifier.labels
        self.attributes = attribute_labels(self.labels)
        self.detector = LanguageDetector(self.settings.languages, self.classifier.read)
        self._executor = ThreadPoolExecutor(cores(), thread_name_prefix="score")
        self._tokenizing = ThreadPoolExecutor(1, thread_name_prefix="tokenize")
        self._batcher = Batcher(
            self.classifier.score_cuts, self._executor, cores(), self.settings.max_wait
        )
        if self._store:
            await asyncio.to_thread(self._store.open)
        self.draining = False

    async def stop(self) -> None:
        """Stop the workers. The server has completed every accepted request before."""
        self.draining = True
        if self._batcher:
            await self._batcher.close()
            self._batcher = None
        for executor in filter(None, (self._executor, self._tokenizing)):
            executor.shutdown()
        if self._store:
            await asyncio.to_thread(self._store.close)

    async def answer(self, endpoint: Endpoint, call: Call, until_sent: ExitStack) -> Answer:
        """Answer a request; never raises.

        until_sent: closed when the answer has been sent; a large one counts until then.
        """
        started = time.perf_counter()
        if endpoint.scoring and self._active >= self.settings.max_requests:
            answer = error_answer(busy(503, OVERLOADED, 1))
        else:
            self._active += endpoint.scoring
            try:
                answer = await self.answer_part(endpoint, call)
            finally:
                self._active -= endpoint.scoring
        if len(call.body) <= LARGE < len(answer.body):
            try:
                until_sent.enter_context(self.large())
            except ApiError as error:
                answer = error_answer(error)
        self.metrics.answered(endpoint.name, answer.status, time.perf_counter() - started)
        return answer

    @contextmanager
    def large(self) -> Iterator[None]:
        """Count a large request until its answer is sent. Raises ApiError beyond MAX_LARGE."""
        if self._large >= MAX_LARGE:
            raise busy(503, OVERLOADED, 1)
        self._large += 1
        try:
            yield
        finally:
            self._large -= 1

    async def answer_part(self, endpoint: Endpoint, call: Call) -> Answer:
        """Answer one request, or one part of a batch."""
        try:
            if endpoint.keyed:
                await self._access.admit(call)
            if endpoint.scoring:
                self._check_load()
            return await endpoint.handler(call)
        except ApiError as error:
            return error_answer(error)
        except Exception as error:
            # Its message could quote the comment, so it is not logged.
            LOG.error("%s: %s in %s", endpoint.name, type(error).__name__, _where(error))
            return error_answer(ApiError(500, "Internal error encountered."))

    async def cut(self, texts: Sequence[str]) -> list[Cut]:
        """Cut texts for score(), at MAX_TEXT_TOKENS. None of them is blank."""
        if sum(map(len, texts)) <= TOKENIZED_AT_ONCE:
            return self.classifier.cut(texts, MAX_TEXT_TOKENS)
        return await asyncio.get_running_loop().run_in_executor(
            self._tokenizing, self.classifier.cut, texts, MAX_TEXT_TOKENS
        )

    async def score(
        self, texts: Sequence[str], cuts: Sequence[Cut], call: Call | None = None
    ) -> list[Scores]:
        """Score texts together with those of other requests; return (labels,) for each.

        cuts: what cut() returns for the texts. call: whose caller can leave, and then the work
        ends with an ApiError.
        """
        assert self._batcher  # noqa: S101 - _check_load has refused before
        shared = self._batcher.shared
        waiting = asyncio.gather(*map(self._batcher.score, texts, cuts))
        shared = self._batcher.shared - shared
        self.metrics.shared.inc(shared)
        self.metrics.texts.inc(len(texts) - shared)
        self.metrics.waiting.set(self._batcher.wait)
        try:
            while call and not (await asyncio.wait([waiting], timeout=LEFT_SECONDS))[0]:
                await call.check_caller()
            scores = await waiting
        finally:
            waiting.cancel()
        if self._batcher:
            self.metrics.waiting.set(self._batcher.wait)
        return scores

    async def store(self, request: SuggestRequest, languages: Sequence[str]) -> None:
        """Store a correction with the current scores of the model.

        Nothing is stored if the operator named no database, or the caller set doNotStore.
        """
        if not self._store or request.do_not_store:
            return
        texts = [request.text]
        [scores] = await self.score(texts, await self.cut(texts))
        weights = self.classifier.decision.weights
        add = partial(
            self._store.add,
            request,
            languages=list(request.languages or languages),
            scored={
                label: shortest_float(score)
                for label, score in zip(self.labels, scores, strict=True)
            },
            model=self.classifier.name,
            weights=weights.sha256 if weights else "",
        )
        if self._writing >= MAX_WRITING:
            raise busy(503, "The database of corrections is slow; try again later.", 5)
        self._writing += 1
        written = asyncio.get_running_loop().run_in_executor(None, add)
        written.add_done_callback(self._written)
        try:
            await asyncio.wait_for(asyncio.shield(written), MAX_WRITING_SECONDS)
        except TimeoutError:
            raise busy(503, "The database of corrections does not answer.", 60) from None

    def _written(self, done: asyncio.Future[None]) -> None:
        self._writing -= 1
        if not done.cancelled():
            done.exception()  # else asyncio warns that nobody retrieved it

    def serves(self, language: str) -> bool:
        """Whether the operator serves a language, such as "en" or "en-US"."""
        return language.lower().replace("_", "-").split("-")[0] in self.settings.languages

    def _check_load(self) -> None:
        if self._batcher is None:
            raise busy(503, "The service is starting or stopping; try again later.", 1)
        self._batcher.check()


def _where(error: BaseException) -> str:
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    if not trace:
        return "an unknown file"
    return f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
