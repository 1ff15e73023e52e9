"""Scores of many texts, with a progress bar on a terminal."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from comment_toxicity import Classifier

CHUNK = 256  # texts between two updates of the bar


def score_with_bar(
    classifier: Classifier,
    texts: Sequence[str],
    title: str | None = None,
    languages: Sequence[str] | None = None,
) -> NDArray[np.float32]:
    """Score texts: (texts × labels), as Classifier.score does.

    title: shown before the bar, which then disappears at the end. languages: of the texts, as
    Classifier.score takes them.
    """
    from tqdm import tqdm

    unit, leave = " comments", title is None
    parts = []
    with tqdm(total=len(texts), unit=unit, desc=title, disable=None, leave=leave) as bar:
        for start in range(0, len(texts), CHUNK):
            part = slice(start, start + CHUNK)
            own = None if languages is None else languages[part]
            parts.append(classifier.score(texts[part], own))
            bar.update(len(parts[-1]))
    return np.concatenate(parts)
