"""What `python -m finetune.audit` found of a model, on the page: whom it wrongs, what it misses.

Read from audit.json beside the weights; docs/measures.md says what each figure is.
"""

import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from classifier.catalog import label_name
from classifier.errors import UserError
from classifier.folder import ModelFolder
from classifier.models import available_models
from finetune.audit.function import FunctionReport
from finetune.audit.glance import at_a_glance
from finetune.audit.identity import IdentityReport
from finetune.audit.record import Audit
from finetune.audit.robustness import RobustnessReport
from finetune.audit.trade_off import trade_off
from finetune.audit.transfer import TransferReport
from ui import charts
from ui.report import figure
from ui.scores import table
from ui.text import in_markdown

WORST = 12  # terms drawn; the table has them all
NOT_NAMED = "none named"
Columns = Mapping[str, tuple[str, Callable[[Any], str]]]


def show_audit(name: str, folder: ModelFolder) -> None:
    """Show what was measured of these very weights, or say how to measure it."""
    try:
        audit = Audit.load(folder.path)
        if audit is None:
            _offer(name, "Not measured yet.")
        elif folder.decision.weights not in (None, audit.weights):
            _offer(name, "Its audit.json was measured on other weights.")
        else:
            _show(name, folder, audit)
    except (UserError, OSError, ValueError, KeyError, TypeError, AttributeError):
        _offer(name, "Its audit.json is of another kind than this page can show.")


def _offer(name: str, why: str) -> None:
    ours = name in available_models()  # a download into the cache stays as it is
    st.write(
        f"{why} The full installation measures whom a model wrongs, and whether its scores hold, "
        f"by this command{'' if ours else ', which prints the figures'}:"
    )
    save = " --save" if ours else ""
    st.code(f"python -m finetune.audit --model {shlex.quote(name)}{save}", language="bash")


def _show(name: str, folder: ModelFolder, audit: Audit) -> None:
    st.markdown("\n".join(f"- {line}" for line in _in_words(name, audit)))
    with st.expander("All figures at a glance"):
        glance = at_a_glance(audit, folder.path)[["figure", "where", "value"]]
        st.html(_table(glance, {"figure": ("figure", str), "where": ("where", str),
                                "value": ("value", figure)}, numbers=1))  # fmt: skip
    if audit.identity:
        st.subheader("Are people judged by what they are?", anchor=False)
        _identity(name, audit.identity)
    if audit.function:
        with st.expander("Function: which kinds of hate does it understand?"):
            _function(audit.function)
    if audit.robustness:
        with st.expander("Robustness: do scores hold when words are disguised?"):
            _robustness(name, audit.robustness)
    if audit.identity or audit.function or audit.operating_points:
        with st.expander("Thresholds: what would another one buy, and who pays?"):
            _thresholds(name, audit)
    if audit.transfer:
        with st.expander("Transfer: how does it rank the comments of other places?"):
            _transfer(name, audit.transfer)
    parts = ("identity", "function", "robustness", "operating_points", "transfer")
    missing = [part.replace("_", " ") for part in parts if not getattr(audit, part)]
    if missing:
        st.caption(f"Not measured: {', '.join(missing)}. docs/measures.md says what each reads.")


