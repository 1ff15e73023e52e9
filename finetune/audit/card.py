"""An audit → the section of the model card on fairness, function, robustness and transfer."""

from collections.abc import Sequence

from finetune.audit.audit import Audit
from finetune.audit.everyday import EverydayReport
from finetune.audit.hatecheck import FunctionReport
from finetune.audit.identity import IdentityReport, kind_table, overview_table, term_table
from finetune.audit.languages import LanguageIdentityReport
from finetune.audit.operating_points import OperatingReport
from finetune.audit.robustness import RobustnessReport
from finetune.audit.transfer import TransferReport
from finetune.measure.tables import METRICS, decimals, percentage

WORST = 8  # identity terms shown; audit.json has them all
POINTS = (0.1, 0.3, 0.5, 0.7, 0.9)
RATES = ("false_positive_rate", "false_negative_rate", "subgroup_auc", "bpsn_auc", "bnsp_auc")
TERM_COLUMNS = ["term", *(METRICS[name].title for name in RATES)]
LOSSES = ("roc_auc_lost", "rows_flipped", "flags_lost", "flags_gained")
DISGUISE_COLUMNS = ["disguise", *(METRICS[name].title for name in LOSSES)]
TITLE = "## Fairness, function, robustness"


def audit_section(audit: Audit) -> list[str]:
    """Return the section's paragraphs, its title first; none if nothing was measured."""
    parts = _identity(audit.identity)
    if audit.function:
        parts += _function(audit.function)
    if audit.threats:
        parts += _function(audit.threats)
    if audit.everyday:
        parts += _everyday(audit.everyday)
    if audit.languages:
        parts += _languages(audit.languages)
    if audit.robustness:
        parts += _robustness(audit.robustness)
    if audit.transfer:
        parts += _transfer(audit.transfer)
    if audit.operating_points:
        parts += _operating_points(audit.operating_points)
    if not parts:
        return []
    read = ", ".join(f"`{source['name']}`" for source in audit.data.values())
    about = "By `python -m finetune.audit`; docs/measures.md explains each metric."
    return [TITLE, about + (f" Read: {read}." if read else ""), *parts]


def _identity(reports: Sequence[IdentityReport]) -> list[str]:
    """Return a table of all sets and labels, and for the first label the worst terms of each."""
    if not reports:
        return []
    parts = [
        "### Identity",
        "Short sentences that name an identity, flagged from the threshold on. A false positive is "
        "a harmless sentence that is flagged; the highest rate is that of the worst term.",
        overview_table(reports).markdown(),
    ]
    for report in reports:
        if report.label == reports[0].label and "answered" not in report.source:
            worst = report.worst_first()[:WORST]
            title = f"`{report.label}` on {report.source}, the {len(worst)} worst terms:"
            parts.append(term_table(worst, title).select(*TERM_COLUMNS).markdown())
    if any(report.kinds for report in reports):
        parts.append(kind_table(reports).markdown())
    return parts


def _function(report: FunctionReport) -> list[str]:
    return [
        f"### Function: {report.source}",
        f"`{report.label}` judges {percentage(report.accuracy)} of {report.rows:,} cases right "
        f"({percentage(report.accuracy_bad)} of the {report.bad} ones, "
        f"{percentage(report.accuracy_harmless)} of the others); ROC-AUC "
        f"{decimals(report.roc_auc)}. By functionality, the weakest first:",
        report.functionality_table().markdown(),
    ]


def _everyday(report: EverydayReport) -> list[str]:
    return [
        "### Everyday language",
        "Harmless sentences flagged, by kind. “Ordinary” names and places are there to compare "
        "with those that hold a rude English word.",
        report.harmless_table().markdown(),
        "Plain insults, threats and harmless sentences alone and inside everyday comments, by the "
        "number of words around them: the share flagged, with its 95 % interval.",
        report.inserted_table().markdown(),
        "The same insults and harmless sentences in other letters and in markup:",
        report.dressed_table().markdown(),
    ]


def _languages(report: LanguageIdentityReport) -> list[str]:
    return [
        "### Identity in other languages",
        "Neutral sentences that name a group of people, flagged by any label; the background are "
        "people whose name says nothing, such as teachers:",
        report.language_table().markdown(),
    ]


def _robustness(report: RobustnessReport) -> list[str]:
    return [
        "### Robustness",
        f"{report.rows:,} rows of `{report.source}` with about a quarter of their longer words "
        "disguised, drawn at random. What this costs of the mean ROC-AUC, and the shares of rows "
        "and flags that change, by the rows' weights. Disguises held out are never in the noise "
        "that training can add:",
        report.kind_table().select(*DISGUISE_COLUMNS).markdown(),
    ]


def _transfer(report: TransferReport) -> list[str]:
    return [
        "### Transfer",
        "Comments from other sites, labelled by other rules, so only their ranking counts. Where "
        "“Training” names a set, the model has learned from other rows of it.",
        report.label_table().markdown(),
    ]


def _operating_points(report: OperatingReport) -> list[str]:
    return ["### Operating points", report.overview_table(POINTS).markdown()]
