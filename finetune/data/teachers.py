"""Teachers' scores of the training rows: what a student learns besides the labels.

Knowledge distillation (Hinton, Vinyals and Dean 2015): the mean of several models is better than
each of them; one model that learns the mean's scores keeps most of that, at the cost of one. A
teacher also scores the labels that a source lacks, and passages that nobody has labelled. On
comments that it was trained on, its scores say little more than their labels do.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from comment_toxicity import load_classifier
from comment_toxicity.errors import SettingsError
from finetune.config import Settings
from finetune.data.labels import HALF, row_languages
from finetune.data.mix import MAIN, sources_of

PREFIX = "teachers:"
"""Column PREFIX + label of a training row holds the teachers' score."""
CHUNK = 2000
FURTHEST = 1e-6  # a score of exactly 0 or 1 has no logit


def with_teachers(rows: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    """Add the scores of settings.teachers to training rows; without teachers return them as is.

    They are NaN in rows that learn nothing from them: all labels known and a share of 0, or a
    language that is not one of settings.teacher_languages.
    """
    if not settings.teachers:
        return rows
    labels = rows.reindex(columns=settings.labels).to_numpy(dtype=float)
    taught = np.isnan(labels).any(axis=1) | (_shares(rows, settings) > 0)
    taught &= _understood(rows, settings)
    texts = rows[settings.text_column]
    distinct = pd.unique(texts[taught])
    means = pd.DataFrame(teacher_scores(distinct, settings), index=distinct).reindex(texts)
    columns = {
        PREFIX + label: np.where(taught, means[index].to_numpy(), np.nan).astype(np.float32)
        for index, label in enumerate(settings.labels)
    }
    return rows.assign(**columns)


def teacher_scores(texts: Sequence[str], settings: Settings) -> NDArray[np.float32]:
    """The mean of the teachers' calibrated scores, averaged as logits: (texts × labels).

    A teacher named twice counts twice, and scores once.
    """
    from scipy.special import expit, logit
    from tqdm import tqdm

    total = np.zeros((len(texts), len(settings.labels)))
    for name, times in Counter(settings.teachers).items():
        teacher = load_classifier(name)
        missing = [label for label in settings.labels if label not in teacher.labels]
        if missing or teacher.decision.activation != "sigmoid":
            raise SettingsError(
                f"teachers has {name}, which does not score {', '.join(missing or ['each label'])} "
                "by itself; give multi-label models with the same labels."
            )
        columns = [list(teacher.labels).index(label) for label in settings.labels]
        print(f"   {name} scores {len(texts):,} texts", flush=True)
        with tqdm(total=len(texts), unit=" texts", desc=f"   {name}", disable=None) as bar:
            for start in range(0, len(texts), CHUNK):
                scores = teacher.score(texts[start : start + CHUNK])[:, columns].astype(float)
                total[start : start + CHUNK] += times * logit(
                    np.clip(scores, FURTHEST, 1 - FURTHEST)
                )
                bar.update(len(scores))
    return expit(total / len(settings.teachers)).astype(np.float32)


def targets(rows: pd.DataFrame, labels: NDArray[np.float32], settings: Settings) -> NDArray:
    """The targets of training rows, (rows × labels): their labels, moved towards the teachers.

    labels: (rows × labels), from 0 to 1, or NaN. A known label moves by its source's share in
    settings.teacher_share, a rare label that holds by at most its share in settings.rare. An
    unknown one is the teachers' score. Nothing moves in a language that they do not know.
    """
    columns = [PREFIX + label for label in settings.labels]
    if not settings.teachers:
        return labels
    taught = rows[columns].to_numpy(dtype=np.float32)
    sources = sources_of(rows)
    share = np.repeat(_shares(rows, settings)[:, None], len(settings.labels), axis=1)
    for label, most in settings.rare.items():
        column = settings.labels.index(label)
        rare = (labels[:, column] >= HALF) & (sources != MAIN).to_numpy()
        share[rare, column] = np.minimum(share[rare, column], most)
    share[~_understood(rows, settings)] = 0
    return np.where(np.isnan(labels), taught, (1 - share) * labels + share * np.nan_to_num(taught))


def _understood(rows: pd.DataFrame, settings: Settings) -> NDArray[np.bool_]:
    """Which rows are of a language that the teachers know."""
    if not settings.teacher_languages:
        return np.ones(len(rows), dtype=bool)
    languages = row_languages(rows, settings.layout, settings.main_language)
    return languages.isin(settings.teacher_languages).to_numpy()


def _shares(rows: pd.DataFrame, settings: Settings) -> NDArray[np.float32]:
    """The share of settings.teacher_share that each row's source has."""
    return sources_of(rows).map(settings.teacher_share).fillna(0.0).to_numpy(dtype=np.float32)
