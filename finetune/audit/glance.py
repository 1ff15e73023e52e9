"""One line a figure: the whole of an audit at a glance, to set models side by side."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from comment_toxicity.disk import read_json
from finetune.audit.audit import Audit
from finetune.audit.hatecheck import FunctionReport
from finetune.audit.identity import IdentityReport
from finetune.audit.tables import as_text, shown


def at_a_glance(audit: Audit, folder: Path | None = None) -> pd.DataFrame:
    """Give the columns figure, value and where (the term, label or kind that it is about).

    folder: the model's, for the calibration on validation rows that its metrics.json has.
    Figures that were not measured are left out.
    """
    rows = [
        *_test_rows(audit),
        *(line for report in audit.identity for line in _identity(report)),
        *_function(audit.function),
        *_function(audit.threats),
        *_transfer(audit),
        *_robustness(audit),
        *_calibration(audit, folder),
    ]
    return pd.DataFrame(rows, columns=["figure", "value", "where"])


def glance_table(audit: Audit, folder: Path | None = None) -> str:
    """Write at_a_glance() in fixed-width lines, the words left-aligned."""
    frame = at_a_glance(audit, folder)
    if frame.empty:
        return "nothing measured"
    width = frame.figure.str.len().max()
    lines = zip(frame.figure, frame.value, frame["where"], strict=True)
    return "\n".join(f"{what:{width}}  {shown(value):>7}  {where}" for what, value, where in lines)


def compare(audits: dict[str, pd.DataFrame]) -> str:
    """Write the at_a_glance() frames of several models side by side, one column a model."""
    columns = {name: frame.set_index("figure").value for name, frame in audits.items()}
    together = pd.DataFrame(columns)
    order = list(dict.fromkeys(figure for frame in audits.values() for figure in frame.figure))
    return as_text(together.loc[order].rename_axis("figure").reset_index())


Line = tuple[str, float | None, str]


def _test_rows(audit: Audit) -> Iterable[Line]:
    report = audit.operating_points
    if not report:
        return
    for title, values in (
        ("mean ROC-AUC", {name: label.roc_auc for name, label in report.labels.items()}),
        (
            "mean average precision",
            {name: label.average_precision for name, label in report.labels.items()},
        ),
        (
            "mean F1 at the thresholds",
            {name: label.chosen.f1 for name, label in report.labels.items()},
        ),
    ):
        known = {name: value for name, value in values.items() if value is not None}
        each = ", ".join(f"{name} {value:.3f}" for name, value in known.items())
        yield f"{report.source}: {title}", _mean(known.values()), each


def _identity(report: IdentityReport) -> Iterable[Line]:
    worst = report.highest_false_positive_rate
    start = f"{report.source}: {report.label}"
    if worst:
        above = [
            term for term in report.terms if term.term and (term.false_positive_rate or 0) > 0.1
        ]
        yield (
            f"{start}: highest false-positive rate",
            worst.false_positive_rate,
            f"{worst.term}; {len(above)} terms above 0.1" if worst.false_positive_rate else "",
        )
    lowest = [
        (getattr(low, name), low, name)
        for name in ("subgroup_auc", "bpsn_auc")
        if (low := report.lowest(name))
    ]
    if lowest:
        value, term, name = min(lowest, key=lambda found: found[0])
        means = ", ".join(f"{of[:-4]} {shown(mean)}" for of, mean in report.power_means.items())
        where = f"{term.term} ({name[:-4]}); power means {means}"
        yield f"{start}: lowest subgroup or BPSN ROC-AUC", value, where
    if report.mean_false_negative_rate is not None:
        yield f"{start}: mean false-negative rate", report.mean_false_negative_rate, ""


def _function(report: FunctionReport | None) -> Iterable[Line]:
    if report:
        yield (
            f"{report.source}: accuracy of {report.label}",
            report.accuracy,
            f"{report.halves()}; best {report.best_accuracy:.3f} at {report.best_threshold:.3g}",
        )
        yield f"{report.source}: ROC-AUC of {report.label}", report.roc_auc, ""


def _transfer(audit: Audit) -> Iterable[Line]:
    report = audit.transfer
    if not report:
        return
    for source in dict.fromkeys(figures.source for figures in report.figures):
        of_source = [figures for figures in report.figures if figures.source == source]
        each = ", ".join(f"{figures.label} {shown(figures.roc_auc)}" for figures in of_source)
        yield f"{source}: mean ROC-AUC", report.mean_roc_auc(source), each


def _robustness(audit: Audit) -> Iterable[Line]:
    report = audit.robustness
    if report:
        drawn = "" if report.rows == report.drawn_from else f"{report.rows:,} rows drawn; "
        for held_out, what, value in (
            (False, "ROC-AUC lost in disguise", report.mean_roc_auc_lost),
            (True, "the same, kinds held out", report.held_out_roc_auc_lost),
        ):
            each = ", ".join(
                f"{kind.kind} {shown(kind.roc_auc_lost)}"
                for kind in report.kinds
                if kind.held_out == held_out
            )
            yield f"{report.source}: {what}", value, drawn + each


def _calibration(audit: Audit, folder: Path | None) -> Iterable[Line]:
    errors: dict[str, dict[str, float | None]] = {}
    validation = _metrics(folder).get("validation")
    if validation:
        errors["validation rows"] = {
            name: label.get("calibration_error")
            for name, label in validation.get("labels", {}).items()
        }
    if audit.operating_points:
        errors[audit.operating_points.source] = {
            name: label.calibration_error for name, label in audit.operating_points.labels.items()
        }
    for source, by_label in errors.items():
        known = {name: value for name, value in by_label.items() if value is not None}
        if known:
            worst = max(known, key=known.__getitem__)
            yield f"{source}: highest calibration error", known[worst], worst


def _metrics(folder: Path | None) -> dict[str, Any]:
    try:
        return read_json(folder / "metrics.json") if folder else {}
    except (OSError, ValueError):
        return {}


def _mean(values: Iterable[float]) -> float | None:
    found: Sequence[float] = list(values)
    return sum(found) / len(found) if found else None
