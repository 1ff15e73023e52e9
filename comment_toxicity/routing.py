"""Several models as one: each text is scored by the first that reads its language.

    models = load_models("toxic-minilm,toxic-multilingual")
    scores = models.score(texts)          # as of Classifier.score
    models.of("de").name                  # toxic-multilingual

A text in a language that none of them reads, or in none for certain, is for the first.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from comment_toxicity.classifier import (
    MOST_TOKENS,
    Classifier,
    Languages,
    SentModel,
    Texts,
    load_classifier,
)
from comment_toxicity.errors import ModelError, SettingsError
from comment_toxicity.fetch.find import find_model, local_model
from comment_toxicity.folder import ModelFolder
from comment_toxicity.languages import LanguageDetector, base_of
from comment_toxicity.text import is_blank

ENGLISH = "en"
"""What a model reads that does not say what."""


def model_names(given: str | Path) -> list[str]:
    """The names in a list such as “toxic-minilm,toxic-multilingual”; a folder is one name.

    Raises ModelError for a list that names no model.
    """
    given = str(given)
    if "," not in given or local_model(given) is not None:
        return [given]
    names = list(dict.fromkeys(name.strip() for name in given.split(",") if name.strip()))
    if not names:
        raise ModelError(f"No model {given!r}; name at least one.")
    return names


def load_models(
    given: str | Path, threads: int | None = None, device: str = "auto"
) -> "Classifier | Models":
    """Load one model, or several that are separated by commas; the first names count most.

    threads, device: as load_classifier() takes them. Raises ModelError as that does, and
    SettingsError for models that have different labels.
    """
    names = model_names(given)
    if len(names) == 1:
        return load_classifier(names[0], threads, device)
    return Models([load_classifier(name, threads, device) for name in names])


def checked_labels(labels: Iterable[tuple[str, Sequence[str]]]) -> list[str]:
    """The labels that all models have. labels: model's name → labels. Raises SettingsError."""
    (first, common), *others = labels
    for name, own in others:
        if list(own) != list(common):
            raise SettingsError(
                f"{first} and {name} have different labels ({', '.join(common)}; "
                f"{', '.join(own)}), so one cannot answer for the other; use them separately."
            )
    return list(common)


def model_of_language(
    reads: Sequence[tuple[str, Sequence[str]]], languages: Sequence[str] = ()
) -> dict[str, int]:
    """Language → the index of the first model that reads it.

    reads: each model's name, and what it says that it reads; a model that says nothing reads all
        of `languages`, as does one that is alone, or else English.
    languages: those to be served; none: all that a model reads.
    Raises SettingsError for a language that no model reads.
    """
    if len(reads) == 1 and languages:
        return dict.fromkeys(languages, 0)
    known = [list(map(base_of, codes)) or list(languages or [ENGLISH]) for _, codes in reads]
    found: dict[str, int] = {}
    for code in languages or [code for codes in known for code in codes]:
        reading = [index for index, codes in enumerate(known) if code in codes]
        if not reading:
            names = ", ".join(name for name, _ in reads)
            raise SettingsError(
                f"None of {names} reads {code}; name a model that does, or leave the language out."
            )
        found[code] = reading[0]
    return found


def members(models: "Classifier | Models") -> list[Classifier]:
    """The models themselves, whether there is one or several."""
    return models.classifiers if isinstance(models, Models) else [models]


@dataclass(frozen=True)
class SentModels:
    """What is sent to another process or machine instead of one loaded model, or several.

    labels: those that all have.  languages: as Models takes them.
    """

    models: tuple[SentModel, ...]
    labels: tuple[str, ...]
    languages: tuple[str, ...] = ()

    @classmethod
    def of(cls, given: str | Path, threads: int | None, device: str) -> Self:
        """The models of these names, not loaded. Takes and raises what load_models() does."""
        folders = {name: ModelFolder.read(find_model(name)) for name in model_names(given)}
        labels = checked_labels((name, folder.labels) for name, folder in folders.items())
        sent = (SentModel.of(name, folder, threads, device) for name, folder in folders.items())
        return cls(tuple(sent), tuple(labels))

    def load(self) -> "Classifier | Models":
        """Load them on arrival. Raises ModelError as SentModel.load() does."""
        loaded = [model.load() for model in self.models]
        return loaded[0] if len(loaded) == 1 else Models(loaded, self.languages)


