"""The figures of each measure of an audit, on the page."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from finetune.audit.audit import Audit
from finetune.audit.hatecheck import FunctionReport
from finetune.audit.identity import IdentityReport
from finetune.audit.robustness import RobustnessReport
from finetune.audit.trade_off import trade_off
from finetune.audit.transfer import TransferReport
from ui import charts
from ui.catalog import label_name
from ui.comment import table
from ui.report import figure
from ui.text import in_markdown

WORST = 12  # terms drawn; the table has them all
NOT_NAMED = "none named"
Columns = Mapping[str, tuple[str, Callable[[Any], str]]]


@st.fragment
def show_identity(name: str, reports: Sequence[IdentityReport]) -> None:
    """Show whom the model wrongs: the terms of one set of sentences, the worst first."""
    st.write(
        "Short sentences that name an identity, harmless and bad ones alike; flagging harmless "
        "ones silences the people they are about. “Hate answered” has reports of hate, answers to "
        "it and negations, which share its words and should not be flagged."
    )
    place = st.selectbox(
        "Sentences and label",
        range(len(reports)),
        format_func=lambda place: title(name, reports[place]),
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
        st.html(frame_table(frame.replace({"term": {"": NOT_NAMED}}), {
            "term": ("term", str),
            "negatives": ("harmless", figure), "positives": ("bad", figure),
            "false_positive_rate": ("harmless flagged", share),
            "false_negative_rate": ("bad missed", share),
            "subgroup_auc": ("subgroup AUC", figure), "bpsn_auc": ("BPSN AUC", figure),
            "bnsp_auc": ("BNSP AUC", figure),
        }, numbers=7))  # fmt: skip
        st.caption(
            "Subgroup AUC: how well a term's own sentences are told apart. BPSN AUC is low where "
            "the term raises scores by itself, BNSP AUC where it lowers them."
        )
    if report.kinds:
        rows = [
            (kind.kind, "yes" if kind.bad else "no", f"{kind.rows:,}", share(kind.flagged))
            for kind in report.kinds
        ]
        st.html(table(("kind of sentence", "should be flagged", "number", "flagged"), rows))
    st.caption(f"{report.rows:,} sentences, flagged from {share(report.threshold)} on.")


def _draw(worst: pd.DataFrame) -> None:
    points = [
        {"term": term, "harmless flagged": rate}
        for term, rate in zip(worst.term, worst.false_positive_rate, strict=True)
    ]
    said = ", ".join(f"{point['term']} {share(point['harmless flagged'])}" for point in points)
    wide, _ = st.columns([3, 2])
    with wide:
        charts.bars(
            points,
            "harmless flagged",
            "term",
            alt=f"False-positive rate by identity term: {said}. The table below has all terms.",
        )


def show_function(report: FunctionReport) -> None:
    """Show which kinds of cases are judged right, the weakest first."""
    st.write(
        f"Short cases by functionality, judged by {in_markdown(label_name(report.label))} from "
        f"{share(report.threshold)} on; the weakest come first."
    )
    frame = report.frame().sort_values("accuracy", kind="stable")
    st.html(frame_table(frame, {
        "functionality": ("functionality", str), report.bad: (report.bad, _yes),
        "rows": ("cases", figure), "accuracy": ("judged right", share),
    }))  # fmt: skip


def show_robustness(name: str, report: RobustnessReport) -> None:
    """Show what each disguise of words costs."""
    st.write(
        f"{report.rows:,} rows of {in_markdown(report.source)} again, with about a quarter of the "
        "longer words disguised. Kinds held out are never in the noise that training can add."
    )
    frame = report.frame()
    held_out = frame.held_out.map({True: " (held out)", False: ""})
    frame = frame.assign(kind=frame.kind.str.replace("_", " ") + held_out)
    st.html(frame_table(frame, {
        "kind": ("disguise", str),
        "worst_label": ("label that loses most", lambda label: label_name(label or "–", name)),
        "roc_auc_lost": ("mean ROC-AUC lost", figure), "rows_flipped": ("rows changed", share),
        "flags_lost": ("flags gone", share), "flags_gained": ("flags new", share),
    }, numbers=4))  # fmt: skip


@st.fragment
def show_thresholds(name: str, audit: Audit) -> None:
    """Show what other thresholds of a label would find, and whom they would wrong."""
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
    columns = {of: (titles.get(of, of), share) for of in frame.columns if of != "threshold"}
    frame = frame.assign(threshold=marked)
    st.html(frame_table(frame, {"threshold": ("threshold", str), **columns}, numbers=len(columns)))
    if measured and label in measured.labels:
        error = figure(measured.labels[label].calibration_error)
        weighted = ", weighted" if measured.weighted else ""
        st.caption(
            f"On {measured.rows:,} rows of {in_markdown(measured.source)}{weighted}; calibration "
            f"error {error}."
        )


def show_transfer(name: str, report: TransferReport) -> None:
    """Show how comments of other places are ranked."""
    st.write(
        "Their labels follow other rules, so only the ranking is compared: ROC-AUC, and average "
        "precision, for which the share of positives is chance."
    )
    st.html(frame_table(report.frame(), {
        "source": ("comments", str), "label": ("label", lambda label: label_name(label, name)),
        "rows": ("rows", figure), "positives": ("positives", figure),
        "roc_auc": ("ROC-AUC", figure), "average_precision": ("average precision", figure),
    }, numbers=4))  # fmt: skip


def frame_table(frame: pd.DataFrame, columns: Columns, numbers: int = 2) -> str:
    """Write these columns of a frame, each by its own function; nothing as None."""
    plain = frame.astype(object).where(frame.notna(), None)
    rows = [
        [write(row[of]) for of, (_, write) in columns.items()] for row in plain.to_dict("records")
    ]
    return table([title for title, _ in columns.values()], rows, numbers)


def title(name: str, report: IdentityReport) -> str:
    """Name a set of sentences and the label that judges them."""
    return f"{label_name(report.label, name)} on {report.source}"


def share(value: float | None) -> str:
    """Write a share in per cent; a dash where there is none."""
    return "–" if value is None else f"{100 * value:.1f}\u00a0%"


def _yes(value: bool | None) -> str:
    return "–" if value is None else "yes" if value else "no"
