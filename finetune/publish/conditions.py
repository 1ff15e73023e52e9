"""Conditions that a model's metrics have to meet before it is published.

    roc_auc_mean >= 0.97                    the mean of the labels
    f1.threat >= 0.4                        one label
    roc_auc_mean >= published - 0.002       not worse than what is published, by more than 0.002
    audit.function.accuracy >= 0.77         what `python -m finetune.audit --save` measured

A condition is METRIC, one of >= > <= <, and a number or `published`; to the latter a number can be
added, or subtracted from it. metric_values() says what METRIC can be.
"""

import operator
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from comment_toxicity.errors import SettingsError
from finetune.card import measured
from finetune.measure.tables import Column, Table

OPERATORS = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}
NUMBER = r"\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?"
CONDITION = re.compile(
    rf"\s*(?P<metric>[^<>=\s][^<>=]*?)\s*(?P<operator>>=|<=|>|<)\s*"
    rf"(?:(?P<number>{NUMBER})|published(?:\s*(?P<sign>[+-])\s*(?P<margin>{NUMBER}))?)\s*"
)
NOTHING_PUBLISHED = "nothing is published there, as far as this machine may look"
DIGITS = 9  # metrics have six; so 0.97 - 0.002 is 0.968, whatever binary fractions make of it


@dataclass(frozen=True)
class Verdict:
    """The outcome of one condition.

    value: the model's metric; None where its rows could not give it, which fails.
    note: what else to know, shown in brackets.
    """

    condition: str
    value: float | None
    passed: bool
    note: str = ""


