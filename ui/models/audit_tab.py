"""What `python -m finetune.audit` measured of a model, on the page: its bias and its blind spots.

Read from audit.json beside the weights; docs/measures.md explains each metric. The most important
results come first, in words, then a part for each measure.
"""

import shlex
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import streamlit as st

from comment_toxicity.errors import UserError
from comment_toxicity.fetch.find import available_models
from comment_toxicity.folder import ModelFolder
from comment_toxicity.languages import NAMES, base_of
from comment_toxicity.routing import ENGLISH
from finetune.audit.audit import Audit, headline_table, headlines, trade_off, trade_off_labels
from finetune.audit.everyday import EverydayReport
from finetune.audit.hatecheck import FunctionReport
from finetune.audit.identity import (
    AUC_NOTE,
    IdentityReport,
    TermMetrics,
    kind_table,
    term_table,
)
from finetune.audit.robustness import RobustnessReport
from finetune.audit.transfer import TransferReport
from finetune.measure.report import mean
from finetune.measure.tables import Column, Table, decimals, percentage
from ui import charts
from ui.catalog import label_name
from ui.models.kinds import example, in_words
from ui.models.verdict import out_of_100
from ui.report import show_table
from ui.text import in_markdown

ABUSE = ("insults", "threats")
MOST_SENTENCES = 3
WORST = 12  # terms drawn; the table has them all


