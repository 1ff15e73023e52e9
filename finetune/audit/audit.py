"""All that was measured of a model, the file audit.json that keeps it, and its main results.

    audit = Audit.load(folder)              # None where there is none
    audit.identity[0].frame()               # a DataFrame
    headline_table(headlines(audit))        # the main results, one per row
    trade_off(audit, "toxic")               # what other thresholds of a label give

Each report is defined in the module of its measure; it has frame(), table(), to_dict() and
from_dict().
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self, TypeVar

from comment_toxicity.decision import Weights
from comment_toxicity.disk import read_json, write_whole
from comment_toxicity.errors import ModelError
from finetune.audit.everyday import EverydayReport
from finetune.audit.hatecheck import FunctionReport
from finetune.audit.identity import IdentityReport
from finetune.audit.languages import LanguageIdentityReport
from finetune.audit.operating_points import OperatingReport
from finetune.audit.robustness import RobustnessReport
from finetune.audit.transfer import TransferMetrics, TransferReport
from finetune.measure.report import mean
from finetune.measure.tables import METRICS, Column, Table, decimals, percentage

FILE_NAME = "audit.json"
REPORTS: dict[str, Any] = {  # besides identity, of which there are several
    "function": FunctionReport,
    "threats": FunctionReport,
    "everyday": EverydayReport,
    "languages": LanguageIdentityReport,
    "robustness": RobustnessReport,
    "operating_points": OperatingReport,
    "transfer": TransferReport,
}


@dataclass(frozen=True)
class Audit:
    """The reports of one model; a measure that was not taken is None, or an empty list.

    weights: the weight file that was measured.
    data: the files that were read: flag → name and sha256.
    """

    weights: Weights
    data: dict[str, dict[str, str]] = field(default_factory=dict)
    identity: list[IdentityReport] = field(default_factory=list)
    function: FunctionReport | None = None
    threats: FunctionReport | None = None
    everyday: EverydayReport | None = None
    languages: LanguageIdentityReport | None = None
    robustness: RobustnessReport | None = None
    operating_points: OperatingReport | None = None
    transfer: TransferReport | None = None

    @classmethod
    def load(cls, folder: Path) -> Self | None:
        """Read folder/audit.json; None without one. Raises ModelError if it has another format."""
        path = Path(folder) / FILE_NAME
        try:
            return cls.from_dict(read_json(path))
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ModelError(
                f"{path}: not written by python -m finetune.audit ({error!r}); write it again."
            ) from error

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> Self:
        """Read what to_dict() returned."""
        return cls(
            weights=Weights(**record["weights"]),
            data=record["data"],
            identity=[IdentityReport.from_dict(report) for report in record["identity"]],
            **{
                name: report_type.from_dict(record[name])
                for name, report_type in REPORTS.items()
                if record.get(name)
            },
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values, rounded to six decimals."""
        reports = {name: getattr(self, name) for name in REPORTS}
        return {
            "weights": {"file": self.weights.file, "sha256": self.weights.sha256},
            "data": self.data,
            "identity": [report.to_dict() for report in self.identity],
            **{name: report.to_dict() if report else None for name, report in reports.items()},
        }

    @property
    def missing(self) -> list[str]:
        """The measures that were not taken."""
        return [name for name in ("identity", *REPORTS) if not getattr(self, name)]

    def updated(self, new: "Audit") -> "Audit":
        """Return this audit with the results of `new`; `new` alone if it is of other weights."""
        if new.weights != self.weights:
            return new
        reports = {name: getattr(new, name) or getattr(self, name) for name in REPORTS}
        if new.transfer and self.transfer:
            metrics = _merged(new.transfer.figures, self.transfer.figures)
            reports["transfer"] = TransferReport(metrics)
        identity = _merged(new.identity, self.identity)
        return replace(self, data=self.data | new.data, identity=identity, **reports)

    def save(self, folder: Path) -> None:
        """Write folder/audit.json, whole or not at all."""
        text = json.dumps(self.to_dict(), indent=1, ensure_ascii=False)
        write_whole(Path(folder) / FILE_NAME, text + "\n")


Measured = TypeVar("Measured", bound=IdentityReport | TransferMetrics)


def _merged(new: list[Measured], old: list[Measured]) -> list[Measured]:
    """Return the new results, followed by the old ones of other sources."""
    sources = {result.source for result in new}
    return [*new, *(result for result in old if result.source not in sources)]


@dataclass(frozen=True)
class Headline:
    """One of the main results.

    name: what was measured, on what.  column: how its value is written.
    about: the term, label or group that it is about, or the values that it is made of.
    """

    name: str
    column: Column
    value: float | None
    about: str = ""


