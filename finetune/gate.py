"""Conditions that a model's figures have to meet before it is published.

    roc_auc_mean >= 0.97                    the mean of the labels
    f1.threat >= 0.4                        one label
    roc_auc_mean >= published - 0.002       not worse than what is published, by more than 0.002

A condition is FIGURE, one of >= > <= <, and a number or `published`, with a number added to it or
taken off or not. figures() says what FIGURE can be.
"""

import operator
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from classifier.errors import SettingsError

from .card import measured

OPERATORS = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}
NUMBER = r"\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?"
CONDITION = re.compile(
    rf"\s*(?P<figure>[^<>=\s][^<>=]*?)\s*(?P<operator>>=|<=|>|<)\s*"
    rf"(?:(?P<number>{NUMBER})|published(?:\s*(?P<sign>[+-])\s*(?P<margin>{NUMBER}))?)\s*"
)
DIGITS = 9  # figures have six; so 0.97 - 0.002 is 0.968, whatever binary fractions make of it


@dataclass(frozen=True)
class Verdict:
    """What came of one condition.

    value: the model's figure; None where its rows could not give it, which fails.
    note: what else one should know, in brackets.
    """

    condition: str
    value: float | None
    passed: bool
    note: str = ""

    def line(self, width: int = 0) -> str:
        """Give the verdict as a line, the condition padded to `width` characters."""
        word = "pass" if self.passed else "FAIL"
        value = "no value" if self.value is None else f"{self.value:g}"
        return f"{word}  {self.condition:{width}}  {value}{self.note and f'  ({self.note})'}"


@dataclass(frozen=True)
class Condition:
    """One condition; bound is a number, or what to add to the published figure."""

    text: str
    figure: str
    operator: str
    bound: float
    published: bool

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a condition. SettingsError says what one looks like."""
        found = CONDITION.fullmatch(text)
        if not found:
            raise SettingsError(
                f"{text!r} is no condition; write FIGURE >= NUMBER (or >, <=, <), such as "
                '"roc_auc_mean >= 0.97" or "f1.threat >= 0.4", or compare with what is published: '
                '"roc_auc_mean >= published - 0.002".'
            )
        number = found["number"] or f"{found['sign'] or ''}{found['margin'] or 0}"
        return cls(
            text=" ".join(text.split()),
            figure=found["figure"],
            operator=found["operator"],
            bound=float(number),
            published=found["number"] is None,
        )

    def judge(
        self, metrics: Mapping[str, Any], published: Mapping[str, Any] | None = None
    ) -> Verdict:
        """Compare the figure in metrics.json's content with the bound.

        published: the same of the model that readers get now; None when there is none, which
        leaves nothing to be worse than; an empty one when it was published without figures.
        Raises SettingsError when the figure is unknown here.
        """
        known = figures(metrics)
        if self.figure not in known:
            names = ", ".join(name for name in known if name.endswith("_mean")) or "none"
            raise SettingsError(
                f"{self.text!r}: metrics.json has no figure {self.figure!r}. Means of the labels: "
                f"{names}; one label's: f1.LABEL and the like; and others as their path in the "
                "file, such as original_at_half.exact_match."
            )
        value = known[self.figure]
        if not self.published:
            return self._verdict(value, self.bound)
        if published is None:
            return Verdict(self.text, value, value is not None, "nothing is published there yet")
        former = figures(published).get(self.figure)
        if former is None:
            return Verdict(self.text, value, False, "what is published has no such figure")
        note = f"published {former:g}"
        if _rows(metrics) != _rows(published):
            note += ", measured on other rows"
        return self._verdict(value, former + self.bound, note)

    def _verdict(self, value: float | None, bound: float, note: str = "") -> Verdict:
        if value is None:
            return Verdict(self.text, value, False, "the test rows cannot give it")
        compare = OPERATORS[self.operator]
        return Verdict(self.text, value, compare(round(value, DIGITS), round(bound, DIGITS)), note)


def judge(
    conditions: Iterable[Condition],
    metrics: Mapping[str, Any],
    published: Mapping[str, Any] | None = None,
) -> list[Verdict]:
    """Judge all conditions; see Condition.judge."""
    return [condition.judge(metrics, published) for condition in conditions]


def gate_table(verdicts: Sequence[Verdict]) -> str:
    """Give a line for each verdict, their values below each other."""
    width = max((len(verdict.condition) for verdict in verdicts), default=0)
    return "\n".join(f"      {verdict.line(width)}" for verdict in verdicts)


def figures(metrics: Mapping[str, Any]) -> dict[str, float | None]:
    """Name every number in metrics.json's content.

    Those of the test rows (of the validation rows where there are none) by themselves:
    roc_auc_mean, f1.threat, accuracy, original_at_half.exact_match; the same and all others with
    the part of the file before them: validation.roc_auc_mean.
    """
    return dict(_numbers(measured(metrics)[1])) | dict(_numbers(metrics))


def _numbers(part: Mapping[str, Any]) -> Iterable[tuple[str, float | None]]:
    for name, value in part.items():
        if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
            yield name, value
        elif name == "means" and isinstance(value, Mapping):
            yield from ((f"{figure}_mean", number) for figure, number in _numbers(value))
        elif name == "labels" and isinstance(value, Mapping):
            for label, content in value.items():
                yield from ((f"{figure}.{label}", number) for figure, number in _numbers(content))
        elif isinstance(value, Mapping):
            yield from ((f"{name}.{inner}", number) for inner, number in _numbers(value))


def _rows(metrics: Mapping[str, Any]) -> tuple[str, Any]:
    """Tell which rows the figures are of, as far as metrics.json knows."""
    side, _ = measured(metrics)
    return side, metrics.get("data", {}).get("sha256")