class Models:
    """Several models with the same labels, the first of which is preferred. They can be pickled.

    classifiers: as loaded.  languages: those to be served, as codes such as de; none: all that the
    models read. One model alone is taken to read them all.
    Raises SettingsError for different labels, or a language that no model reads.
    """

    def __init__(self, classifiers: Sequence[Classifier], languages: Sequence[str] = ()):
        self.classifiers = list(classifiers)
        self.first = self.classifiers[0]
        self.labels = checked_labels((model.name, model.labels) for model in self.classifiers)
        self.name = ",".join(model.name for model in self.classifiers)
        self._languages = tuple(languages)
        self._position = model_of_language(
            [(model.name, model.reads) for model in self.classifiers], languages
        )
        self.served = list(self._position)
        self._detector: LanguageDetector | None = None  # made when first needed

    def __reduce__(self) -> tuple[Any, ...]:
        return Models, (self.classifiers, self._languages)

    def sent(self, threads: int | None) -> SentModels:
        """What another process loads these models from. threads: of each, there."""
        models = tuple(model.sent(threads) for model in self.classifiers)
        return SentModels(models, tuple(self.labels), self._languages)

    @property
    def alone(self) -> bool:
        """Whether there is one model only, so that no language decides which."""
        return len(self.classifiers) == 1

    @property
    def tells_languages(self) -> bool:
        """Whether a text's language changes anything: its model, calibration or thresholds."""
        return not self.alone or bool(self.first.decision.languages)

    @property
    def detector(self) -> LanguageDetector:
        """The detector for the languages served."""
        if self._detector is None:
            self._detector = LanguageDetector(self.served, self.first.read)
        return self._detector

    def read_by(self, position: int) -> list[str]:
        """The languages that a model scores: those that no model before it reads."""
        return [code for code in self.served if self._position[code] == position]

    def serves(self, language: str) -> bool:
        """Whether a model reads a language, such as "en" or "en-US"."""
        return base_of(language) in self._position

    def position(self, language: str | None) -> int:
        """The index of the model for texts in a language; None: one that is not certain."""
        return self._position.get(base_of(language), 0) if language else 0

    def of(self, language: str | None) -> Classifier:
        """The model for texts in a language."""
        return self.classifiers[self.position(language)]

    def in_language(self, language: str | None) -> Classifier:
        """The model for texts in a language, with its calibration and thresholds."""
        return self.of(language).in_language(language)

    def languages(self, texts: Texts) -> list[str | None]:
        """The language of each text; None where there are no words, or where it changes nothing."""
        if self.alone:
            return self.first.languages(texts)
        found = ([] if is_blank(text) else self.detector.detect(str(text)) for text in texts)
        return [codes[0] if codes else None for codes in found]

    def score(self, texts: Texts, languages: Languages = None) -> NDArray[np.float32]:
        """Score texts, each by its model; as of Classifier.score()."""
        return self.score_beginnings(texts, None, None, languages)[0]

    def score_beginnings(
        self,
        texts: Texts,
        most: int | None = MOST_TOKENS,
        between: Callable[[], None] | None = None,
        languages: Languages = None,
    ) -> tuple[NDArray[np.float32], list[int]]:
        """Score the first `most` tokens of texts; as of Classifier.score_beginnings()."""
        texts = list(texts)
        named = self.languages(texts) if languages is None else list(languages)
        positions = np.array([self.position(language) for language in named], dtype=int)
        scores = np.full((len(texts), len(self.labels)), np.nan, dtype=np.float32)
        characters = [0] * len(texts)
        for index, model in enumerate(self.classifiers):
            rows = np.flatnonzero(positions == index).tolist()
            if not rows:
                continue
            scores[rows], lengths = model.score_beginnings(
                [texts[row] for row in rows], most, between, [named[row] for row in rows]
            )
            for row, length in zip(rows, lengths, strict=True):
                characters[row] = length
        return scores, characters

    def flags(self, scores: NDArray[np.floating], language: str | None = None) -> list[str]:
        """The labels at or above their thresholds; as of Classifier.flags()."""
        return self.of(language).flags(scores, language)