def show_audit(name: str, folder: ModelFolder) -> None:
    """Show what was measured of exactly these weights, or the command that measures them."""
    try:
        audit = Audit.load(folder.path)
        if audit is None:
            _offer(name, "Not measured yet.")
        elif folder.decision.weights not in (None, audit.weights):
            _offer(name, "Its audit.json was measured on other weights.")
        else:
            _show(name, folder, audit)
    except (UserError, OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        _offer(name, "Its audit.json has a format that this page cannot show.")


def _offer(name: str, why: str) -> None:
    ours = name in available_models()  # a download into the cache stays as it is
    st.write(
        f"{why} With the full installation, this command measures bias against identities and "
        f"robustness{'' if ours else ', and prints the results'}:"
    )
    save = " --save" if ours else ""
    st.code(f"python -m finetune.audit --model {shlex.quote(name)}{save}", language="bash")


def _show(name: str, folder: ModelFolder, audit: Audit) -> None:
    st.markdown(" ".join(map(in_markdown, islice(_plainly(audit), MOST_SENTENCES))))
    if worst := _worst(audit.identity):
        terms = [term for term in worst.worst_first() if term.false_positive_rate][:WORST]
        st.markdown(
            f"**Harmless sentences flagged**, by the group that they name: {len(terms)} worst"
        )
        _draw(terms)
    with st.expander("Each measure in a sentence"):
        st.markdown("\n".join(f"- {line}" for line in _in_words(name, audit)))
    with st.expander("All results at a glance"):
        show_table(headline_table(headlines(audit, folder.path)).select("result", "where", "value"))
    if audit.identity:
        with st.expander("Identity: does it flag people for naming a group?"):
            _identity(name, audit.identity)
    if audit.function:
        with st.expander("Function: which kinds of hate does it recognise?"):
            st.write("Most cases are hateful, so a model that flags everything looks good here.")
            _function(audit.function)
    if audit.threats:
        with st.expander("Threats: which kinds does it recognise, and what else does it flag?"):
            _function(audit.threats)
    if audit.everyday:
        with st.expander("Everyday language: is it left alone, and abuse seen inside of it?"):
            _everyday(audit.everyday)
    if audit.languages:
        with st.expander("Other languages: are sentences flagged for whom they name?"):
            show_table(audit.languages.language_table())
    if audit.robustness:
        with st.expander("Robustness: do scores hold when words are disguised?"):
            _robustness(name, audit.robustness)
    labels = trade_off_labels(audit)
    if labels:
        with st.expander("Thresholds: what would another one catch, and at whose cost?"):
            _thresholds(name, audit, labels)
    if audit.transfer:
        with st.expander("Transfer: how does it rank comments from other sites?"):
            _transfer(name, audit.transfer)
    others = set(map(base_of, folder.languages)) - {ENGLISH}
    missing = [name for name in audit.missing if others or name != "languages"]
    if missing:
        names = ", ".join(missing).replace("_", " ")
        st.caption(f"Not measured: {names}. docs/measures.md says what each needs.")


def _plainly(audit: Audit) -> Iterator[str]:
    """The most important results in plain sentences, the ones about people first."""
    if audit.identity:
        worst = _worst(audit.identity)
        term = worst.highest_false_positive_rate if worst else None
        yield (
            "Of harmless short sentences that name a group of people, it flags "
            + (
                f"at most {out_of_100(term.false_positive_rate or 0)}: those with “{term.term}”."
                if term
                else "none."
            )
        )
    for cases in filter(None, (audit.function, audit.threats)):
        yield (
            f"Of {cases.rows:,} short test cases ({cases.source}), it judges "
            f"{out_of_100(cases.accuracy)} right: {out_of_100(cases.accuracy_bad or 0)} of the "
            f"{cases.bad} ones, {out_of_100(cases.accuracy_harmless or 0)} of the harmless ones."
        )
    if audit.everyday and (flagged := audit.everyday.flagged(audit.everyday.other_kinds)):
        yield f"Of harmless everyday sentences in rough words, it flags {out_of_100(flagged)}."
    if audit.languages:
        shares = {name: audit.languages.flagged(name) or 0.0 for name in audit.languages.languages}
        most = max(shares, key=shares.__getitem__)
        if shares[most]:
            yield (
                f"In {NAMES.get(most, most)} it flags {out_of_100(shares[most])} of the neutral "
                "sentences about groups of people."
            )
    lost = audit.robustness.mean_roc_auc_lost if audit.robustness else None
    if lost is not None:
        yield f"Disguised words cost it {100 * lost:.1f} points of ROC-AUC."


def _worst(reports: Sequence[IdentityReport]) -> IdentityReport | None:
    """The sentences of which the most are flagged for a term; None where none is flagged."""

    def rate(report: IdentityReport) -> float:
        term = report.highest_false_positive_rate
        return (term.false_positive_rate or 0.0) if term else 0.0

    worst = max(reports, key=rate, default=None)
    return worst if worst and rate(worst) > 0 else None


def _in_words(name: str, audit: Audit) -> Iterable[str]:
    """The most important result of each measure, a sentence each, in Markdown."""
    for report in audit.identity:
        worst, missed = report.highest_false_positive_rate, report.mean_false_negative_rate
        title = f"**{in_markdown(_title(name, report))}**"
        missing = f"{percentage(missed)} of the bad sentences are missed."
        if worst and worst.false_positive_rate:
            yield (
                f"{title}: {percentage(worst.false_positive_rate)} of the harmless sentences that "
                f"name “{in_markdown(worst.term)}” are flagged, the highest rate of any term (mean "
                f"{percentage(report.mean_false_positive_rate)}). {missing}"
            )
        elif worst:
            yield f"{title}: no harmless sentence is flagged. {missing}"
    for cases in filter(None, (audit.function, audit.threats)):
        yield (
            f"**{in_markdown(cases.source)}**: {percentage(cases.accuracy)} of {cases.rows:,} "
            f"cases are judged right: {percentage(cases.accuracy_bad)} of the {cases.bad} ones, "
            f"{percentage(cases.accuracy_harmless)} of the others."
        )
    if audit.everyday:
        daily = audit.everyday
        seen = [mean(share.flagged for share in daily.longest(kind)) for kind in ABUSE]
        yield (
            f"**Everyday language**: {percentage(daily.flagged(['names']))} of the harmless "
            f"sentences with people's names are flagged, {percentage(daily.flagged(['places']))} "
            f"of those with places, {percentage(daily.flagged(daily.other_kinds))} of the others. "
            f"In long comments, {percentage(seen[0])} of plain insults are seen and "
            f"{percentage(seen[1])} of plain threats."
        )
    if audit.robustness:
        lost = audit.robustness
        yield (
            f"**Disguised words** cost {decimals(lost.mean_roc_auc_lost)} of a mean ROC-AUC of "
            f"{decimals(lost.roc_auc)}; disguises that training never uses, "
            f"{decimals(lost.held_out_roc_auc_lost)}."
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
                f"**Calibration** is worst for {in_markdown(label_name(label, name))}: on "
                f"average, its scores are {100 * errors[label]:.1f} points off the share of "
                "comments that carry the label."
            )
    if audit.transfer:
        means = (
            f"{in_markdown(source)} {decimals(audit.transfer.mean_roc_auc(source))}"
            for source in audit.transfer.sources
        )
        yield f"**Comments from other sites**, mean ROC-AUC: {', '.join(means)}."


@st.fragment
def _identity(name: str, reports: Sequence[IdentityReport]) -> None:
    """Show one set of sentences: the terms whose harmless sentences are flagged most first."""
    st.write(
        "Short sentences that name an identity, some harmless, some bad; flagging harmless ones "
        "silences the people they are about. “Hate answered” has reports of hate, answers to it "
        "and negations, which share its words and should not be flagged."
    )
    index = st.selectbox(
        "Sentences and label",
        range(len(reports)),
        format_func=lambda index: _title(name, reports[index]),
        key=f"audit identity {name}",
    )
    report = reports[index]
    rated = [term for term in report.worst_first() if term.false_positive_rate is not None]
    worst = any(term.false_positive_rate for term in rated)
    if not worst:
        st.write(f"No harmless sentence is flagged, whichever of the {len(rated)} terms it names.")
    without = [term for term in report.terms if not term.term]
    show_table(term_table([*report.worst_first(), *without]))
    st.caption(AUC_NOTE)
    if report.kinds:
        show_table(kind_table([report]))
    st.caption(f"{report.rows:,} sentences; the threshold is {percentage(report.threshold)}.")


def _draw(worst: Sequence[TermMetrics]) -> None:
    points = [{"term": term.term, "harmless flagged": term.false_positive_rate} for term in worst]
    rates = ", ".join(f"{term.term} {percentage(term.false_positive_rate)}" for term in worst)
    wide, _ = st.columns([3, 2])
    with wide:
        charts.bars(
            points,
            "harmless flagged",
            "term",
            alt=f"False-positive rate by identity term: {rates}. The table below has all terms.",
        )


def _function(report: FunctionReport) -> None:
    """Show which kinds of cases are judged right."""
    st.write(
        f"Short cases by kind, judged by {in_markdown(label_name(report.label))} at its "
        f"threshold of {percentage(report.threshold)}; the weakest come first. The examples are "
        "not from the test: they show what a kind means."
    )
    cases = report.functionality_table()
    rows = [(in_words(name), example(name), *rest) for name, *rest in cases.rows]
    columns = [Column("kind"), Column("example"), *cases.columns[1:]]
    show_table(Table(columns=columns, rows=rows))


def _everyday(report: EverydayReport) -> None:
    """Show which harmless sentences are flagged, and which abuse is not."""
    st.write("**Harmless sentences flagged**, by kind; the interval is one of 95 %")
    show_table(report.harmless_table())
    st.write("**Inside a long comment**: flagged, by the number of words around the sentence")
    show_table(report.inserted_table())
    st.write("**In other letters and in markup**")
    show_table(report.dressed_table())


def _robustness(name: str, report: RobustnessReport) -> None:
    """Show what each disguise of words costs."""
    st.write(
        f"{report.rows:,} rows of {in_markdown(report.source)} again, with about a quarter of the "
        "longer words disguised. Disguises marked “held out” are never in the noise that training "
        "can add."
    )
    show_table(
        report.kind_table().renamed("label that loses most", lambda label: label_name(label, name))
    )


@st.fragment
def _thresholds(name: str, audit: Audit, labels: Sequence[str]) -> None:
    """Show what other thresholds of a label would catch, and which terms they would hurt."""
    label = st.selectbox(
        "Label",
        labels,
        format_func=lambda label: label_name(label, name),
        key=f"audit label {name}",
    )
    measured = audit.operating_points
    st.write(
        "A lower threshold catches more, with more false alarms. “Flagged” is the share of all "
        "rows, which is the work that it makes. “Worst term” is the share of harmless sentences "
        "flagged for the term that fares worst."
    )
    table = trade_off(audit, label)
    if table:
        show_table(table)
    if measured and label in measured.labels:
        error = decimals(measured.labels[label].calibration_error)
        weighted = ", weighted" if measured.weighted else ""
        st.caption(
            f"On {measured.rows:,} rows of {in_markdown(measured.source)}{weighted}; calibration "
            f"error {error}."
        )


def _transfer(name: str, report: TransferReport) -> None:
    """Show how comments from other sites are ranked."""
    st.write(
        "Their labels follow other rules, so only the ranking is compared: by ROC-AUC, and by "
        "average precision, where the share of positives is chance."
    )
    show_table(report.label_table().renamed("label", lambda label: label_name(label, name)))


def _title(name: str, report: IdentityReport) -> str:
    """A set of sentences, and the label that judges them."""
    return f"{label_name(report.label, name)} on {report.source}"
