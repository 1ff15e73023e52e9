"""Teachers' scores of the training rows: what a student learns beside the labels.

Knowledge distillation (Hinton, Vinyals and Dean 2015): the mean of several models is better than
each; one model that learns the mean's scores keeps most of that, at the cost of one. A teacher also
has a score for each label that a source does not know, and for passages that nobody has labelled:
of the comments that it read itself its scores say little more than their labels do.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit, logit

from comment_toxicity import load_classifier
from comment_toxicity.errors import SettingsError
from comment_toxicity.text import sentences
from finetune.config import Settings

PREFIX = "teachers:"
"""Column PREFIX + label of a training row holds the teachers' score."""
MAIN = "train_data"
CHUNK = 2000
FURTHEST = 1e-6  # a score of exactly 0 or 1 has no logit


def with_passages(rows: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    """Add settings.passages × the rows of train_data, each a run of its sentences, unlabelled.

    A comment of one sentence gives none, so there are fewer.
    """
    if not settings.passages:
        return rows
    own = rows[_sources(rows, settings) == MAIN]
    generator = np.random.default_rng(settings.seed)
    places = generator.integers(len(own), size=round(settings.passages * len(own)))
    drawn = own.iloc[places]
    texts = [passage(text, generator) for text in drawn[settings.text_column]]
    drawn = drawn.assign(**{settings.text_column: texts}, **dict.fromkeys(settings.labels, np.nan))
    return pd.concat([rows, drawn[drawn[settings.text_column] != ""]], ignore_index=True)


def passage(text: str, generator: np.random.Generator) -> str:
    """Cut a run of sentences out of a text, not all of them; of one sentence give an empty text."""
    spans = sentences(text)
    if len(spans) < 2:
        return ""
    length = generator.integers(1, len(spans))
    first = generator.integers(0, len(spans) - length + 1)
    return text[spans[first][0] : spans[first + length - 1][1]]


def with_teachers(rows: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    """Add the scores of settings.teachers to training rows; without teachers give them back."""
    if not settings.teachers:
        return rows
    texts = rows[settings.text_column]
    distinct = pd.unique(texts)
    means = pd.DataFrame(teacher_scores(distinct, settings), index=distinct).loc[texts]
    columns = {
        PREFIX + label: means[place].to_numpy() for place, label in enumerate(settings.labels)
    }
    return rows.assign(**columns)


def teacher_scores(texts: Sequence[str], settings: Settings) -> NDArray[np.float32]:
    """Give the mean of the teachers' calibrated scores, taken as logits: (texts × labels).

    A teacher named twice weighs twice, and scores once.
    """
    from tqdm import tqdm

    total = np.zeros((len(texts), len(settings.labels)))
    for name, times in Counter(settings.teachers).items():
        teacher = load_classifier(name)
        missing = [label for label in settings.labels if label not in teacher.labels]
        if missing or teacher.decision.activation != "sigmoid":
            raise SettingsError(
                f"teachers names {name}, which does not score {', '.join(missing or ['labels'])} "
                "each by itself; name models with the same labels."
            )
        places = [list(teacher.labels).index(label) for label in settings.labels]
        print(f"   {name} scores {len(texts):,} texts", flush=True)
        with tqdm(total=len(texts), unit=" texts", desc=f"   {name}", disable=None) as bar:
            for start in range(0, len(texts), CHUNK):
                scores = teacher.score(texts[start : start + CHUNK])[:, places].astype(float)
                total[start : start + CHUNK] += times * logit(
                    np.clip(scores, FURTHEST, 1 - FURTHEST)
                )
                bar.update(len(scores))
    return expit(total / len(settings.teachers)).astype(np.float32)


def targets(rows: pd.DataFrame, labels: NDArray[np.float32], settings: Settings) -> NDArray:
    """Give what training rows aim at, (rows × labels): their labels, moved towards the teachers.

    labels: (rows × labels), 1, 0 or NaN. A known one moves by its source's share in
    settings.teacher_share, a rare one that is there by that in settings.rare at most; an unknown
    one takes the teachers' score whole.
    """
    columns = [PREFIX + label for label in settings.labels]
    if not settings.teachers:
        return labels
    taught = rows[columns].to_numpy(dtype=np.float32)
    sources = _sources(rows, settings)
    share = np.repeat(
        sources.map(settings.teacher_share).fillna(0.0).to_numpy(dtype=np.float32)[:, None],
        len(settings.labels),
        axis=1,
    )
    for label, most in settings.rare.items():
        place = settings.labels.index(label)
        rare = (labels[:, place] == 1) & (sources != MAIN).to_numpy()
        share[rare, place] = np.minimum(share[rare, place], most)
    return np.where(np.isnan(labels), taught, (1 - share) * labels + share * taught)


def _sources(rows: pd.DataFrame, settings: Settings) -> pd.Series:
    """Name each row's source, as settings.mix does."""
    if settings.source_column not in rows:
        return pd.Series(MAIN, index=rows.index)
    return rows[settings.source_column].fillna(MAIN).replace("", MAIN)
