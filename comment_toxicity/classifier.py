"""A loaded model: texts → calibrated probabilities, and flags.

The embedded model needs ONNX Runtime and tokenizers; torch is imported for other models only.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from comment_toxicity.decision import Decision
from comment_toxicity.engines import Engine, OnnxEngine, TorchEngine
from comment_toxicity.errors import ModelError
from comment_toxicity.fetch.find import EMBEDDED, find_model
from comment_toxicity.folder import ModelFolder
from comment_toxicity.text import is_blank
from comment_toxicity.windows import TokenIds, Windows

# A tokenizer's results take some 500 bytes a token, so a long list of texts is taken in slices.
TEXTS_AT_A_TIME = 1000


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
        shape = engine.logits(self._windows.cut([""])[0]).shape[1:]
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

    def score(self, texts: Sequence[str | float | None]) -> NDArray[np.float32]:
        """Score texts: calibrated probabilities, (texts × labels), each in [0, 1].

        A text's scores do not depend on the other texts in the call. A blank text (None, NaN, or
        only white space) gets a row of NaN. A long one is scored in full, in overlapping windows,
        which takes some 10 seconds a megabyte on two cores.
        """
        return self.decision.apply(self.logits(texts))

    def logits(self, texts: Sequence[str | float | None]) -> NDArray[np.float32]:
        """The scores before calibration, (texts × labels); blank texts are rows of NaN.

        A text of several windows gets the highest logit of each label, because it is toxic when a
        part of it is; with a single-label model, the mean.
        """
        if isinstance(texts, str):
            raise TypeError("texts must be a list of strings, not one string")
        texts = list(texts)  # a pandas column is indexed by its own labels, not from 0
        logits = np.full((len(texts), len(self.labels)), np.nan, dtype=np.float32)
        present = [index for index, text in enumerate(texts) if not is_blank(text)]
        for start in range(0, len(present), TEXTS_AT_A_TIME):
            rows = present[start : start + TEXTS_AT_A_TIME]
            logits[rows] = list(self._present_logits([str(texts[row]) for row in rows]))
        return logits

    def windows(self, text: str) -> list[TokenIds]:
        """The windows of token ids that a text is cut into; most texts have one."""
        return self._windows.cut([text])[0]

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

    def _present_logits(self, texts: list[str]) -> Iterator[NDArray[np.float32]]:
        cut = self._windows.cut(texts)
        # Duplicates are common, in files and within a text that repeats itself: each runs once.
        distinct = {ids.tobytes(): ids for windows in cut for ids in windows}
        logits = self._engine.logits(list(distinct.values()))
        logits_of = dict(zip(distinct, logits, strict=True))
        for windows in cut:
            parts = np.stack([logits_of[ids.tobytes()] for ids in windows])
            yield parts.mean(axis=0) if self.single_label else parts.max(axis=0)
