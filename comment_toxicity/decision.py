"""From a model's logits to a decision: calibration and thresholds, for exactly one weight file.

decision.json of a model folder is read, written and applied here only:

    {"weights": {"file": "model.onnx", "sha256": "…"}, "activation": "sigmoid",
     "criterion": "best-f1", "rows": 5365,
     "labels": {"toxic": {"slope": 1.0, "intercept": 0.0, "threshold": 0.5,
                          "positives": 512, "precision": 0.7, "recall": 0.8}, …}}

probability = activation(slope × logit + intercept), label by label. A model of several languages
can have "languages": {"de": {"toxic": {…}, …}, …} too, in place of "labels" for texts in them.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from comment_toxicity.disk import read_json, sha256_of, write_json
from comment_toxicity.errors import ModelError

FILE_NAME = "decision.json"
ACTIVATIONS = ("sigmoid", "softmax")


def reaches(scores: ArrayLike, thresholds: ArrayLike) -> NDArray[np.bool_]:
    """Whether scores are at or above thresholds; NaN never is.

    Both are compared as float32, which scores are: as float64, the threshold 0.7 is above
    float32(0.7), and a score of exactly 0.7 would miss it.
    scores, thresholds: of shapes that broadcast. Returns bool of the common shape.
    """
    return np.asarray(scores, dtype=np.float32) >= np.asarray(thresholds, dtype=np.float32)


def midway(lower: ArrayLike, upper: ArrayLike) -> NDArray[np.float64]:
    """A threshold that upper reaches and lower does not: halfway, where rounding moves neither.

    Between neighbouring float32 values nothing is halfway; there it is upper itself.
    """
    low, high = np.asarray(lower, dtype=np.float64), np.asarray(upper, dtype=np.float64)
    middle = (low + high) / 2
    return np.where(reaches(low, middle), high, middle)


def likeliest(scores: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Mark the highest score of each row, the first of equal ones; none in a row with NaN.

    scores: (rows, labels), of a single-label model. Returns bool of the same shape.
    """
    flags = np.zeros(scores.shape, dtype=bool)
    rows = np.flatnonzero(~np.isnan(scores).any(axis=1))
    flags[rows, scores[rows].argmax(axis=1)] = True
    return flags


@dataclass(frozen=True)
class Weights:
    """The weight file that the calibration was fitted to; its name is relative to the folder."""

    file: str
    sha256: str

    def __post_init__(self) -> None:
        """Raise ValueError unless both are strings."""
        if not isinstance(self.file, str) or not isinstance(self.sha256, str):
            raise ValueError("the weights' file or sha256 is not a string")

    @classmethod
    def of(cls, path: Path) -> Self:
        """Name and hash of the weight file at `path`."""
        return cls(path.name, sha256_of(path))


@dataclass(frozen=True)
class LabelDecision:
    """How one label's logit becomes a probability, and from which probability it is flagged.

    threshold is None in a single-label model, which flags the likeliest label.
    positives, precision and recall: what the threshold reached on the rows it was chosen on.
    """

    slope: float = 1.0
    intercept: float = 0.0
    threshold: float | None = 0.5
    positives: int | None = None
    precision: float | None = None
    recall: float | None = None

    def __post_init__(self) -> None:
        """Raise ValueError for a value that is not a number, or not in its range."""
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value is None and field.name not in ("slope", "intercept"):
                continue
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            if not is_number or not math.isfinite(value):
                raise ValueError(f"{field.name} is {value!r}, not a number")
            if field.name in ("threshold", "precision", "recall") and not 0 <= value <= 1:
                raise ValueError(f"{field.name} is {value!r}, not from 0 to 1")


