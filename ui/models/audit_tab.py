"""What `python -m finetune.audit` found of a model, on the page: whom it wrongs, what it misses.

Read from audit.json beside the weights; docs/measures.md says what each figure is. First what
matters most, in words; ui/models/audit_parts.py has the figures of each measure.
"""

import shlex
from collections.abc import Iterable

import streamlit as st

from comment_toxicity.errors import UserError
from comment_toxicity.fetch.find import available_models
from comment_toxicity.folder import ModelFolder
from finetune.audit.audit import Audit
from finetune.audit.glance import at_a_glance
from ui.catalog import label_name
from ui.models.audit_parts import (
    frame_table,
    share,
    show_function,
    show_identity,
    show_robustness,
    show_thresholds,
    show_transfer,
    title,
)
from ui.report import figure
from ui.text import in_markdown


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
    except (UserError, OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
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
        st.html(frame_table(glance, {"figure": ("figure", str), "where": ("where", str),
                                "value": ("value", figure)}, numbers=1))  # fmt: skip
    if audit.identity:
        st.subheader("Are people judged by what they are?", anchor=False)
        show_identity(name, audit.identity)
    if audit.function:
        with st.expander("Function: which kinds of hate does it understand?"):
            st.write("Most cases are hateful, so flagging everything would look good here.")
            show_function(audit.function)
    if audit.threats:
        with st.expander("Threats: which kinds does it recognise, and what does it take for one?"):
            show_function(audit.threats)
    if audit.robustness:
        with st.expander("Robustness: do scores hold when words are disguised?"):
            show_robustness(name, audit.robustness)
    if audit.identity or audit.function or audit.operating_points:
        with st.expander("Thresholds: what would another one buy, and who pays?"):
            show_thresholds(name, audit)
    if audit.transfer:
        with st.expander("Transfer: how does it rank the comments of other places?"):
            show_transfer(name, audit.transfer)
    parts = ("identity", "function", "threats", "robustness", "operating_points", "transfer")
    missing = [part.replace("_", " ") for part in parts if not getattr(audit, part)]
    if missing:
        st.caption(f"Not measured: {', '.join(missing)}. docs/measures.md says what each reads.")


def _in_words(name: str, audit: Audit) -> Iterable[str]:
    """Say what matters most of each measure, in Markdown."""
    for report in audit.identity:
        worst, missed = report.highest_false_positive_rate, report.mean_false_negative_rate
        start = f"**{in_markdown(title(name, report))}**: of harmless sentences"
        if worst and worst.false_positive_rate:
            yield (
                f"{start} that name “{in_markdown(worst.term)}”, "
                f"{share(worst.false_positive_rate)} are flagged, the most of any term (mean "
                f"{share(report.mean_false_positive_rate)}); of bad ones, {share(missed)} are "
                "missed."
            )
        elif worst:
            yield f"{start}, none is flagged; of bad ones, {share(missed)} are missed."
    for found in filter(None, (audit.function, audit.threats)):
        yield (
            f"**{in_markdown(found.source)}**: {share(found.accuracy)} of {found.rows:,} cases "
            f"are judged right: {share(found.accuracy_bad)} of the {found.bad} ones, "
            f"{share(found.accuracy_harmless)} of the others."
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