def _in_words(name: str, audit: Audit) -> Iterable[str]:
    """Say what matters most of each measure, in Markdown."""
    for report in audit.identity:
        worst, missed = report.highest_false_positive_rate, report.mean_false_negative_rate
        start = f"**{in_markdown(_title(name, report))}**: of harmless sentences"
        if worst and worst.false_positive_rate:
            yield (
                f"{start} that name “{in_markdown(worst.term)}”, "
                f"{_share(worst.false_positive_rate)} are flagged, the most of any term (mean "
                f"{_share(report.mean_false_positive_rate)}); of bad ones, {_share(missed)} are "
                "missed."
            )
        elif worst:
            yield f"{start}, none is flagged; of bad ones, {_share(missed)} are missed."
    if audit.function:
        found = audit.function
        yield (
            f"**{in_markdown(found.source)}**: {_share(found.accuracy)} of {found.rows:,} cases "
            f"are judged right: {_share(found.accuracy_hateful)} of the hateful ones, "
            f"{_share(found.accuracy_not_hateful)} of the others."
        )
    if audit.robustness:
        lost = audit.robustness
        yield (
            f"**Disguised words** cost {figure(lost.mean_roc_auc_lost)} of a mean ROC-AUC of "
            f"{figure(lost.roc_auc)}; tricks that no training here has met, "
            f"{figure(lost.held_out_roc_auc_lost)}."
        )
    if audit.operating_points:
        errors = {
            label: points.calibration_error
            for label, points in audit.operating_points.labels.items()
            if points.calibration_error is not None
        }
        if errors:
            label = max(errors, key=errors.__getitem__)
            yield (
                f"**Calibration**: scores of {in_markdown(label_name(label, name))} are "
                f"{100 * errors[label]:.1f} points off the shares that they promise, on average; "
                "of all labels the most."
            )
    if audit.transfer:
        sources = dict.fromkeys(figures.source for figures in audit.transfer.figures)
        means = (f"{in_markdown(of)} {figure(audit.transfer.mean_roc_auc(of))}" for of in sources)
        yield f"**Comments of other places**, mean ROC-AUC: {', '.join(means)}."


@st.fragment
def _identity(name: str, reports: Sequence[IdentityReport]) -> None:
    st.write(
        "Short sentences that name an identity, harmless and bad ones alike; flagging harmless "
        "ones silences the people they are about. “Hate answered” has reports of hate, answers to "
        "it and negations, which share its words and should not be flagged."
    )
    place = st.selectbox(
        "Sentences and label",
        range(len(reports)),
        format_func=lambda place: _title(name, reports[place]),
        key=f"audit identity {name}",
    )
    report = reports[place]
    frame = report.frame()
    known = frame[(frame.term != "") & frame.false_positive_rate.notna()]
    worst = known[known.false_positive_rate > 0].head(WORST)
    if len(worst):
        st.markdown(f"**Harmless sentences flagged**, the worst {len(worst)} of {len(known)} terms")
        _draw(worst)
    else:
        st.write("No term has a harmless sentence flagged.")
    with st.expander("All terms as a table"):
        st.html(_table(frame.replace({"term": {"": NOT_NAMED}}), {
            "term": ("term", str),
            "negatives": ("harmless", figure), "positives": ("bad", figure),
            "false_positive_rate": ("harmless flagged", _share),
            "false_negative_rate": ("bad missed", _share),
            "subgroup_auc": ("subgroup AUC", figure), "bpsn_auc": ("BPSN AUC", figure),
            "bnsp_auc": ("BNSP AUC", figure),
        }, numbers=7))  # fmt: skip
        st.caption(
            "Subgroup AUC: how well a term's own sentences are told apart. BPSN AUC is low where "
            "the term raises scores by itself, BNSP AUC where it lowers them."
        )
    if report.kinds:
        rows = [
            (kind.kind, "yes" if kind.bad else "no", f"{kind.rows:,}", _share(kind.flagged))
            for kind in report.kinds
        ]
        st.html(table(("kind of sentence", "should be flagged", "number", "flagged"), rows))
    st.caption(f"{report.rows:,} sentences, flagged from {_share(report.threshold)} on.")


def _draw(worst: pd.DataFrame) -> None:
    points = [
        {"term": term, "harmless flagged": rate}
        for term, rate in zip(worst.term, worst.false_positive_rate, strict=True)
    ]
    said = ", ".join(f"{point['term']} {_share(point['harmless flagged'])}" for point in points)
    wide, _ = st.columns([3, 2])
    with wide:
        charts.bars(
            points,
            "harmless flagged",
            "term",
            alt=f"False-positive rate by identity term: {said}. The table below has all terms.",
        )


