"""An audit → the card's section on fairness, function, robustness and transfer, in Markdown."""

from collections.abc import Iterable, Sequence

from finetune.audit.audit import Audit
from finetune.audit.hatecheck import FunctionReport
from finetune.audit.identity import IdentityReport
from finetune.audit.operating_points import OperatingPoint, OperatingReport
from finetune.audit.robustness import RobustnessReport
from finetune.audit.transfer import TransferReport

WORST = 8  # identity terms shown; audit.json has them all
POINTS = (0.1, 0.3, 0.5, 0.7, 0.9)
TITLE = "## Fairness, function, robustness"


def audit_section(audit: Audit) -> list[str]:
    """Give the paragraphs of the section, its title first; nothing when nothing was measured."""
    parts = _identity(audit.identity)
    if audit.function:
        parts += _function(audit.function)
    if audit.threats:
        parts += _function(audit.threats)
    if audit.robustness:
        parts += _robustness(audit.robustness)
    if audit.transfer:
        parts += _transfer(audit.transfer)
    if audit.operating_points:
        parts += _operating_points(audit.operating_points)
    if not parts:
        return []
    read = ", ".join(f"`{source['name']}`" for source in audit.data.values())
    about = "By `python -m finetune.audit`; docs/measures.md says what each figure is."
    return [TITLE, about + (f" Read: {read}." if read else ""), *parts]


def _identity(reports: Sequence[IdentityReport]) -> list[str]:
    """Give each set and label a line, and for the first label its worst terms on each plain set."""
    if not reports:
        return []
    header = ("sentences", "label", "number", "highest false-positive rate",
              "mean false-negative rate", "lowest BPSN AUC", "power mean")  # fmt: skip
    parts = [
        "### Identity",
        "Short sentences that name an identity, flagged from the threshold on. A false positive is "
        "a harmless sentence flagged; the rate is that of the worst term. BPSN ranks a term's "
        "harmless sentences against bad ones about others, and is low for a term that raises "
        "scores by itself.",
        _table(header, map(_overview, reports)),
    ]
    for report in reports:
        if report.label == reports[0].label and "answered" not in report.source:
            parts += _terms(report)
    return parts + _kinds(reports)


def _overview(report: IdentityReport) -> Sequence[str]:
    worst, lowest = report.highest_false_positive_rate, report.lowest("bpsn_auc")
    wrong = "–" if worst is None else _share(worst.false_positive_rate)
    if worst and worst.false_positive_rate:
        wrong += f" ({worst.term})"
    return (
        report.source,
        report.label,
        f"{report.rows:,}",
        wrong,
        _share(report.mean_false_negative_rate),
        f"{_figure(lowest.bpsn_auc)} ({lowest.term})" if lowest else "–",
        _figure(report.power_means["bpsn_auc"]),
    )


def _kinds(reports: Sequence[IdentityReport]) -> list[str]:
    """Show what share of each kind of sentence is flagged, a column a label."""
    shares: dict[tuple[str, bool], dict[str, float]] = {}
    for report in reports:
        for kind in report.kinds:
            shares.setdefault((kind.kind, kind.bad), {})[report.label] = kind.flagged
    if not shares:
        return []
    labels = list(dict.fromkeys(report.label for report in reports))
    rows = [
        (kind, "yes" if bad else "no", *(_share(flagged.get(label)) for label in labels))
        for (kind, bad), flagged in shares.items()
    ]
    return [
        "Share flagged by kind of sentence. Reports, answers and negations use bad words against "
        "hate, and should not be.",
        _table(("kind", "toxic", *(f"flagged `{label}`" for label in labels)), rows),
    ]


def _terms(report: IdentityReport) -> list[str]:
    worst = report.frame()
    worst = worst[worst.term != ""].head(WORST)
    rows = [
        (term.term, *map(_share, (term.false_positive_rate, term.false_negative_rate)),
         *map(_figure, (term.subgroup_auc, term.bpsn_auc, term.bnsp_auc)))
        for term in worst.astype(object).where(worst.notna(), None).itertuples()
    ]  # fmt: skip
    return [
        f"`{report.label}` on {report.source}, the {len(worst)} terms that fare worst:",
        _table(
            ("term", "false positives", "false negatives", "subgroup AUC", "BPSN AUC", "BNSP AUC"),
            rows,
        ),
    ]


def _function(report: FunctionReport) -> list[str]:
    rows = [
        (group.name, _yes(group.bad), f"{group.rows:,}", _share(group.accuracy))
        for group in sorted(report.functionalities, key=lambda group: group.accuracy)
    ]
    return [
        f"### Function: {report.source}",
        f"`{report.label}` judges {_share(report.accuracy)} of {report.rows:,} cases right "
        f"({_share(report.accuracy_bad)} of the {report.bad} ones, "
        f"{_share(report.accuracy_harmless)} of the others); ROC-AUC "
        f"{_figure(report.roc_auc)}. By functionality, the weakest first:",
        _table(("functionality", report.bad, "cases", "right"), rows),
    ]


def _robustness(report: RobustnessReport) -> list[str]:
    rows = [
        (
            kind.kind.replace("_", " ") + (" (held out)" if kind.held_out else ""),
            _figure(kind.roc_auc_lost),
            _share(kind.rows_flipped),
            _share(kind.flags_lost),
            _share(kind.flags_gained),
        )
        for kind in report.kinds
    ]
    return [
        "### Robustness",
        f"About a quarter of the longer words of {report.rows:,} rows of `{report.source}` "
        "disguised, drawn at random. Lost of the mean ROC-AUC, rows with any flag changed, flags "
        "gone, flags new, by the rows' weights; kinds held out are never in the noise that "
        "training can add:",
        _table(("kind", "ROC-AUC lost", "rows changed", "flags gone", "flags new"), rows),
    ]


def _transfer(report: TransferReport) -> list[str]:
    rows = [
        (
            figures.source,
            figures.label,
            f"{figures.rows:,}",
            f"{figures.positives:,}",
            _figure(figures.roc_auc),
            _figure(figures.average_precision),
        )
        for figures in report.figures
    ]
    header = ("comments", "label", "rows", "positives", "ROC-AUC", "average precision")
    return [
        "### Transfer",
        "Comments of other places, labelled by other rules, so only their ranking counts. Where "
        "“Training” names a set, the model has learned from other rows of it.",
        _table(header, rows),
    ]


def _operating_points(report: OperatingReport) -> list[str]:
    rows = [
        (
            name,
            f"{label.threshold:.3f}: {_cell(label.chosen)}",
            *(_cell(point) for point in label.points if point.threshold in POINTS),
        )
        for name, label in report.labels.items()
    ]
    weighted = ", weighted" if report.weighted else ""
    return [
        "### Operating points",
        f"On {report.rows:,} rows of `{report.source}`{weighted}: precision / recall / share of "
        "all rows flagged. The share depends on the mix of comments, and precision with it.",
        _table(("label", "its threshold", *map(str, POINTS)), rows),
    ]


def _cell(point: OperatingPoint) -> str:
    shares = (point.precision, point.recall)
    shown = ("–" if value is None else f"{value:.2f}" for value in shares)
    return f"{' / '.join(shown)} / {_share(point.flagged)}"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _share(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _yes(value: bool | None) -> str:
    return "–" if value is None else "yes" if value else "no"
