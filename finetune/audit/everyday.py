"""Whether everyday language is left alone, and abuse is seen inside of it.

Three parts, on the rows of everyday_rows.py: harmless sentences by kind; insults and threats alone
and inside long comments; insults and harmless sentences in other letters and in markup. The metric
is the share flagged, with Wilson's interval of 95 %.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from finetune.audit.everyday_rows import ALONE, LENGTHS, NOTHING, PLACES
from finetune.measure.report import frame_of, mean, plain
from finetune.measure.tables import MISSING, Column, Table, count, decimals, percentage

FILLED = ("names", "ordinary names", "places", "ordinary places")
SHOWN = 110  # characters of an example


@dataclass(frozen=True)
class Share:
    """The share of some rows that is flagged by one label, and the interval that it is known to.

    part, kind, place, around: which rows, see everyday_rows.py.  label: that judges them.
    low, high: Wilson's interval of 95 %, as if rows that share a sentence were independent.
    any_label: the share flagged by any label; None where a comment has exactly one.
    """

    part: str
    kind: str
    place: str
    around: int
    label: str
    rows: int
    flagged: float
    low: float
    high: float
    any_label: float | None

    def __str__(self) -> str:
        return f"{percentage(self.flagged)} {self.interval}"

    @property
    def interval(self) -> str:
        """The interval in per cent, in brackets."""
        return f"({100 * self.low:.1f}–{100 * self.high:.1f})"


@dataclass(frozen=True)
class Example:
    """A sentence that is judged wrongly: mean score and share flagged of the rows with it."""

    part: str
    kind: str
    sentence: str
    score: float
    flagged: float


@dataclass(frozen=True)
class EverydayReport:
    """thresholds: label → its threshold.  examples: the worst of each kind; not saved."""

    source: str
    thresholds: dict[str, float]
    shares: list[Share]
    examples: list[Example] = field(default_factory=list, compare=False)

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        """Read what to_dict() returned."""
        return cls(**{**record, "shares": [Share(**share) for share in record["shares"]]})

    def to_dict(self) -> dict[str, Any]:
        """Plain values, rounded to six decimals, without the examples."""
        record = plain(self)
        del record["examples"]
        return record

    def frame(self) -> pd.DataFrame:
        """A row for each share."""
        return frame_of(self.shares, Share)

    def table(self) -> str:
        """The report as text for the terminal."""
        limits = ", ".join(
            f"{label} at {decimals(value)}" for label, value in self.thresholds.items()
        )
        rows = sum(share.rows for share in self.shares)
        tables = [self.harmless_table(), self.inserted_table(), self.dressed_table()]
        if self.examples:
            tables.append(self.example_table())
        text = [f"{self.source}: {rows:,} texts, {limits}", *(table.text() for table in tables)]
        return "\n\n".join(text)

    def harmless_table(self) -> Table:
        """One row per kind of harmless sentence, in the order of the file."""
        columns = [Column("harmless"), Column("sentences", count), Column("flagged", percentage)]
        columns += [Column("95 % interval", str), Column("any label", percentage)]
        rows = [
            (
                share.kind.replace("_", " "),
                share.rows,
                share.flagged,
                share.interval,
                share.any_label,
            )
            for share in self.of("harmless")
        ]
        return Table(columns=columns, rows=rows)

    def inserted_table(self) -> Table:
        """One row per kind of sentence and its place in a comment; a column per length."""
        columns = [Column("inserted"), Column("label"), Column("place"), Column("alone", str)]
        columns += [Column(f"{length} words", str) for length in LENGTHS]
        found = {(share.kind, share.place, share.around): share for share in self.of("inserted")}
        rows = []
        for kind in dict.fromkeys(share.kind for share in self.of("inserted")):
            alone = found.get((kind, ALONE, 0))
            for place in (ALONE,) if kind == NOTHING else PLACES:
                cells = [found.get((kind, place, length)) for length in LENGTHS]
                label = next((cell.label for cell in cells if cell), "")
                shown = [str(cell) if cell else MISSING for cell in cells]
                first = (str(alone) if alone else MISSING) if place in (ALONE, PLACES[0]) else ""
                rows.append([kind, label, MISSING if kind == NOTHING else place, first, *shown])
        return Table(columns=columns, rows=rows)

    def dressed_table(self) -> Table:
        """One row per dress; insults in it flagged, harmless sentences in it flagged."""
        found = {(share.kind, share.place): share for share in self.of("dressed")}
        columns = [Column("dress"), Column("sentences", count)]
        columns += [Column("insults flagged", str), Column("harmless flagged", str)]
        insults = {dress: share for (kind, dress), share in found.items() if kind == "insults"}
        rows = [
            (dress, share.rows, str(share), str(found["harmless", dress]))
            for dress, share in insults.items()
        ]
        return Table(columns=columns, rows=rows)

    def example_table(self) -> Table:
        """The sentences of each kind that are judged worst."""
        columns = [Column("judged worst"), Column("kind"), Column("mean score", decimals)]
        columns += [Column("flagged", percentage), Column("sentence")]
        rows = [
            (each.part, each.kind, each.score, each.flagged, each.sentence[:SHOWN])
            for each in self.examples
        ]
        return Table(columns=columns, rows=rows)

    def longest(self, kind: str) -> list[Share]:
        """Return the shares of a kind inside the longest comments, one for each place."""
        return [share for share in self.of("inserted", kind) if share.around == LENGTHS[-1]]

    def flagged(self, kinds: Sequence[str]) -> float | None:
        """Return the mean share flagged of some harmless kinds."""
        return mean(share.flagged for share in self.of("harmless") if share.kind in kinds)

    @property
    def other_kinds(self) -> list[str]:
        """The harmless kinds that are neither names nor places."""
        return [share.kind for share in self.of("harmless") if share.kind not in FILLED]

    def of(self, part: str, kind: str | None = None, place: str | None = None) -> list[Share]:
        """Return the shares of a part, and of one kind and place in it."""
        return [
            share
            for share in self.shares
            if share.part == part and kind in (None, share.kind) and place in (None, share.place)
        ]


def measure_everyday(
    source: str,
    rows: pd.DataFrame,
    scores: Mapping[str, NDArray[np.floating]],
    flags: Mapping[str, NDArray[np.bool_]],
    any_label: NDArray[np.bool_] | None,
    thresholds: Mapping[str, float],
    toxic: str,
    threat: str | None = None,
    examples: int = 0,
) -> EverydayReport:
    """Count what is flagged in each group of rows.

    rows: of load_everyday().  scores, flags: label → (rows,), of `toxic` and `threat`.
    any_label: (rows,), whether any label is flagged.
    toxic: the label that judges all rows but threats.  threat: that judges these; without one,
    threats are left out.  examples: how many sentences of each kind to keep.
    """
    shares = []
    for part, kind, place, around, positions in _groups(rows):
        label = threat if kind == "threats" else toxic
        if label is None:
            continue
        low, high = interval(int(flags[label][positions].sum()), len(positions))
        share = Share(
            part=part,
            kind=kind,
            place=place,
            around=around,
            label=label,
            rows=len(positions),
            flagged=float(flags[label][positions].mean()),
            low=low,
            high=high,
            any_label=None if any_label is None else float(any_label[positions].mean()),
        )
        shares.append(share)
    worst: list[Example] = []
    for (part, kind), found in rows.reset_index(drop=True).groupby(["part", "kind"], sort=False):
        label = threat if kind == "threats" else toxic
        if label is not None and examples:
            at = found.index
            judged = found.assign(score=scores[label][at], flagged=flags[label][at])
            worst += _worst(str(part), str(kind), judged, examples)
    return EverydayReport(source, dict(thresholds), shares, worst)


def interval(hits: int, rows: int) -> tuple[float, float]:
    """Return Wilson's interval of 95 % for a share of hits / rows."""
    from scipy.stats import binomtest

    found = binomtest(hits, rows).proportion_ci(method="wilson")
    return float(found.low), float(found.high)


def _groups(rows: pd.DataFrame) -> Iterator[tuple[str, str, str, int, NDArray[np.int64]]]:
    keys = ["part", "kind", "place", "around"]
    positions = rows.reset_index(drop=True).groupby(keys, sort=False).indices
    for part, kind, place, around in dict.fromkeys(rows[keys].itertuples(index=False, name=None)):
        yield part, kind, place, int(around), positions[part, kind, place, around]


def _worst(part: str, kind: str, rows: pd.DataFrame, number: int) -> list[Example]:
    """Return the sentences of a kind that are judged wrongly in most rows.

    Of equal ones, those with the worst scores.
    """
    abuse = kind in ("insults", "threats")
    means = rows.groupby("sentence", sort=False)[["flagged", "score"]].mean()
    wrong = means[means.flagged < 1] if abuse else means[means.flagged > 0]
    worst = wrong.sort_values(["flagged", "score"], ascending=abuse).head(number)
    return [
        Example(part, kind, str(sentence), float(score), float(flagged))
        for sentence, flagged, score in worst.itertuples(name=None)
    ]