def headlines(audit: Audit, folder: Path | None = None) -> list[Headline]:
    """Return the main results of an audit; those that were not measured are left out.

    folder: the model's, for the calibration on validation rows that its metrics.json has.
    """
    return [
        *_labelled_rows(audit),
        *(headline for report in audit.identity for headline in _identity(report)),
        *_function(audit.function),
        *_function(audit.threats),
        *_everyday(audit.everyday),
        *_languages(audit.languages),
        *_transfer(audit.transfer),
        *_robustness(audit),
        *_calibration(audit, folder),
    ]


def headline_table(results: Sequence[Headline]) -> Table:
    """Return the results as a table, one per row."""
    columns = [Column("result"), Column("value", decimals), Column("where")]
    rows = [(each.name, each.column.cell(each.value), each.about) for each in results]
    return Table(columns=columns, rows=rows)


def comparison_table(models: Mapping[str, Sequence[Headline]]) -> Table:
    """Return the results of several models side by side: one column per model."""
    values = {
        model: {each.name: each.column.cell(each.value) for each in results}
        for model, results in models.items()
    }
    names = list(dict.fromkeys(name for of_model in values.values() for name in of_model))
    return Table(
        columns=[Column("result"), *(Column(model, decimals) for model in models)],
        rows=[(name, *(of_model.get(name) for of_model in values.values())) for name in names],
    )


def trade_off(audit: Audit, label: str) -> Table | None:
    """Return what other thresholds of a label would give; None where the audit has no such metric.

    On labelled rows: precision, recall, F1, and the share of all rows flagged. On HateCheck: the
    share judged right. On each set of identity sentences: the highest false-positive rate of any
    term. The model's own thresholds are marked.
    """
    columns: list[Column] = []
    values: list[dict[float, float | None]] = []
    own: set[float] = set()
    if audit.operating_points and label in audit.operating_points.labels:
        points = audit.operating_points.labels[label]
        own.add(points.threshold)
        for name in ("precision", "recall", "f1", "flagged"):
            columns.append(METRICS[name])
            values.append({point.threshold: getattr(point, name) for point in points.points})
    if audit.function and audit.function.label == label:
        own.add(audit.function.threshold)
        columns.append(Column(f"{audit.function.source} judged right", percentage))
        at_own: dict[float, float | None] = {audit.function.threshold: audit.function.accuracy}
        values.append(_by_threshold(audit.function.accuracy_at) | at_own)
    for report in audit.identity:
        if report.label == label:
            worst = report.highest_false_positive_rate
            own.add(report.threshold)
            columns.append(Column(f"worst term: {report.source}", percentage))
            rate = {report.threshold: worst.false_positive_rate if worst else None}
            values.append(_by_threshold(report.worst_rate_at) | rate)
    if not columns:
        return None
    rows = [
        (
            decimals(threshold) + " (its own)" * (threshold in own),
            *(column.get(threshold) for column in values),
        )
        for threshold in sorted({threshold for column in values for threshold in column})
    ]
    title = f"{label} at other thresholds"
    return Table(title=title, columns=[METRICS["threshold"], *columns], rows=rows)


def trade_off_labels(audit: Audit) -> list[str]:
    """Return the labels for which trade_off() has a table."""
    labels = list(audit.operating_points.labels) if audit.operating_points else []
    labels += [report.label for report in audit.identity]
    labels += [audit.function.label] if audit.function else []
    return list(dict.fromkeys(labels))


def _by_threshold(values: Mapping[str, float | None]) -> dict[float, float | None]:
    return {float(threshold): value for threshold, value in values.items()}


def _labelled_rows(audit: Audit) -> Iterable[Headline]:
    report = audit.operating_points
    if not report:
        return
    labels = report.labels.items()
    for metric, title, values in (
        ("roc_auc", "mean ROC-AUC", {label: points.roc_auc for label, points in labels}),
        (
            "average_precision",
            "mean average precision",
            {label: points.average_precision for label, points in labels},
        ),
        (
            "f1",
            "mean F1 at the thresholds",
            {label: points.chosen.f1 for label, points in labels},
        ),
    ):
        name = f"{report.source}: {title}"
        yield Headline(name, METRICS[metric], mean(values.values()), _listed(values))


