"""A loaded model: texts → calibrated probabilities, and flags.

The embedded model needs ONNX Runtime and tokenizers; torch is imported for other models only.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from comment_toxicity.decision import Decision
from comment_toxicity.engines import Engine, OnnxEngine, TorchEngine
from comment_toxicity.errors import ModelError
from comment_toxicity.fetch.find import EMBEDDED, find_model
from comment_toxicity.folder import ModelFolder
from comment_toxicity.text import is_blank
from comment_toxicity.windows import Cut, TokenIds, Windows

# A tokenizer's results take some 500 bytes a token, so a long list of texts is taken in slices.
TEXTS_AT_A_TIME = 1000

MOST_TOKENS = 50_000
"""The page and the commands score so many tokens of one comment: some 35,000 words of English, and
five seconds of one core. A few letters expand to many, so a bound in characters would not hold."""

Texts = Sequence[str | float | None]


def load_classifier(name: str | Path = EMBEDDED) -> "Classifier":
    """Load a model.

    name: a name in models/ or runs/ (see fetch/find.py), such as the embedded model's; a folder's
        path; or a Hub id or s3://bucket/prefix, with or without "@revision".
    Raises ModelError when it cannot be found or its folder cannot be used.
    """
    folder = ModelFolder.read(find_model(str(name)))
    onnx = folder.weights.suffix == ".onnx"
    engine = OnnxEngine(folder.weights) if onnx else TorchEngine(folder.path)
    return Classifier(str(name), folder, engine)


class Classifier:
    """A loaded model. Safe to share between threads.

    name: as passed to load_classifier.
    folder: the files it was read from.
    """

    def __init__(self, name: str, folder: ModelFolder, engine: Engine):
        self.name = name
        self.folder = folder
        self._windows = Windows(engine.tokenizer, folder.window)
        self._engine = engine
        shape = engine.logits(self._windows.cut([""])[0].windows).shape[1:]
        if shape != (len(self.labels),):
            raise ModelError(
                f"{folder.weights}: returns {'×'.join(map(str, shape))} scores for a text, but "
                f"config.json beside it has {len(self.labels)} labels "
                f"({', '.join(self.labels)}); copy the folder again."
            )

    @property
    def labels(self) -> list[str]:
        """The labels, in the order of the scores."""
        return self.folder.labels

    @property
    def decision(self) -> Decision:
        """Calibration and thresholds."""
        return self.folder.decision

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

    def score(self, texts: Texts) -> NDArray[np.float32]:
        """Score texts: calibrated probabilities, (texts × labels), each in [0, 1].

        A text's scores do not depend on the other texts in the call. A blank text (None, NaN, or
        only white space) gets a row of NaN. A long one is scored in full, in overlapping windows,
        which takes some 10 seconds a megabyte on two cores.
        """
        return self.decision.apply(self.logits(texts))

    def logits(self, texts: Texts) -> NDArray[np.float32]:
        """The scores before calibration, (texts × labels); blank texts are rows of NaN.

        A text of several windows gets the highest logit of each label, because it is toxic when a
        part of it is; with a single-label model, the mean.
        """
        return self._bounded(texts, None, None)[0]

    def score_beginnings(
        self, texts: Texts, most: int = MOST_TOKENS, between: Callable[[], None] | None = None
    ) -> tuple[NDArray[np.float32], list[int]]:
        """Score the first `most` tokens of each text: scores as of score(), and characters scored.

        The second has a number for each text, less than its length where it was cut: the scores
        are those of text[:characters]. between: called between windows; what it raises ends the
        work.
        """
        logits, characters = self._bounded(texts, most, between)
        return self.decision.apply(logits), characters

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
        self, cuts: Sequence[Cut], between: Callable[[], None] | None = None
    ) -> NDArray[np.float32]:
        """Score what cut() returns, as score() does. between: as in score_beginnings()."""
        return self.decision.apply(self._logits(cuts, between))

    def windows(self, text: str) -> list[TokenIds]:
        """The windows of token ids that a text is cut into; most texts have one."""
        return self._windows.cut([text])[0].windows

    def read(self, text: str) -> str:
        """The text as the tokenizer reads it, before it looks for words.

        The embedded model's folds styled and lookalike letters, and leaves markup out.
        """
        return self._windows.read(text)

    def flags(self, scores: NDArray[np.floating]) -> list[str]:
        """The labels at or above their thresholds, in label order; none for a blank text.

        scores: (labels,), a row of what score() returns. A single-label model flags its likeliest
        label.
        """
        [flags] = self.decision.flags(scores[None])
        return [label for label, flagged in zip(self.labels, flags, strict=True) if flagged]

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
                logits[row] = parts.mean(axis=0) if self.single_label else parts.max(axis=0)
        return logits
