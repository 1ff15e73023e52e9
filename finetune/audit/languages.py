"""The share of neutral sentences in other languages flagged for the people that they name.

Neutral sentences of data/identity_languages.toml, flagged by any label at the thresholds of their
language. A group has six sentences a language, so its share alone says little; that of all groups
against the background, people whose name says nothing, does.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from comment_toxicity.languages import NAMES
from finetune.audit.sentence_file import sentence_file
from finetune.checkout import ROOT
from finetune.measure.intervals import wilson
from finetune.measure.report import frame_of, plain, ratio
from finetune.measure.tables import METRICS, Column, Table, interval, percentage

FILE = ROOT / "data" / "identity_languages.toml"
BACKGROUND = ""
WORST = 3  # groups named in a row of the table


@dataclass(frozen=True)
class GroupShare:
    """The sentences of a language about one group, and the share flagged. "": the background."""

    language: str
    group: str
    rows: int
    flagged: float


@dataclass(frozen=True)
class LanguageIdentityReport:
    """The share of neutral sentences flagged, by language and group."""

    source: str
    shares: list[GroupShare]

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        """Read what to_dict() returned."""
        return cls(record["source"], [GroupShare(**share) for share in record["shares"]])

    def to_dict(self) -> dict[str, Any]:
        """Plain values, rounded to six decimals."""
        return plain(self)

    @property
    def languages(self) -> list[str]:
        """The languages measured, as codes."""
        return list(dict.fromkeys(share.language for share in self.shares))

    def groups(self, language: str) -> list[GroupShare]:
        """The groups of a language without its background, the most flagged first."""
        named = [each for each in self.shares if each.language == language and each.group]
        return sorted(named, key=lambda share: -share.flagged)

    def flagged(self, language: str) -> float | None:
        """The share of all sentences about a group that is flagged."""
        return _mean(self.groups(language))

    def background(self, language: str) -> float | None:
        """The share of the background flagged."""
        return _mean([s for s in self.shares if s.language == language and not s.group])

    def frame(self) -> pd.DataFrame:
        """A row for each language and group."""
        return frame_of(self.shares, GroupShare)

    def table(self) -> str:
        """The report as text for the terminal."""
        return self.language_table().text()

    def language_table(self) -> Table:
        """One row per language."""
        rows = []
        for language in self.languages:
            groups, share = self.groups(language), self.flagged(language)
            sentences = sum(each.rows for each in groups)
            worst = [each for each in groups[:WORST] if each.flagged]
            rows.append(
                (
                    NAMES.get(language, language),
                    sentences,
                    share,
                    None if share is None else wilson(share, sentences),
                    self.background(language),
                    ", ".join(f"{each.group} {percentage(each.flagged)}" for each in worst) or None,
                )
            )
        columns = [
            Column("language"),
            Column("sentences", METRICS["rows"].write),
            METRICS["flagged"],
            Column("95 % interval", interval),
            Column("background flagged", percentage),
            Column("most flagged"),
        ]
        return Table(columns=columns, rows=rows)


def load_sentences(path: Path = FILE) -> pd.DataFrame:
    """Put every group into every sentence of its language: text, language, group.

    Raises DataError if the file is missing or malformed.
    """
    with sentence_file(path, "sentences by language") as content:
        rows = [
            (_sentence(template, many), language, group)
            for language, part in content.items()
            for group, many in (
                *part["people"].items(),
                *((BACKGROUND, many) for many in part["background"]),
            )
            for template in part["templates"]
        ]
    return pd.DataFrame(rows, columns=["text", "language", "group"])


def measure_identity(source: str, rows: pd.DataFrame, flagged: ArrayLike) -> LanguageIdentityReport:
    """Measure rows as load_sentences() returns them. flagged: (rows,) bool."""
    marks = pd.Series(np.asarray(flagged, dtype=bool), index=rows.index)
    shares = [
        GroupShare(str(language), str(group), len(part), float(part.mean()))
        for (language, group), part in marks.groupby([rows.language, rows.group], sort=True)
    ]
    return LanguageIdentityReport(source, shares)


def _sentence(template: str, many: str) -> str:
    text = template.format(many=many)
    return text[:1].upper() + text[1:]


def _mean(shares: list[GroupShare]) -> float | None:
    rows = sum(share.rows for share in shares)
    return ratio(sum(share.flagged * share.rows for share in shares), rows)