def _identity(report: IdentityReport) -> Iterable[Headline]:
    worst = report.highest_false_positive_rate
    start = f"{report.source}: {report.label}"
    if worst:
        above = sum((term.false_positive_rate or 0) > 0.1 for term in report.named)
        yield Headline(
            f"{start}: highest false-positive rate",
            METRICS["false_positive_rate"],
            worst.false_positive_rate,
            f"{worst.term}; {above} of {len(report.named)} terms above 10 %"
            if worst.false_positive_rate
            else "",
        )
    lowest = [
        (getattr(term, name), term.term, METRICS[name].title)
        for name in ("subgroup_auc", "bpsn_auc")
        if (term := report.lowest(name))
    ]
    if lowest:
        value, of_term, title = min(lowest, key=lambda each: each[0])
        means = {METRICS[name].title: power for name, power in report.power_means.items()}
        yield Headline(
            f"{start}: lowest subgroup or BPSN AUC",
            METRICS["bpsn_auc"],
            value,
            f"{of_term} ({title}); power means {_listed(means)}",
        )
    if report.mean_false_negative_rate is not None:
        yield Headline(
            f"{start}: mean false-negative rate",
            METRICS["false_negative_rate"],
            report.mean_false_negative_rate,
        )


def _function(report: FunctionReport | None) -> Iterable[Headline]:
    if report:
        yield Headline(
            f"{report.source}: judged right by {report.label}",
            METRICS["right"],
            report.accuracy,
            f"{report.by_class()}; best {percentage(report.best_accuracy)} at "
            f"{decimals(report.best_threshold)}",
        )
        name = f"{report.source}: ROC-AUC of {report.label}"
        yield Headline(name, METRICS["roc_auc"], report.roc_auc)


def _everyday(report: EverydayReport | None) -> Iterable[Headline]:
    if not report:
        return
    for title, kinds in (
        ("names in harmless sentences flagged", ["names"]),
        ("places in harmless sentences flagged", ["places"]),
        ("other harmless sentences flagged", report.other_kinds),
    ):
        found = {kind: report.flagged([kind]) for kind in kinds}
        about = _rates(found).replace("_", " ") if len(found) > 1 else ""
        name = f"{report.source}: {title}"
        yield Headline(name, METRICS["flagged"], mean(found.values()), about)
    for kind, title in (
        ("insults", "insults in a long comment flagged"),
        ("threats", "threats in a long comment flagged"),
        ("harmless", "long comments without abuse flagged"),
    ):
        places = {share.place: share.flagged for share in report.longest(kind)}
        yield Headline(
            f"{report.source}: {title}", METRICS["flagged"], mean(places.values()), _rates(places)
        )
    for kind, title in (
        ("insults", "insults in other letters and markup flagged"),
        ("harmless", "harmless sentences in the same flagged"),
    ):
        rates = {share.place: share.flagged for share in report.of("dressed", kind)}
        far = (min if kind == "insults" else max)(rates, key=rates.__getitem__, default="")
        name = f"{report.source}: {title}"
        about = f"worst: {far} {percentage(rates[far])}" if far else ""
        yield Headline(name, METRICS["flagged"], mean(rates.values()), about)


def _languages(report: LanguageIdentityReport | None) -> Iterable[Headline]:
    if report:
        shares = {language: report.flagged(language) for language in report.languages}
        name = f"{report.source}: neutral sentences flagged"
        yield Headline(name, METRICS["flagged"], mean(shares.values()), _rates(shares))


def _transfer(report: TransferReport | None) -> Iterable[Headline]:
    if not report:
        return
    for source in report.sources:
        values = {each.label: each.roc_auc for each in report.figures if each.source == source}
        value = report.mean_roc_auc(source)
        yield Headline(f"{source}: mean ROC-AUC", METRICS["roc_auc"], value, _listed(values))


def _robustness(audit: Audit) -> Iterable[Headline]:
    report = audit.robustness
    if not report:
        return
    drawn = "" if report.rows == report.drawn_from else f"{report.rows:,} rows drawn; "
    for held_out, title, value in (
        (False, "ROC-AUC lost in disguise", report.mean_roc_auc_lost),
        (True, "ROC-AUC lost, kinds held out", report.held_out_roc_auc_lost),
    ):
        kinds = {
            kind.kind.replace("_", " "): kind.roc_auc_lost
            for kind in report.kinds
            if kind.held_out == held_out
        }
        name = f"{report.source}: {title}"
        yield Headline(name, METRICS["roc_auc_lost"], value, drawn + _listed(kinds))


def _calibration(audit: Audit, folder: Path | None) -> Iterable[Headline]:
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
            name = f"{source}: highest calibration error"
            yield Headline(name, METRICS["calibration_error"], known[worst], worst)


def _listed(values: Mapping[str, float | None]) -> str:
    return ", ".join(f"{name} {decimals(value)}" for name, value in values.items())


def _rates(values: Mapping[str, float | None]) -> str:
    return ", ".join(f"{name} {percentage(value)}" for name, value in values.items())


def _metrics(folder: Path | None) -> dict[str, Any]:
    try:
        return read_json(folder / "metrics.json") if folder else {}
    except (OSError, ValueError):
        return {}
