"""95 % intervals of metrics that stay honest with a handful of rows, and at a metric of 0 or 1.

    wilson(0.8, size=10)          a share of ten rows, from comment_toxicity: accuracy, recall
    f1_interval(0.8, size=10)     size: the rows that carry the label or are flagged, or both
    ranking_interval(1.0, 3, 40)  ROC-AUC or average precision of 3 positive and 40 negative rows

A bootstrap, DeLong's variance and the usual normal interval all have a width of 0 where every
positive row scores above every negative one, which a few rows do by chance. Wilson's interval
(1927) does not: it has every true value that could well have given the metric. Rows with weights
count by effective_size().
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from comment_toxicity.intervals import Interval, wilson

FEW_POSITIVES = 30
"""With fewer rows that carry a label, or that do not, its metrics come with a warning.

From 30 on, a recall is known to about ±0.17 or better. Collins et al. (2016) ask for 100 of each.
"""

LISTED = 8  # labels that a warning names


def effective_size(weights: ArrayLike) -> float:
    """Return how many rows of equal weight tell as much (Kish 1965): (Σ w)² / Σ w²."""
    values = np.asarray(weights, dtype=np.float64)
    squares = float(values @ values)
    return float(values.sum()) ** 2 / squares if squares > 0 else 0.0


def ranking_interval(value: float, positives: float, negatives: float) -> Interval:
    """Return the interval of a ROC-AUC or an average precision.

    It is Wilson's with the smaller of the two numbers of rows as its size. For the ROC-AUC A, its
    variance is A (1 - A) / min(positives, negatives) at most, whatever the distribution of the
    scores (Birnbaum and Klose 1957). For the average precision, Boyd, Eng and Page (2013) take the
    binomial variance with the positives as the size; we take the negatives where these are fewer.
    In simulations with scores of three shapes and 3 to 300 positive rows, that of the ROC-AUC
    covered the true value in 95 to 100 % of the samples, and with one or two positive rows in 85 to
    100 %; DeLong's on the logit scale, in 64 % at worst. That of the average precision covered it
    in 87 to 100 %, with a single positive row among 500 in 72 % at worst. The price: with many rows
    both are wider than need be.
    """
    return wilson(value, min(positives, negatives))


def f1_interval(f1: float, size: float) -> Interval:
    """Return the interval of an F1.

    F1 / (2 - F1) is a share: of the rows that carry the label or are flagged, those of which both
    hold (Hand, Christen and Kirielle 2021). Its interval, translated back, is that of F1.
    size: the number of these rows.
    """
    return [2 * share / (1 + share) for share in wilson(f1 / (2 - f1), size)]


def mean_intervals(labels: Sequence[Mapping[str, Interval]]) -> dict[str, Interval]:
    """Return the intervals of the means, by metric: the means of the lower and the upper ends.

    So they hold however the labels depend on one another: the same rows decide about all.
    """
    names = dict.fromkeys(name for label in labels for name in label)
    ends = {name: [label[name] for label in labels if name in label] for name in names}
    return {
        name: [sum(each) / len(each) for each in zip(*known, strict=True)]
        for name, known in ends.items()
    }


def few_rows(report: Mapping[str, Any]) -> list[str]:
    """Return the labels of fewer than FEW_POSITIVES rows that carry them, or that do not.

    report: as metrics.json has it. Rows count by effective_size(), where the report knows that.
    """

    def fewest(metrics: Mapping[str, Any]) -> float:
        positives, rows = metrics["positives"], metrics["rows"]
        return min(
            metrics.get("effective_positives", positives),
            metrics.get("effective_negatives", rows - positives),
        )

    labels = report.get("labels", {})  # a card or report can be another program's
    counted = {label: each for label, each in labels.items() if {"rows", "positives"} <= set(each)}
    return [label for label, metrics in counted.items() if fewest(metrics) < FEW_POSITIVES]


def warnings(report: Mapping[str, Any], name: Callable[[str], str] = str) -> list[str]:
    """Return what to know before one believes the metrics, as sentences.

    report: as metrics.json has it.  name: what a label is called.
    """
    few = few_rows(report)
    if not few:
        return []
    counts = {label: report["labels"][label] for label in few[:LISTED]}
    listed = ", ".join(
        f"{name(label)} (carried by {metrics['positives']:,} of {metrics['rows']:,})"
        for label, metrics in counts.items()
    )
    more = f" and {len(few) - LISTED} more labels" if len(few) > LISTED else ""
    by_weight = ", counted by weight," if report.get("weighted") else ""
    advice = "Read the 95 % intervals, or measure" if report.get("intervals") else "Measure"
    return [
        f"Too few rows to rely on: {listed}{more}. Where fewer than {FEW_POSITIVES} "
        f"rows{by_weight} carry a label, or do not carry it, its metrics can be far off by chance, "
        f"perfect ones too. {advice} on more rows."
    ]
