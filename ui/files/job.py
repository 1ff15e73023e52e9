"""A file being scored in the background, also while its visitor looks at other pages."""

import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from comment_toxicity import Classifier
from comment_toxicity.errors import DataError, UserError
from comment_toxicity.files.read import CsvInput, open_input
from comment_toxicity.files.score import score_file
from comment_toxicity.languages import LanguageDetector
from comment_toxicity.routing import Models, members
from ui.files.export import Layout
from ui.files.scored_file import ScoredFile
from ui.files.upload import MOST_ROWS, Source, too_many_rows
from ui.language import detector_for, foreign_language, read_by, with_other_readers
from ui.settings import PageSettings
from ui.thresholds import presets_of
from ui.words import duration

FILES_AT_ONCE = 2
"""How many files this server scores at a time; others wait."""
MOST_SECONDS = 3600
"""How long a file is scored on a public server while others wait."""
_turns = threading.Semaphore(FILES_AT_ONCE)
_waiting: "set[FileJob]" = set()
Result = TypeVar("Result")


@dataclass(frozen=True)
class Draft:
    """What is being decided about a row, before it is saved: the labels that it has."""

    row: int
    labels: tuple[bool, ...]


class _CancelledError(Exception):
    pass


@dataclass(frozen=True)
class Progress:
    """Progress of a job.

    state: waiting, reading, scoring or looking; in the end done, cancelled or failed.
    rows, total: scored, and in all. seconds: since scoring began. message: why it failed.
    """

    state: str = "waiting"
    rows: int = 0
    total: int = 0
    seconds: float = 0.0
    message: str = ""

    @property
    def over(self) -> bool:
        """Whether the job has ended."""
        return self.state in ("done", "cancelled", "failed")

    @property
    def rate(self) -> float:
        """Rows per second."""
        return self.rows / self.seconds if self.seconds else 0.0

    @property
    def seconds_left(self) -> float | None:
        """An estimate by the rate so far; None before there is one."""
        return (self.total - self.rows) / self.rate if self.rate else None

    @property
    def share(self) -> float:
        """How much of the scoring is done, 0 to 1."""
        return self.rows / self.total if self.total else 0.0

    def in_words(self) -> str:
        """What the job does now, and how long it will take."""
        if self.state == "waiting":
            return f"Waiting: {FILES_AT_ONCE} other files are being scored on this server …"
        if self.state == "reading":
            return "Reading the file …"
        if self.state == "looking":
            return "Looking for other languages …"
        words = f"{self.rows:,} of {self.total:,} rows"
        if self.seconds_left is not None:
            words += f" · {self.rate:,.0f} rows/s · {duration(self.seconds_left)} left"
        return words


