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
from finetune.config import Settings
from finetune.data.mix import MAIN, sources_of

PREFIX = "teachers:"
"""Column PREFIX + label of a training row holds the teachers' score."""
CHUNK = 2000
FURTHEST = 1e-6  # a score of exactly 0 or 1 has no logit


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
    sources = sources_of(rows)
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