@dataclass(frozen=True)
class Decision:
    """Calibration and thresholds of all labels, in the model's label order.

    activation: "sigmoid" (a comment can carry several labels, or none) or "softmax" (exactly one).
    weights: None means that nothing was fitted: plain probabilities, thresholds of 0.5.
    criterion, rows: how the thresholds were chosen, on how many validation rows.
    languages: language, such as de or hi-Latn → those of its labels that were fitted to its own
        rows. Other labels, and texts in other languages, have what `labels` says.
    """

    activation: str
    labels: dict[str, LabelDecision]
    weights: Weights | None = None
    criterion: str | None = None
    rows: int | None = None
    languages: dict[str, dict[str, LabelDecision]] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raise ValueError for a field of another type, or a label without its threshold."""
        if not isinstance(self.criterion, str | None) or not isinstance(self.rows, int | None):
            raise ValueError("criterion is not a string, or rows not a number")
        for fitted in self.languages.values():
            if self.activation != "sigmoid" or not set(fitted) <= set(self.labels):
                raise ValueError("languages have labels that the model does not have")
        if self.activation == "sigmoid":
            for group in (self.labels, *self.languages.values()):
                for name, label in group.items():
                    if label.threshold is None:
                        raise ValueError(f"{name} has no threshold")

    @classmethod
    def uncalibrated(cls, labels: list[str], activation: str) -> Self:
        """The decision of a model without decision.json: its plain probabilities."""
        threshold = 0.5 if activation == "sigmoid" else None
        return cls(activation, {label: LabelDecision(threshold=threshold) for label in labels})

    @property
    def calibrated(self) -> bool:
        """Whether the calibration was fitted to a weight file."""
        return self.weights is not None

    @property
    def single_label(self) -> bool:
        """Whether a text has exactly one of the labels."""
        return self.activation == "softmax"

    @property
    def thresholds(self) -> dict[str, float]:
        """The score from which each label is flagged; empty for a single-label model."""
        thresholds = {name: label.threshold for name, label in self.labels.items()}
        return {name: value for name, value in thresholds.items() if value is not None}

    def of_language(self, language: str | None) -> dict[str, LabelDecision]:
        """The labels as they are decided in a language: de-AT as de, an unknown one as any text."""
        name = language or ""
        own = self.languages.get(name) or self.languages.get(name.partition("-")[0]) or {}
        return {label: own.get(label, general) for label, general in self.labels.items()}

    def flags(
        self,
        scores: NDArray[np.floating],
        thresholds: Mapping[str, float] | None = None,
        languages: Sequence[str | None] | None = None,
    ) -> NDArray[np.bool_]:
        """Decide which labels texts carry: (rows, labels), bool; none for a row of NaN.

        scores: (rows, labels), from apply(). A single-label model flags the likeliest label.
        thresholds: by label, in place of the model's own; labels left out keep theirs.
        languages: of each text, for the thresholds of its language.
        """
        if self.single_label:
            return likeliest(scores)
        _, _, limits = self._numbers(languages)
        if thresholds:
            given = [thresholds.get(label, math.nan) for label in self.labels]
            limits = np.where(np.isnan(given), limits, given)
        return reaches(scores, limits)

    def _numbers(self, languages: Sequence[str | None] | None) -> NDArray[np.float64]:
        """Slopes, intercepts and thresholds: (3, texts, labels), or (3, 1, labels) for all."""
        if not languages or not self.languages:
            return self._general
        of = {language: _numbers(self.of_language(language)) for language in set(languages)}
        return np.concatenate([of[language] for language in languages], axis=1)

    @cached_property
    def _general(self) -> NDArray[np.float64]:
        return _numbers(self.labels)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read folder/decision.json. ModelError when it is missing or not of the form above."""
        path = Path(folder) / FILE_NAME
        try:
            record = read_json(path)
            decision = cls(
                activation=record["activation"],
                labels={name: LabelDecision(**label) for name, label in record["labels"].items()},
                weights=Weights(**record["weights"]),
                criterion=record["criterion"],
                rows=record["rows"],
                languages={
                    language: {name: LabelDecision(**label) for name, label in fitted.items()}
                    for language, fitted in record.get("languages", {}).items()
                },
            )
        except FileNotFoundError as error:
            raise ModelError(
                f"{path}: no such file; write it with finetune's calibrate."
            ) from error
        except OSError as error:
            raise ModelError(f"{path}: cannot be read ({error.strerror or error}).") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ModelError(
                f"{path}: not a decision file ({error!r}); "
                "write it again with finetune's calibrate."
            ) from error
        if decision.activation not in ACTIVATIONS:
            raise ModelError(
                f"{path}: unknown activation {decision.activation!r}; "
                f"expected one of {', '.join(ACTIVATIONS)}."
            )
        return decision

    def save(self, folder: Path) -> None:
        """Write folder/decision.json, whole or not at all."""
        record = dataclasses.asdict(self)
        if not self.languages:
            del record["languages"]
        write_json(Path(folder) / FILE_NAME, record)

    def verify(self, folder: Path) -> None:
        """Raise ModelError unless the folder holds the weight file that this was fitted to.

        Calibration belongs to one set of weights: with others the probabilities would be silently
        wrong.
        """
        if self.weights is None:
            return
        path = Path(folder) / self.weights.file
        if not path.is_file():
            raise ModelError(
                f"{path}: missing, but {FILE_NAME} beside it names it; copy the whole folder again."
            )
        sha256 = Weights.of(path).sha256
        if sha256 != self.weights.sha256:
            raise ModelError(
                f"{path}: not the weights that {FILE_NAME} belongs to (its sha256 begins with "
                f"{sha256[:12]}, expected {self.weights.sha256[:12]}); "
                "copy the whole folder again, or run finetune's calibrate on it."
            )

    def apply(
        self, logits: NDArray[np.floating], languages: Sequence[str | None] | None = None
    ) -> NDArray[np.float32]:
        """Turn logits into calibrated probabilities.

        logits: (texts, labels), in the model's label order; a row of NaN stays one.
        languages: of each text, for the calibration of its language.
        Returns float32 of the same shape, each value in [0, 1]; rows sum to 1 for softmax only.
        """
        slopes, intercepts, _ = self._numbers(languages)
        calibrated = slopes * logits.astype(np.float64) + intercepts
        if self.activation == "sigmoid":
            probabilities = 0.5 + 0.5 * np.tanh(0.5 * calibrated)  # 1 / (1 + e⁻ˣ), no overflow
        else:
            odds = np.exp(calibrated - calibrated.max(axis=1, keepdims=True))
            probabilities = odds / odds.sum(axis=1, keepdims=True)
        return probabilities.astype(np.float32)


def _numbers(labels: Mapping[str, LabelDecision]) -> NDArray[np.float64]:
    """Slopes, intercepts and thresholds, (3, 1, labels); NaN where there is no threshold."""
    fitted = [(label.slope, label.intercept, label.threshold) for label in labels.values()]
    return np.array(fitted, dtype=np.float64).reshape(1, -1, 3).transpose(2, 0, 1)
