"""What a model is good at and what not, in plain words, from the metrics that come with it.

Nothing is said that was not measured; what every model of comments cannot do comes last.
"""

from collections.abc import Iterator

from comment_toxicity.errors import UserError
from comment_toxicity.languages import NAMES
from finetune.audit.audit import Audit
from finetune.harms import is_about_harm
from finetune.measure.intervals import few_rows
from finetune.measure.report import mean
from ui.catalog import label_name
from ui.models.facts import UNKNOWN, ModelFacts
from ui.models.kinds import in_words
from ui.words import listed

GOOD_RECALL, GOOD_PRECISION = 0.8, 0.6
POOR = 0.5  # of what is found, or of the flags that are right
RARE = 0.05  # of harmless sentences flagged for an identity
WELL, BADLY = 0.9, 0.75  # of the cases of a kind judged right
GOOD_ROC_AUC, POOR_ROC_AUC = 0.85, 0.8  # in a language
LISTED = 3


def good_and_bad(name: str, facts: ModelFacts) -> tuple[list[str], list[str]]:
    """What a model is good at, and what not, a sentence each. Files of others may be damaged."""
    good: list[str] = []
    bad: list[str] = []
    try:
        for well, sentence in [*_labels(name, facts), *_by_language(name, facts), *_audit(facts)]:
            (good if well else bad).append(sentence)
    except (KeyError, TypeError, ValueError, AttributeError, UserError, OSError):
        good, bad = [], ["What it can do is not known: its metrics cannot be read."]
    languages = facts.languages
    if languages != UNKNOWN:
        bad.append(f"Languages other than {languages}: its scores mean nothing there.")
    if is_about_harm(facts.folder.labels):
        bad.append("Irony, and whatever only the conversation around a comment reveals.")
    return good, bad


def out_of_100(share: float) -> str:
    """A share as a number of 100."""
    return f"{round(100 * share)} of 100"


def _labels(name: str, facts: ModelFacts) -> Iterator[tuple[bool, str]]:
    """The labels that are found well, and those that are not, on the test rows."""
    if facts.measured is None:
        yield False, "What it can do is not known: it comes without metrics. Measure it below."
        return
    _, report = facts.measured
    few = few_rows(report)
    if few:
        yield False, f"Nothing that is certain: {facts.test_set} are too few to tell."
    for label, metrics in report["labels"].items():
        recall, precision = metrics.get("recall"), metrics.get("precision")
        if recall is None or precision is None:
            continue
        found = (
            f"{label_name(label, name).capitalize()}: finds {out_of_100(recall)}, and "
            f"{out_of_100(precision)} of its flags are right."
        )
        if recall >= GOOD_RECALL and precision >= GOOD_PRECISION and label not in few:
            yield True, found
        elif recall < POOR or precision < POOR:
            yield False, found


def _by_language(name: str, facts: ModelFacts) -> Iterator[tuple[bool, str]]:
    """The languages that a model ranks best in, and worst, where it was measured in several."""
    report = facts.metrics.get("languages")
    if not report:
        return
    measured = {code: each["roc_auc"] for code, each in report["languages"].items()}
    ranked = sorted(((value, code) for code, value in measured.items() if value), reverse=True)
    best = [each for each in ranked if each[0] >= GOOD_ROC_AUC][:LISTED]
    worst = [each for each in ranked[::-1] if each[0] < POOR_ROC_AUC][:LISTED]
    for well, few in ((True, best), (False, worst)):
        if few:
            ends = dict.fromkeys(f"{end:.2f}" for end, _ in (min(few), max(few)))
            names = listed([NAMES.get(code, code) for _, code in few])
            label = label_name(report["label"], name)
            yield well, f"{label.capitalize()} in {names}: ROC-AUC {' to '.join(ends)}."


def _audit(facts: ModelFacts) -> Iterator[tuple[bool, str]]:
    audit = Audit.load(facts.folder.path)
    if audit is None or facts.folder.decision.weights not in (None, audit.weights):
        return
    worst = [each for report in audit.identity if (each := report.highest_false_positive_rate)]
    rates = [(term.false_positive_rate, term.term) for term in worst if term.false_positive_rate]
    if worst and max(rates, default=(0.0, ""))[0] < 2 * RARE:
        yield (
            True,
            "People who say who they are: of harmless sentences that name a group, at most "
            f"{out_of_100(max(rates, default=(0.0, ''))[0])} are flagged for any group.",
        )
    elif rates:
        rate, term = max(rates)
        yield False, f"Harmless sentences that name “{term}”: it flags {out_of_100(rate)}."
    for cases in filter(None, (audit.function, audit.threats)):
        kinds = sorted(cases.functionalities, key=lambda kind: kind.accuracy)
        weak = [in_words(kind.name) for kind in kinds if kind.accuracy < BADLY][:LISTED]
        strong = [in_words(kind.name) for kind in kinds[::-1] if kind.accuracy >= WELL][:LISTED]
        what = f"{out_of_100(cases.accuracy)} short test cases ({cases.source}) are judged right"
        if strong:
            yield True, f"{what}, best: {'; '.join(strong)}."
        if weak:
            yield False, f"Kinds in {cases.source} that it often gets wrong: {'; '.join(weak)}."
    if audit.everyday:
        seen = mean(share.flagged for share in audit.everyday.longest("insults"))
        if seen is not None and seen < POOR:
            yield False, f"An insult inside a long, polite comment: it sees {out_of_100(seen)}."
    if audit.robustness and audit.robustness.mean_roc_auc_lost is not None:
        lost = audit.robustness.mean_roc_auc_lost
        yield lost < 0.02, f"Disguised words cost {100 * lost:.1f} points of ROC-AUC."