def _function(report: FunctionReport) -> None:
    st.write(
        f"Short cases by functionality, judged by {in_markdown(label_name(report.label))} from "
        f"{_share(report.threshold)} on; the weakest come first. Most cases are hateful, so "
        "flagging everything would look good here."
    )
    frame = report.frame().sort_values("accuracy", kind="stable")
    st.html(_table(frame, {
        "functionality": ("functionality", str), "hateful": ("hateful", _yes),
        "rows": ("cases", figure), "accuracy": ("judged right", _share),
    }))  # fmt: skip


def _robustness(name: str, report: RobustnessReport) -> None:
    st.write(
        f"{report.rows:,} rows of {in_markdown(report.source)} again, with about a quarter of the "
        "longer words disguised. Kinds held out are never in the noise that training can add."
    )
    frame = report.frame()
    held_out = frame.held_out.map({True: " (held out)", False: ""})
    frame = frame.assign(kind=frame.kind.str.replace("_", " ") + held_out)
    st.html(_table(frame, {
        "kind": ("disguise", str),
        "worst_label": ("label that loses most", lambda label: label_name(label or "–", name)),
        "roc_auc_lost": ("mean ROC-AUC lost", figure), "rows_flipped": ("rows changed", _share),
        "flags_lost": ("flags gone", _share), "flags_gained": ("flags new", _share),
    }, numbers=4))  # fmt: skip


@st.fragment
def _thresholds(name: str, audit: Audit) -> None:
    measured = audit.operating_points
    own: dict[str, set[float]] = {}
    for label, points in measured.labels.items() if measured else ():
        own.setdefault(label, set()).add(points.threshold)
    for report in audit.identity:
        own.setdefault(report.label, set()).add(report.threshold)
    if audit.function:
        own.setdefault(audit.function.label, set()).add(audit.function.threshold)
    label = st.selectbox(
        "Label",
        list(own),
        format_func=lambda label: label_name(label, name),
        key=f"audit label {name}",
    )
    frame = trade_off(audit, label)
    sets = [f"“{report.source}”" for report in audit.identity if report.label == label]
    st.write(
        "A lower threshold finds more and wrongs more. "
        + ("Flagged: the share of all rows, which is the work it makes. " if measured else "")
        + (
            f"{in_markdown(' and '.join(sets))}: of harmless sentences, the share flagged of the "
            "term that fares worst."
            if sets
            else ""
        )
    )
    titles = {"f1": "F1", "flagged": "rows flagged", "HateCheck": "HateCheck right"}
    marked = [f"{at:.3f}{' (its own)' if at in own[label] else ''}" for at in frame.threshold]
    columns = {of: (titles.get(of, of), _share) for of in frame.columns if of != "threshold"}
    frame = frame.assign(threshold=marked)
    st.html(_table(frame, {"threshold": ("threshold", str), **columns}, numbers=len(columns)))
    if measured and label in measured.labels:
        error = figure(measured.labels[label].calibration_error)
        weighted = ", weighted" if measured.weighted else ""
        st.caption(
            f"On {measured.rows:,} rows of {in_markdown(measured.source)}{weighted}; calibration "
            f"error {error}."
        )


def _transfer(name: str, report: TransferReport) -> None:
    st.write(
        "Their labels follow other rules, so only the ranking is compared: ROC-AUC, and average "
        "precision, for which the share of positives is chance."
    )
    st.html(_table(report.frame(), {
        "source": ("comments", str), "label": ("label", lambda label: label_name(label, name)),
        "rows": ("rows", figure), "positives": ("positives", figure),
        "roc_auc": ("ROC-AUC", figure), "average_precision": ("average precision", figure),
    }, numbers=4))  # fmt: skip


def _table(frame: pd.DataFrame, columns: Columns, numbers: int = 2) -> str:
    """Write these columns of a frame, each by its own function; nothing as None."""
    plain = frame.astype(object).where(frame.notna(), None)
    rows = [
        [write(row[of]) for of, (_, write) in columns.items()] for row in plain.to_dict("records")
    ]
    return table([title for title, _ in columns.values()], rows, numbers)


def _title(name: str, report: IdentityReport) -> str:
    return f"{label_name(report.label, name)} on {report.source}"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f}\u00a0%"


def _yes(value: bool | None) -> str:
    return "–" if value is None else "yes" if value else "no"
