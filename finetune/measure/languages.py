"""How good a model of several languages is in each of them: one row of a table per language.

Of comments: how many, ROC-AUC, F1 and calibration error of one label. Of neutral sentences, such as
those of a phrase book: the share that any label flags. Labelled comments hide it, as most of them
were picked because they are heated.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from finetune.data.labels import (
    Layout,
    at_half,
    clean_rows,
    label_matrix,
    row_languages,
    row_weights,
)
from finetune.data.tables import read_table
from finetune.measure.intervals import Interval, wilson
from finetune.measure.report import plain
from finetune.measure.tables import METRICS, Column, Table, interval

if TYPE_CHECKING:
    from comment_toxicity import Classifier
    from finetune.config import Settings
    from finetune.data.split import Split


@dataclass(frozen=True)
class Neutral:
    """Neutral sentences of one language: how many, the share flagged, and its 95 % interval."""

    rows: int
    flagged: float
    interval: Interval


@dataclass(frozen=True)
class LanguageMetrics:
    """One label's metrics in one language, None where its rows cannot give them.

    rows, positives: the rows that know the label, and those that carry it.
    trained: whether the training rows have comments that carry the label in this language.
    neutral: None without such sentences.
    """

    rows: int
    positives: int
    roc_auc: float | None
    roc_auc_interval: Interval | None
    f1: float | None
    calibration_error: float | None
    trained: bool
    neutral: Neutral | None


@dataclass(frozen=True)
class LanguagesReport:
    """The metrics of one label by language, in alphabetical order."""

    label: str
    languages: dict[str, LanguageMetrics]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for metrics.json, rounded to six decimals."""
        return plain(self)

    def table(self) -> Table:
        """One row per language."""
        return language_table(self.to_dict())


def measure_split(
    classifier: "Classifier",
    split: "Split",
    settings: "Settings",
    languages: Sequence[str],
    scores: NDArray[np.float32],
) -> LanguagesReport:
    """Measure the first label on the test rows, and all of them on neutral_data.

    languages, scores: of the test rows, (rows,) and (rows, labels).
    """
    layout = settings.layout
    carries = at_half(label_matrix(split.train, layout)[:, 0]) == 1
    trained = row_languages(split.train, layout, settings.main_language)[carries]
    return measure_languages(
        settings.labels[0],
        languages,
        label_matrix(split.test, layout)[:, 0],
        scores[:, 0],
        classifier.decision.flags(scores, languages=languages)[:, 0],
        row_weights(split.test, settings.test_layout),
        trained.unique().tolist(),
        _flagged_neutral(classifier, settings) if settings.neutral_data else None,
    )


def _flagged_neutral(
    classifier: "Classifier", settings: "Settings"
) -> dict[str, NDArray[np.bool_]]:
    """Language → whether each of its texts in neutral_data is flagged by any label."""
    layout = Layout(settings.text_column, (), language=settings.language_column)
    table = read_table(settings.neutral_data, layout.wanted)
    rows = clean_rows(table, layout, settings.neutral_data, keep_unlabelled=True)
    named = row_languages(rows, layout, settings.main_language)
    flagged = {}
    for language, texts in rows[settings.text_column].groupby(named):
        names = [str(language)] * len(texts)
        scores = classifier.score(texts.tolist(), names)
        found = classifier.decision.flags(scores, languages=names)
        flagged[str(language)] = np.asarray(found.any(axis=1))
    return flagged


def measure_languages(
    label: str,
    languages: Sequence[str],
    targets: ArrayLike,
    scores: ArrayLike,
    flags: NDArray[np.bool_],
    weights: ArrayLike,
    trained: Sequence[str] = (),
    neutral: Mapping[str, NDArray[np.bool_]] | None = None,
) -> LanguagesReport:
    """Measure one label in each language.

    languages, targets (0, 1 or NaN), scores, flags, weights: (rows,) of comments.
    trained: the languages whose training rows carry the label.
    neutral: language → whether each of its neutral sentences is flagged.
    """
    from finetune.measure.evaluate import evaluate_labels  # scikit-learn; the page can lack it

    names = np.asarray(languages, dtype=object)
    truth, likely, counts = (
        np.asarray(values, dtype=np.float64) for values in (targets, scores, weights)
    )
    sentences = neutral or {}
    found = {}
    for language in sorted({*names.tolist(), *sentences}):
        rows = names == language
        metrics = evaluate_labels(
            truth[rows, None], likely[rows, None], [label], {label: 0.5}, counts[rows],
            flags=flags[rows, None],
        ).labels[label]  # fmt: skip
        found[language] = LanguageMetrics(
            metrics.rows,
            metrics.positives,
            metrics.roc_auc,
            metrics.intervals.get("roc_auc"),
            metrics.f1,
            metrics.calibration_error,
            language in trained,
            _neutral(sentences.get(language)),
        )
    return LanguagesReport(label, found)


def _neutral(flagged: NDArray[np.bool_] | None) -> Neutral | None:
    if flagged is None or not len(flagged):
        return None
    share = float(flagged.mean())
    return Neutral(len(flagged), share, wilson(share, len(flagged)))


def language_table(report: Mapping[str, Any]) -> Table:
    """The metrics by language; those of languages without training rows are marked.

    report: as metrics.json has it.
    """
    columns = [
        Column("language"),
        *(METRICS[name] for name in ("rows", "positives", "roc_auc")),
        Column("95 % interval", interval),
        *(METRICS[name] for name in ("f1", "calibration_error")),
        Column("neutral sentences", METRICS["rows"].write),
        METRICS["flagged"],
    ]
    rows = []
    for language, metrics in report["languages"].items():
        neutral = metrics["neutral"] or {}
        rows.append(
            (
                language if metrics["trained"] else f"{language} *",
                metrics["rows"],
                metrics["positives"],
                metrics["roc_auc"],
                metrics["roc_auc_interval"],
                metrics["f1"],
                metrics["calibration_error"],
                neutral.get("rows"),
                neutral.get("flagged"),
            )
        )
    untrained = any(not metrics["trained"] for metrics in report["languages"].values())
    note = (
        f"* No training row of this language carries `{report['label']}`: what the model knows of "
        "it comes from other languages."
    )
    return Table(
        title=f"`{report['label']}` by language:", note=note * untrained, columns=columns, rows=rows
    )