@dataclass(frozen=True)
class Condition:
    """One condition; bound is a number, or what to add to the published metric."""

    text: str
    metric: str
    operator: str
    bound: float
    published: bool

    @property
    def of_audit(self) -> bool:
        """Whether the metric is one of audit.json."""
        return self.metric.startswith("audit.")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a condition. Raises SettingsError, which says what one looks like."""
        match = CONDITION.fullmatch(text)
        if not match:
            raise SettingsError(
                f"{text!r} is not a valid condition; write METRIC >= NUMBER (or >, <=, <), such as "
                '"roc_auc_mean >= 0.97" or "f1.threat >= 0.4", or compare with what is published: '
                '"roc_auc_mean >= published - 0.002".'
            )
        number = match["number"] or f"{match['sign'] or ''}{match['margin'] or 0}"
        return cls(
            text=" ".join(text.split()),
            metric=match["metric"],
            operator=match["operator"],
            bound=float(number),
            published=match["number"] is None,
        )

    def judge(
        self, metrics: Mapping[str, Any], published: Mapping[str, Any] | None = None
    ) -> Verdict:
        """Compare the metric with the bound.

        metrics: metrics.json's content, and audit.json's under the key `audit`.
        published: the same for the model that readers get now; empty if that was published without
        metrics, None if there is no such model, so that nothing can be worse than it.
        Raises SettingsError if there is no such metric.
        """
        known = metric_values(metrics)
        if self.metric not in known:
            raise SettingsError(f"{self.text!r}: {self._advice(metrics, known)}")
        value = known[self.metric]
        if not self.published:
            return self._verdict(value, self.bound)
        if published is None:
            return Verdict(self.text, value, value is not None, NOTHING_PUBLISHED)
        before = metric_values(published).get(self.metric)
        if before is None:
            return Verdict(self.text, value, False, "what is published has no such metric")
        note = f"published {before:g}"
        if self._rows(metrics) != self._rows(published):
            note += ", measured on other rows"
        return self._verdict(value, before + self.bound, note)

    def _advice(self, metrics: Mapping[str, Any], known: Iterable[str]) -> str:
        """Return what to write instead of a metric that is unknown."""
        if self.of_audit and "audit" not in metrics:
            return (
                "there is no audit.json of these weights; "
                "`python -m finetune.audit --model MODEL --save` writes it."
            )
        if self.of_audit:
            return (
                f"audit.json has no metric {self.metric!r}; write its path in the file, such as "
                "audit.function.accuracy or audit.robustness.kinds.highest.roc_auc_lost."
            )
        names = ", ".join(name for name in known if name.endswith("_mean")) or "none"
        return (
            f"metrics.json has no metric {self.metric!r}. Means of the labels: {names}; one "
            "label's: f1.LABEL and the like; others by their path in the file, such as "
            "original_at_half.exact_match."
        )

    def _rows(self, metrics: Mapping[str, Any]) -> Any:
        """Return what identifies the rows of the metric, as far as the files know."""
        if self.of_audit:
            return _part(_part(metrics, "audit"), "data")
        return measured(metrics)[0], _part(metrics, "data").get("sha256")

    def _verdict(self, value: float | None, bound: float, note: str = "") -> Verdict:
        if value is None:
            return Verdict(self.text, value, False, "its rows cannot give it")
        compare = OPERATORS[self.operator]
        return Verdict(self.text, value, compare(round(value, DIGITS), round(bound, DIGITS)), note)


def judge(
    conditions: Iterable[Condition],
    metrics: Mapping[str, Any],
    published: Mapping[str, Any] | None = None,
) -> list[Verdict]:
    """Judge all conditions; see Condition.judge."""
    return [condition.judge(metrics, published) for condition in conditions]


def verdict_table(verdicts: Sequence[Verdict]) -> str:
    """One line per verdict, with the value that was compared, as text for the terminal."""
    rows = [
        (
            "pass" if verdict.passed else "FAIL",
            verdict.condition,
            # six digits, not four decimals, which could hide that a value misses its bound
            "no value" if verdict.value is None else f"{verdict.value:g}",
            f"({verdict.note})" if verdict.note else "",
        )
        for verdict in verdicts
    ]
    return Table(columns=[Column("")] * 4, rows=rows).text()


def metric_values(metrics: Mapping[str, Any]) -> dict[str, float | None]:
    """Return every number of metrics.json, and of audit.json under its key `audit`, by its name.

    Metrics of the test rows (of the validation rows if there are no test rows) have short names:
    roc_auc_mean, f1.threat, accuracy, original_at_half.exact_match. These and all others can also
    be named with the part of the file first: validation.roc_auc_mean.
    Metrics of the audit are named by their path: audit.robustness.mean_roc_auc_lost. In its lists,
    an entry is named by its texts (audit.transfer.figures.DynaHate.identity_hate.roc_auc), and
    `highest` and `lowest` stand for the entry that has that value:
    audit.identity.madlibs.toxic.terms.highest.false_positive_rate.
    """
    split, _ = measured(metrics)
    besides_audit = {name: part for name, part in metrics.items() if name != "audit"}
    audit = dict(_paths(_part(metrics, "audit"), "audit"))
    return dict(_numbers(_part(metrics, split))) | dict(_numbers(besides_audit)) | audit


def _numbers(part: Mapping[str, Any]) -> Iterable[tuple[str, float | None]]:
    for name, value in part.items():
        if _is_number(value):
            yield name, value
        elif name == "means" and isinstance(value, Mapping):
            yield from ((f"{metric}_mean", number) for metric, number in _numbers(value))
        elif name == "labels" and isinstance(value, Mapping):
            for label in value:
                content = _numbers(_part(value, label))
                yield from ((f"{metric}.{label}", number) for metric, number in content)
        elif isinstance(value, Mapping):
            yield from ((f"{name}.{inner}", number) for inner, number in _numbers(value))


def _paths(part: Any, path: str) -> Iterable[tuple[str, float | None]]:
    if _is_number(part):
        yield path, part
    elif isinstance(part, Mapping):
        for name, value in part.items():
            yield from _paths(value, f"{path}.{name}")
    elif isinstance(part, list):
        named = [
            entry for entry in part if _entry_name(entry)
        ]  # "" is a term: sentences without any
        for entry in named:
            yield from _paths(entry, f"{path}.{_entry_name(entry)}")
        for name in dict.fromkeys(name for entry in named for name in entry):
            values = [entry.get(name) for entry in named]
            known = [value for value in values if value is not None and _is_number(value)]
            if known:
                yield f"{path}.highest.{name}", max(known)
                yield f"{path}.lowest.{name}", min(known)


def _entry_name(entry: Any) -> str:
    """Return the name of a list entry: its text values, such as source and label, or term."""
    values = entry.values() if isinstance(entry, Mapping) else ()
    return ".".join(value for value in values if isinstance(value, str) and value)


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _part(whole: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return that part; an empty one if it is missing or has another format than ours."""
    part = whole.get(name)
    return part if isinstance(part, Mapping) else {}
