"""Logits of the exported weights on validation rows → calibration and thresholds (a Decision).

A calibrated score of 0.8 means that about 8 of 10 such comments have the label, in the natural mix
of comments. Validation rows are often another mix: rows with rare labels are picked more often, so
that there is something to learn from. So each row gets a weight that gives every label its natural
share (natural_weights), and all the rare positives stay in use.

    fitted = fit_decision(logits, targets, labels, "sigmoid", criterion, prevalence, weights)
    replace(fitted.decision, weights=Weights.of(folder / "model.onnx")).save(folder)
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize
from scipy.special import expit, log_softmax

from comment_toxicity.decision import Decision, LabelDecision
from finetune.measure.evaluate import evaluate_classes, evaluate_labels
from finetune.measure.report import Report
from finetune.thresholds import Criterion, choose_threshold

Floats = NDArray[np.float64]
FOLDS = 5
ENOUGH = 20
"""A label is calibrated in a language that has so many rows with it and so many without."""
SLOPES = (0.01, 100.0)  # a slope of 0 or less would reverse the model's order


@dataclass(frozen=True)
class Fitted:
    """The result of fit_decision.

    decision: not yet bound to a weight file.
    report: metrics on rows that took no part in the fit: the validation rows are cut into five
        parts, each measured with the calibration and thresholds of the other four.
    warnings: a sentence for each label that could not be fitted as asked.
    """

    decision: Decision
    report: Report
    warnings: list[str]


def fit_decision(
    logits: ArrayLike,
    targets: ArrayLike,
    labels: Sequence[str],
    activation: str,
    criterion: Criterion,
    prevalence: Mapping[str, float] | None = None,
    weights: ArrayLike | None = None,
    languages: Sequence[str] | None = None,
) -> Fitted:
    """Fit each label's calibration, then choose its threshold on the calibrated scores.

    logits: (rows, labels) of the exported weights; a row of NaN (a blank text) is left out.
    targets: (rows, labels), 0, 1 or NaN for unknown; for "softmax" a single 1 in each row.
    prevalence: each label's share in the natural mix; without it, rows count by their weights.
    weights: (rows,) how much a row counts in the report; 0 for one that was picked for its labels.
        With prevalence given, such rows still take part in the fit.
    languages: of each row. Labels with ENOUGH rows in a language are fitted to these rows too, all
        languages to the same prevalence, as the rows of each were picked in their own way.
    """
    fit = _fit_classes if activation == "softmax" else _fit_labels
    scores, truth = np.asarray(logits, dtype=np.float64), np.asarray(targets, dtype=np.float64)
    counts = np.ones(len(scores)) if weights is None else np.asarray(weights, dtype=np.float64)
    fit_weights, absent = counts, []
    shares: list[float] | None = None
    if prevalence is not None:
        shares = [prevalence[label] for label in labels]
        absent = [label for label in labels if not prevalence[label]]
        fit_weights = natural_weights(truth, shares, np.where(counts > 0, counts, 1.0))
    usable = ~np.isnan(scores).any(axis=1) & (fit_weights > 0)
    scores, truth = scores[usable], truth[usable]
    fit_weights, counts = fit_weights[usable], counts[usable]
    named = None
    if languages is not None and activation == "sigmoid":
        named = np.asarray(languages, dtype=object)[usable]

    def fitted(rows: NDArray[np.bool_]) -> tuple[Decision, list[str]]:
        decision, warnings = fit(scores[rows], truth[rows], fit_weights[rows], labels, criterion)
        if named is None:
            return decision, warnings
        start = counts if shares is None else np.where(counts > 0, counts, 1.0)
        parts = {
            name: _fit_language(scores[of], truth[of], start[of], labels, criterion, shares)
            for name in sorted(set(named[rows]) - {""})
            for of in [rows & (named == name)]
        }
        kept = {name: part for name, part in parts.items() if part}
        return replace(decision, languages=kept), warnings

    decision, warnings = fitted(np.ones(len(scores), dtype=bool))
    warnings += [
        f"{label}: no row of the random sample has it, so its natural share is unknown and its "
        "scores are too high; add rows to the random sample."
        for label in absent
    ]
    probabilities, flags = np.zeros(scores.shape), np.zeros(scores.shape, dtype=bool)
    folds = _folds(truth)
    for fold in range(FOLDS):
        held_out = folds == fold
        of_rest, _ = fitted(~held_out)
        names = None if named is None else named[held_out].tolist()
        probabilities[held_out] = of_rest.apply(scores[held_out], names)
        if activation == "sigmoid":
            flags[held_out] = of_rest.flags(probabilities[held_out], languages=names)
    report: Report
    if activation == "softmax":
        report = evaluate_classes(truth, probabilities, labels, counts)
    else:
        chosen = decision.thresholds
        report = evaluate_labels(truth, probabilities, labels, chosen, counts, flags=flags)
    return Fitted(decision, report, warnings)


def natural_weights(targets: ArrayLike, shares: Sequence[float], start: ArrayLike) -> Floats:
    """Weigh rows so that each label's weighted share is its natural one.

    targets: (rows, labels), 0, 1 or NaN.  shares: one per label.  start: (rows,), the initial
    weights.  Returns (rows,), with the sum of `start`.

    With one label this is the prior-shift correction (Saerens et al. 2002; Elkan 2001): positives
    weigh π / p, negatives (1 - π) / (1 - p). Several labels need one weight per row for all of
    them, else a rare label's negatives would have too many rows with other labels. Raking finds it
    (Deming and Stephan 1940): the same correction label by label, until nothing changes.
    A label with one class only, here or in nature, is left out.
    """
    truth = np.asarray(targets, dtype=np.float64)
    weights = np.array(start, dtype=np.float64)
    for _ in range(1000):
        before = weights.copy()
        for column, share in zip(truth.T, shares, strict=True):
            positive, negative = weights[column == 1].sum(), weights[column == 0].sum()
            if positive > 0 and negative > 0 and 0 < share < 1:
                known = positive + negative
                weights[column == 1] *= share * known / positive
                weights[column == 0] *= (1 - share) * known / negative
        if np.allclose(weights, before, rtol=1e-6, atol=0):
            break
    return weights


def _fit_labels(
    logits: Floats,
    targets: Floats,
    weights: Floats,
    labels: Sequence[str],
    criterion: Criterion,
) -> tuple[Decision, list[str]]:
    fitted, warnings = {}, []
    for column, label in enumerate(labels):
        known = ~np.isnan(targets[:, column])
        truth, positives = targets[known, column], int(np.nansum(targets[:, column]))
        if not 0 < positives < len(truth):
            fitted[label] = LabelDecision(positives=positives)
            warnings.append(
                f"{label}: {positives} of {len(truth)} validation rows have it, so it stays "
                "uncalibrated, with a threshold of 0.5; validate on rows with and without it."
            )
            continue
        slope, intercept = _platt(logits[known, column], truth, weights[known])
        scores = expit(slope * logits[known, column] + intercept)
        threshold = choose_threshold(truth, scores, weights[known], criterion)
        if not threshold.met:
            warnings.append(
                f"{label}: no threshold gives a precision of {criterion.level} on the validation "
                f"rows; the nearest, {threshold.value:.3f}, gives {threshold.precision:.3f}."
            )
        fitted[label] = LabelDecision(
            slope,
            intercept,
            threshold.value,
            positives,
            round(threshold.precision, 4),
            round(threshold.recall, 4),
        )
    return Decision("sigmoid", fitted, criterion=str(criterion), rows=len(logits)), warnings


def _fit_language(
    logits: Floats,
    targets: Floats,
    start: Floats,
    labels: Sequence[str],
    criterion: Criterion,
    shares: Sequence[float] | None,
) -> dict[str, LabelDecision]:
    """Fit the labels that have ENOUGH rows in a language; start: the weights before raking."""
    logits, targets, start = logits[start > 0], targets[start > 0], start[start > 0]
    positives, negatives = (targets == 1).sum(axis=0), (targets == 0).sum(axis=0)
    columns = np.flatnonzero((positives >= ENOUGH) & (negatives >= ENOUGH))
    if not len(columns):
        return {}
    weights = start if shares is None else natural_weights(targets, shares, start)
    names = [labels[int(column)] for column in columns]
    fitted, _ = _fit_labels(logits[:, columns], targets[:, columns], weights, names, criterion)
    return fitted.labels


def _fit_classes(
    logits: Floats,
    targets: Floats,
    weights: Floats,
    labels: Sequence[str],
    criterion: Criterion,
) -> tuple[Decision, list[str]]:
    known = ~np.isnan(targets).any(axis=1)
    logits, targets, weights = logits[known], targets[known], weights[known]
    slope = _inverse_temperature(logits, targets, weights)
    positives = targets.sum(axis=0).astype(int)
    fitted = {
        label: LabelDecision(slope, threshold=None, positives=int(count))
        for label, count in zip(labels, positives, strict=True)
    }
    return Decision("softmax", fitted, criterion="likeliest", rows=len(logits)), []


def _platt(logits: Floats, targets: Floats, weights: Floats) -> tuple[float, float]:
    """Fit probability = sigmoid(slope × logit + intercept) by weighted log loss (Platt 1999).

    Targets are a little less than 1 and more than 0, so that few positives, cleanly separated, do
    not make the slope infinite. Platt takes 1 / (positives + 2) from each positive row and adds
    1 / (negatives + 2) to each negative one. Here both add up to the same weight, or else a label
    that is rarer in nature than in these rows would be scored too high.
    """
    shares = weights / weights.sum()
    classes = [targets == 1, targets == 0]
    moved = min(shares[rows].sum() / (rows.sum() + 2) for rows in classes)
    positive, negative = (moved / max(shares[rows].sum(), moved) for rows in classes)
    soft_targets = np.where(targets == 1, 1 - positive, negative)

    def loss(line: Floats) -> tuple[float, Floats]:
        values = line[0] * logits + line[1]
        excess = shares * (expit(values) - soft_targets)
        gradient = np.array([excess @ logits, excess.sum()])
        return float(shares @ (np.logaddexp(0, values) - soft_targets * values)), gradient

    fit = minimize(loss, [1.0, 0.0], jac=True, method="L-BFGS-B", bounds=[SLOPES, (None, None)])
    return float(fit.x[0]), float(fit.x[1])


def _inverse_temperature(logits: Floats, targets: Floats, weights: Floats) -> float:
    """Fit the one slope of temperature scaling by weighted log loss (Guo et al. 2017).

    Targets are smoothed as in _platt: with few rows, all classified correctly, the slope would be
    infinite.
    """
    rows, classes = targets.shape
    soft_targets = (targets * rows + 1) / (rows + classes)

    def loss(slope: Floats) -> float:
        return float(-weights @ (soft_targets * log_softmax(slope[0] * logits, axis=1)).sum(axis=1))

    return float(minimize(loss, [1.0], method="L-BFGS-B", bounds=[SLOPES]).x[0])


def _folds(targets: Floats) -> NDArray[np.int64]:
    """Assign rows to FOLDS folds, each with its share of every set of labels.

    Sorted by label, the rarest first, rows go to the folds in turn. Rows with the same labels keep
    their order, so the result is the same every time.
    """
    rarest_first = np.argsort(np.nansum(targets, axis=0), kind="stable")
    order = np.lexsort(np.nan_to_num(targets)[:, rarest_first[::-1]].T)
    folds = np.empty(len(targets), dtype=np.int64)
    folds[order] = np.arange(len(targets)) % FOLDS
    return folds
