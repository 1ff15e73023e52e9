"""The service without HTTP: its life cycle, its limits, scoring, and storing corrections.

It knows no endpoint: endpoints.py has the table of them, and hands each one in to be answered.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from comment_toxicity.classifier import Classifier, load_classifier
from comment_toxicity.cpu import cores
from comment_toxicity.disk import shortest_float
from comment_toxicity.errors import SettingsError
from comment_toxicity.fetch.find import find_model
from comment_toxicity.folder import ModelFolder
from comment_toxicity.policy import Policies, Rulebook, Rules, Treated, read_text
from comment_toxicity.routing import Models, checked_labels, model_names, model_of_language
from comment_toxicity.service.access import Access
from comment_toxicity.service.attributes import attribute_labels
from comment_toxicity.service.batching import Batcher, Scores
from comment_toxicity.service.calls import LARGE, Answer, Call, Endpoint
from comment_toxicity.service.decision_log import DecisionLog
from comment_toxicity.service.errors import OVERLOADED, ApiError, busy, unknown_policy
from comment_toxicity.service.leaving import Leaving
from comment_toxicity.service.messages import MAX_TEXT_TOKENS
from comment_toxicity.service.metrics import Metrics
from comment_toxicity.service.requests import SuggestRequest
from comment_toxicity.service.settings import ServiceSettings
from comment_toxicity.windows import Cut

if TYPE_CHECKING:
    from comment_toxicity.service.feedback import FeedbackStore

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


@dataclass(frozen=True, slots=True)
class Reading:
    """A text as the model that scores it gets it.

    position: the model's, in Service.models. language: None: it is unknown, or changes nothing.
    """

    text: str
    cut: Cut
    position: int = 0
    language: str | None = None

    @property
    def cut_short(self) -> bool:
        """Whether the text is too long to be scored in full."""
        return self.cut.characters < len(self.text)


class Service:
    """What all endpoints share. Call start() before the first request, stop() after the last.

    load: returns the model of a name; called once for each, in start().
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
        self._store: FeedbackStore | None = None
        if settings.feedback_database:
            from comment_toxicity.service import feedback  # SQLAlchemy takes 0.3 s

            self._store = feedback.FeedbackStore(settings.feedback_database)
        self._log: DecisionLog | None = None
        if settings.decision_log:
            self._log = DecisionLog(settings.decision_log, settings.decision_log_size, self.metrics)
        self._rules: Rulebook | None = None
        self._active = self._large = self._writing = 0
        self._batchers: list[Batcher] = []  # one for each model
        self._executor: ThreadPoolExecutor | None = None
        self._tokenizing: ThreadPoolExecutor | None = None

    @property
    def policy_names(self) -> list[str]:
        """The names of the policies that a request can name."""
        return list(self._rules.named) if self._rules else []

    @property
    def keyed(self) -> bool:
        """Whether callers need an API key."""
        return self._access.keyed

    @property
    def ready(self) -> bool:
        """Whether it can score, and is not about to stop."""
        alive = bool(self._batchers) and all(batcher.alive for batcher in self._batchers)
        return alive and not self.draining

    @property
    def corrections(self) -> "FeedbackStore | None":
        """The database of corrections, where one is configured."""
        return self._store

    def check(self) -> None:
        """Raise ModelError or SettingsError for a model or a database that cannot be used."""
        folders = self._folders()
        labels = checked_labels((name, folder.labels) for name, folder in folders.items())
        reads = [(name, folder.languages) for name, folder in folders.items()]
        model_of_language(reads, self.settings.languages)
        if self.settings.policy:
            self.checked_policies()
        if not attribute_labels(labels):
            LOG.warning(
                "The model scores %s: comments:analyze supports no attribute, but /v1/score works.",
                ", ".join(labels),
            )
        if self._store:
            self._store.open()
            self._store.close()
        if self._log:
            self._log.check()

    def checked_policies(self) -> str:
        """Return the text of the policy file.

        Raises ModelError, or SettingsError for a file that cannot be used.
        """
        [folder, *_] = self._folders().values()
        text = read_text(self.settings.policy)
        self._policies(text, folder.labels, folder.decision.single_label)
        return text

    def _folders(self) -> dict[str, ModelFolder]:
        names = model_names(self.settings.model)
        return {name: ModelFolder.read(find_model(name)) for name in names}

    def _policies(self, text: str, labels: Sequence[str], single_label: bool) -> Policies:
        path = self.settings.policy
        policies = Policies.parse(path, text, labels, single_label)
        for digest, name in policies.of_keys().items():
            if not self._access.knows(digest):
                raise SettingsError(
                    f"{path}: policies.{name}.keys has a key that is not one of the service's; add "
                    "it to --api-keys-file, or delete it."
                )
        return policies

    async def reload_policies(self) -> None:
        """Read the policy file again. One that cannot be used changes nothing; the log says why.

        Requests in progress keep the policy that they began with.
        """
        try:
            self._rules = await asyncio.to_thread(self._rulebook)
        except SettingsError as error:
            LOG.error("%s The policies stay as they were.", error)
        else:
            LOG.warning("The policies have been read again.")

    def policy(self, call: Call, name: str | None = None) -> Rules | None:
        """Return the policy of a request: the one it names, its key's, or the default.

        None: there is none, and the model's own thresholds count. Raises ApiError for an unknown
        name.
        """
        if name is None:
            return self._rules.usual(call.key) if self._rules else None
        named = self._rules.named.get(name) if self._rules else None
        if not named:
            raise unknown_policy(name)
        return named

    async def treat(self, texts: Sequence[str], rules: Rules | None) -> list[Treated]:
        """Apply the words of a policy to texts, none of them blank, before they are cut."""
        if not rules or not rules.has_words:
            return list(map(Treated, texts))
        if sum(map(len, texts)) <= TOKENIZED_AT_ONCE:
            return list(map(rules.treat, texts))
        return await asyncio.get_running_loop().run_in_executor(
            self._tokenizing, lambda: list(map(rules.treat, texts))
        )

    async def start(self) -> None:
        """Load models and language detector. Raises ModelError or SettingsError."""
        names = model_names(self.settings.model)
        loaded = [await asyncio.to_thread(self._load, name) for name in names]
        self.models = Models(loaded, self.settings.languages)
        self.classifier = self.models.first
        self.labels = self.classifier.labels
        self.attributes = attribute_labels(self.labels)
        self._rules = await asyncio.to_thread(self._rulebook)
        self.detector = self.models.detector
        self._executor = ThreadPoolExecutor(cores(), thread_name_prefix="score")
        self._tokenizing = ThreadPoolExecutor(1, thread_name_prefix="tokenize")
        self._batchers = [
            Batcher(model, self._executor, cores(), self.settings.max_wait)
            for model in self.models.classifiers
        ]
        self._leaving = Leaving()
        if self._store:
            await asyncio.to_thread(self._store.open)
        if self._log:
            await asyncio.to_thread(self._log.open)
        self.draining = False

    async def stop(self) -> None:
        """Stop the workers. The server has completed every accepted request before."""
        self.draining = True
        batchers, self._batchers = self._batchers, []
        for batcher in batchers:
            await batcher.close()
        if batchers:
            self._leaving.close()
        for executor in filter(None, (self._executor, self._tokenizing)):
            executor.shutdown()
        if self._store:
            await asyncio.to_thread(self._store.close)
        if self._log:
            await asyncio.to_thread(self._log.close)

    async def answer(self, endpoint: Endpoint, call: Call, until_sent: ExitStack) -> Answer:
        """Answer a request; never raises.

        until_sent: closed when the answer has been sent; a large one counts until then.
        """
        started = time.perf_counter()
        if endpoint.scoring and self._active >= self.settings.max_requests:
            answer = endpoint.errors.answer(busy(503, OVERLOADED, 1))
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
                answer = endpoint.errors.answer(error)
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
                key = await self._access.admit(call)
                call = replace(call, key=key) if key else call
            if endpoint.scoring:
                self._check_load()
            return await endpoint.handler(call)
        except ApiError as error:
            return endpoint.errors.answer(error)
        except Exception as error:
            # Its message could quote the comment, so it is not logged.
            LOG.error("%s: %s in %s", endpoint.name, type(error).__name__, _where(error))
            return endpoint.errors.answer(ApiError(500, "Internal error encountered."))

    async def charge(self, call: Call, requests: int) -> None:
        """Count a call as so many further requests of its caller. Raises ApiError."""
        await self._access.charge(call, requests)

    def languages(self, texts: Sequence[str]) -> list[str | None]:
        """The languages of texts, for read(); not looked for where they change nothing."""
        if not self.models.tells_languages:
            return [None] * len(texts)
        return self.models.languages(texts)

    async def read(self, texts: Sequence[str], languages: Sequence[str | None]) -> list[Reading]:
        """Cut texts for score(), at MAX_TEXT_TOKENS. None of them is blank.

        languages: of each, which decide what model reads it, and how its scores are calibrated.
        """
        if sum(map(len, texts)) <= TOKENIZED_AT_ONCE:
            return self._read(texts, languages)
        return await asyncio.get_running_loop().run_in_executor(
            self._tokenizing, self._read, texts, languages
        )

    def _read(self, texts: Sequence[str], languages: Sequence[str | None]) -> list[Reading]:
        positions = list(map(self.models.position, languages))
        cuts = {}
        for position in set(positions):
            own = [text for text, index in zip(texts, positions, strict=True) if index == position]
            cuts[position] = iter(self.models.classifiers[position].cut(own, MAX_TEXT_TOKENS))
        return [
            Reading(text, next(cuts[position]), position, language)
            for text, position, language in zip(texts, positions, languages, strict=True)
        ]

    async def score(
        self, readings: Sequence[Reading], call: Call | None = None, begun: bool = False
    ) -> list[Scores]:
        """Score texts together with those of other requests; return (labels,) for each.

        readings: what read() returns. call: whose caller can leave, and then the work ends with an
        ApiError. begun: other texts of the request have been scored. If not, long texts are
        refused with an ApiError where they would wait too long.
        """
        batchers = self._batchers
        if not begun:
            for position, batcher in enumerate(batchers):
                cuts = [reading.cut for reading in readings if reading.position == position]
                if cuts or not readings:
                    batcher.check(cuts)
        shared = self._shared
        waiting = [
            batchers[reading.position].score(reading.text, reading.cut, reading.language)
            for reading in readings
        ]
        shared = self._shared - shared
        self.metrics.shared.inc(shared)
        self.metrics.texts.inc(len(readings) - shared)
        self.metrics.waiting.set(self._wait)
        try:
            with self._leaving.watch(call, waiting) if call else nullcontext():
                return [await scores for scores in waiting]
        finally:
            for scores in waiting:
                # If the work fails, asyncio would log each exception that nobody asked for.
                _ = scores.cancel() or scores.cancelled() or scores.exception()
            if self._batchers:
                self.metrics.waiting.set(self._wait)

    @property
    def _shared(self) -> int:
        return sum(batcher.shared for batcher in self._batchers)

    @property
    def _wait(self) -> float:
        return max(batcher.wait for batcher in self._batchers)

    def decides(self, rules: Rules | None, name: str | None) -> bool:
        """Whether a comment's flags are of use to a policy, or to the log of decisions."""
        return rules is not None or bool(self._log and name)

    def decide(
        self,
        scores: Scores,
        reading: Reading,
        comment: Treated,
        rules: Rules | None,
        name: str | None = None,
    ) -> list[str]:
        """Return the labels that a scored comment is flagged with, and record that.

        name: the caller's id for the comment; without one nothing is recorded.
        """
        model = self.models.classifiers[reading.position]
        flags = model.flags(scores, reading.language)
        if rules:
            flags = rules.flags(scores, comment.always, flags)
        if self._log and name:
            weights = model.decision.weights
            self._log.put(
                name,
                rules.policy.name if rules else "",
                weights.sha256 if weights else "",
                self._by_label(scores),
                flags,
            )
        return flags

    def _by_label(self, scores: Scores) -> dict[str, float]:
        return dict(zip(self.labels, map(shortest_float, scores), strict=True))

    async def store(self, request: SuggestRequest, languages: Sequence[str]) -> None:
        """Store a correction with the current scores of the model.

        Nothing is stored if the operator named no database, or the caller set doNotStore.
        """
        if not self._store or request.do_not_store:
            return
        [language] = self.languages([request.text])
        [reading] = await self.read([request.text], [language])
        [scores] = await self.score([reading])
        model = self.models.classifiers[reading.position]
        weights = model.decision.weights
        add = partial(
            self._store.add,
            request,
            languages=list(request.languages or languages),
            scored=self._by_label(scores),
            model=model.name,
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

    def _rulebook(self) -> Rulebook | None:
        if not self.settings.policy:
            return None
        text = read_text(self.settings.policy)
        policies = self._policies(text, self.labels, self.classifier.single_label)
        return Rulebook(policies, self.classifier)

    def _check_load(self) -> None:
        if not self._batchers:
            raise busy(503, "The service is starting or stopping; try again later.", 1)
        min(self._batchers, key=lambda batcher: batcher.wait).check()


def _where(error: BaseException) -> str:
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    if not trace:
        return "an unknown file"
    return f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