class FileJob:
    """Scores a file in a thread of its own, until it is done, cancelled, or its visitor has gone.

    folder: an empty one, for this job alone.
    result: the scored rows, once progress says done. notes: what to know about the downloads.
    chosen: the visitor's thresholds by label, where they are not the model's own. presets: some
    to choose from.
    languages: whether to look which rows the model cannot read. foreign: those, (rows,); None where
    that was not looked for. foreign_languages: of those rows. reads: what the model does read.
    models: those that scored rows, with the sha256 of their weight files; the chosen one is first.
    reader: the position of each row's model among them, (rows,); None where there is one.
    layout: in which format the file came, and its downloads go. row: the one that is looked at,
    from 1 on; 0 before any was. decisions: the labels that rows have, by position, as decided.
    draft: what is being decided.
    What the page needs of the model is copied, so that the cache can drop it meanwhile.
    """

    def __init__(
        self,
        source: Source,
        text_column: str,
        model: Classifier,
        folder: Path,
        ended: Event,
        languages: bool = False,
    ):
        self.source, self.text_column = source, text_column
        self.model_name, self.labels = model.name, model.labels
        self.thresholds, self.single_label = model.thresholds, model.single_label
        self.progress = Progress()
        self.result: ScoredFile | None = None
        self.notes: list[str] = []
        self.chosen: dict[str, float] = {}
        self.presets = presets_of(model)
        self.foreign: NDArray[np.bool_] | None = None
        self.foreign_languages: Counter[str] = Counter()
        self.reads = read_by(model)
        self.layout = Layout(source.path.suffix)
        self.row = 0
        self.decisions: dict[int, tuple[bool, ...]] = {}
        self.draft: Draft | None = None
        self.models = _hashes(model)
        self.reader: NDArray[np.int8] | None = None
        self._languages = languages
        self._results: dict[Hashable, Any] = {}
        self.folder, self._ended, self._cancelled = folder, ended, Event()
        threading.Thread(target=self._run, args=(model,), daemon=True).start()

    @property
    def limits(self) -> dict[str, float]:
        """The thresholds in use, by label; empty for a single-label model."""
        return {**self.thresholds, **self.chosen}

    def model_of(self, row: int) -> str:
        """The name of the model that scored a row."""
        return list(self.models)[0 if self.reader is None else self.reader[row]]

    def rows_by_model(self) -> dict[str, int]:
        """How many rows each model scored."""
        scored = self.result.scored if self.result else np.zeros(0, dtype=bool)
        reader = np.zeros(len(scored), np.int8) if self.reader is None else self.reader
        counts = np.bincount(reader[scored], minlength=len(self.models)).tolist()
        return dict(zip(self.models, counts, strict=True))

    def once(self, what: Hashable, make: Callable[[], Result]) -> Result:
        """Compute something from the result once: every click runs the page again.

        what: names it, and all that it depends on besides the result.
        """
        if what not in self._results:
            self._results[what] = make()
        return self._results[what]

    def cancel(self) -> None:
        """Stop after the next few rows; nothing is kept."""
        self._cancelled.set()

    def discard(self) -> None:
        """Stop, and delete the result: a visitor can have many files scored in turn."""
        self.cancel()
        if self.progress.over:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self, model: Classifier) -> None:
        try:
            self._whole_or_nothing(model)
        except Exception as error:  # the thread's end: else the page would wait forever
            # A visitor's folder is removed with the session, whatever is being written there.
            if isinstance(error, _CancelledError) or self._ended.is_set():
                self._now(state="cancelled")
            elif isinstance(error, UserError):
                message = self.source.relabelled(str(error))
                if str(self.folder) in str(error):  # the disk is full, for one
                    message = "This server cannot store the result. Please tell its operator."
                self._now(state="failed", message=message)
            else:
                self._now(
                    state="failed",
                    message=f"Scoring failed ({type(error).__name__}). Try a smaller file, or tell "
                    "the operator of this server.",
                )
                raise

    def _whole_or_nothing(self, model: Classifier) -> None:
        try:
            _waiting.add(self)
            try:
                while not _turns.acquire(timeout=0.2):
                    self._stop_if_asked()
            finally:
                _waiting.discard(self)
            try:
                self._score(model)
            finally:
                _turns.release()
        except BaseException:
            # score_file keeps whole chunks for a --resume; nobody resumes here.
            shutil.rmtree(self.folder, ignore_errors=True)
            raise

    def _score(self, model: Classifier) -> None:
        self._now(state="reading")
        settings = PageSettings.read()
        detector = detector_for(model) if self._languages else None
        foreign = set[str]()
        with open_input(str(self.source.path), "csv") as rows:
            total = 0
            for chunk in rows.chunks(self.text_column):
                total += len(chunk.texts)
                if detector and settings.by_language:
                    foreign |= {foreign_language(text or "", detector) for text in chunk.texts}
                self._stop_if_asked()
                if total > MOST_ROWS:
                    raise too_many_rows(self.source.name)
            if isinstance(rows, CsvInput):
                self.layout = Layout(self.source.path.suffix, rows.separator)
        if not total:
            raise DataError(f"{self.source.name}: has no rows below its header.")
        models = with_other_readers(model, foreign - {""})
        self.models = _hashes(models)
        self._now(state="scoring", total=total)
        started = time.monotonic()

        def after(rows: int) -> None:
            self._now(rows=rows, seconds=time.monotonic() - started)
            self._stop_if_asked()
            if settings.public and _waiting and self.progress.seconds > MOST_SECONDS:
                raise DataError(
                    f"{self.source.name}: stopped after {duration(MOST_SECONDS)}, as other files "
                    "wait; split it, or score it with python -m comment_toxicity score."
                )

        scored = self.folder / "scored.parquet"
        source, column = str(self.source.path), self.text_column
        summary = score_file(models, source, str(scored), column, on_rows=after)
        self.notes = list(summary.notes)
        self._now(state="looking")
        several = isinstance(models, Models)
        by_language = several or bool(model.decision.languages)
        self.result = ScoredFile.read(scored, model.labels, column, summary.added, by_language)
        if detector:
            self._look(self.result, models, detector)
        self._stop_if_asked()
        self._now(state="done")

    def _look(
        self, result: ScoredFile, models: Classifier | Models, detector: LanguageDetector
    ) -> None:
        """Look which row is for which model, and which for none of them."""
        if isinstance(models, Models):
            named = result.of_each_text(
                lambda text: models.languages([text])[0], self._stop_if_asked
            )
            self.reader = np.array([models.position(code) for code in named], dtype=np.int8)
            self.reads = models.served
            codes = ["" if code is None or models.serves(code) else code for code in named]
        else:
            codes = result.of_each_text(
                lambda text: foreign_language(text, detector), self._stop_if_asked
            )
        self.foreign = np.array([bool(code) for code in codes]) & result.scored
        self.foreign_languages = Counter(np.array(codes)[self.foreign].tolist())

    def _stop_if_asked(self) -> None:
        if self._cancelled.is_set() or self._ended.is_set():
            raise _CancelledError

    def _now(self, **changes: object) -> None:
        self.progress = replace(self.progress, **changes)  # type: ignore[arg-type]


def _hashes(models: Classifier | Models) -> dict[str, str]:
    """The sha256 of the weight file of each model, by name; empty where it is not known."""
    weights = {model.name: model.decision.weights for model in members(models)}
    return {name: each.sha256 if each else "" for name, each in weights.items()}
