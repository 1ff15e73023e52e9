"""A scored file on disk: counts and histograms over all of its rows, and some rows to show.

Texts stay on disk. Scores are memory-mapped, so that many sessions do not fill the memory.
"""

import re
from collections import Counter
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd
import pyarrow.compute
import pyarrow.parquet
from numpy.typing import NDArray

from comment_toxicity.decision import likeliest, reaches
from comment_toxicity.files.score import FLAG_SEPARATOR
from comment_toxicity.files.write import Added
from ui.files.parquet import as_frame

BINS = 10
Found = TypeVar("Found")
LINE = re.compile(r"^line \d+( is| has|:)?\s*")


@dataclass(frozen=True)
class ScoredFile:
    """What score_file wrote as Parquet.

    added: the names of the added columns; that of the reasons need not be there.
    scores: (rows, labels) float32; a row without scores is NaN.
    flagged: (rows, labels), the flags as scored, where thresholds differ from row to row.
    """

    path: Path
    labels: list[str]
    text_column: str
    added: Added
    scores: NDArray[np.float32]
    flagged: NDArray[np.bool_] | None = None

    @classmethod
    def read(
        cls,
        path: Path,
        labels: Sequence[str],
        text_column: str,
        added: Added | None = None,
        by_language: bool = False,
    ) -> "ScoredFile":
        """Open a scored file; its scores are copied once into a file that can be mapped.

        added: None where the file had no columns of these names. by_language: whether thresholds
        depend on the language of a row, so that its flags are needed too.
        """
        added = added or Added.beside((), labels)
        file = pyarrow.parquet.ParquetFile(path)
        rows = file.metadata.num_rows
        scores = np.memmap(path.with_suffix(".scores"), np.float32, "w+", shape=(rows, len(labels)))
        start = 0
        for batch in file.iter_batches(columns=added.scores):
            for index, column in enumerate(added.scores):
                values = batch.column(column).to_numpy(zero_copy_only=False)
                scores[start : start + len(values), index] = values
            start += batch.num_rows
        scores.flush()
        flagged = _flagged(file, added.flags, labels) if by_language else None
        return cls(path, list(labels), text_column, added, scores, flagged)

    def of_each_text(self, find: Callable[[str], Found], after: Callable[[], None]) -> list[Found]:
        """What a function finds in each row's text. after: called after each batch."""
        file, found = pyarrow.parquet.ParquetFile(self.path), list[Found]()
        for batch in file.iter_batches(batch_size=1000, columns=[self.text_column]):
            texts = batch.column(0).cast(pyarrow.string()).to_pylist()
            found += [find(text or "") for text in texts]
            after()
        return found

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self.scores)

    @property
    def scored(self) -> NDArray[np.bool_]:
        """Which rows have scores: (rows,)."""
        return np.asarray(np.isfinite(self.scores).all(axis=1))

    @property
    def columns(self) -> list[str]:
        """All columns: the file's own, then the added ones."""
        return pyarrow.parquet.read_schema(self.path).names

    def flags(
        self, thresholds: Mapping[str, float], moved: Container[str] = ()
    ) -> NDArray[np.bool_]:
        """Which scores reach their thresholds: (rows, labels).

        Without thresholds, as of a single-label model, the most likely label of each row.
        moved: the labels whose threshold holds for all rows, also where those differ by language.
        """
        if not thresholds:
            return likeliest(self.scores)
        flags = reaches(self.scores, [thresholds[label] for label in self.labels])
        if self.flagged is not None:
            kept = [label not in moved for label in self.labels]
            flags[:, kept] = self.flagged[:, kept]
        return flags

    def histogram(self, label: str) -> list[int]:
        """The number of scores of a label in each of 10 bands of equal width."""
        column = self.scores[:, self.labels.index(label)]
        return np.histogram(column[~np.isnan(column)], BINS, (0, 1))[0].tolist()

    def containing(self, text: str) -> NDArray[np.bool_]:
        """Which rows' comments contain a text, ignoring case: (rows,)."""
        file = pyarrow.parquet.ParquetFile(self.path)
        masks = []
        for batch in file.iter_batches(columns=[self.text_column]):
            texts = batch.column(0).cast(pyarrow.string())
            hits = pyarrow.compute.match_substring(texts, text, ignore_case=True)
            masks.append(hits.fill_null(False).to_numpy(zero_copy_only=False))
        return np.concatenate(masks) if masks else np.zeros(0, dtype=bool)

    def take(self, rows: NDArray[np.integer], columns: Sequence[str]) -> pd.DataFrame:
        """Read some rows, in the given order; the index holds their numbers, from 1 on."""
        file = pyarrow.parquet.ParquetFile(self.path)
        wanted = np.sort(rows)
        parts, start = [file.schema_arrow.empty_table().select(columns)], 0
        for group in range(file.num_row_groups):
            end = start + file.metadata.row_group(group).num_rows
            inside = wanted[(wanted >= start) & (wanted < end)] - start
            if len(inside):
                parts.append(file.read_row_group(group, columns=list(columns)).take(inside))
            start = end
        table = as_frame(pyarrow.concat_tables(parts))
        table.index = wanted + 1
        return table.loc[rows + 1]

    def unscored_reasons(self) -> dict[str, int]:
        """How often each reason for a row without scores occurs; frequent first.

        Line numbers are left out of the reasons.
        """
        if self.added.reason not in self.columns:
            return {}
        counts: Counter[str] = Counter()
        file, start = pyarrow.parquet.ParquetFile(self.path), 0
        for batch in file.iter_batches(columns=[self.added.reason]):
            scored = self.scored[start : start + len(batch)]
            reasons = batch.column(0).filter(pyarrow.array(~scored)).drop_null().to_pylist()
            counts.update(LINE.sub("", reason) for reason in reasons)
            start += len(batch)
        return dict(counts.most_common())

    def scored_in_part(self) -> int:
        """How many rows are so long that only their beginnings were scored."""
        reason = self.added.reason
        if reason not in self.columns:
            return 0
        reasons = pyarrow.parquet.read_table(self.path, columns=[reason])[reason]
        return int((reasons.is_valid().to_numpy() & self.scored).sum())


def _flagged(
    file: pyarrow.parquet.ParquetFile, column: str, labels: Sequence[str]
) -> NDArray[np.bool_]:
    flags = np.zeros((file.metadata.num_rows, len(labels)), dtype=bool)
    start = 0
    for batch in file.iter_batches(columns=[column]):
        for row, text in enumerate(batch.column(0).to_pylist(), start):
            if text:
                held = text.split(FLAG_SEPARATOR)
                flags[row] = [label in held for label in labels]
        start += len(batch)
    return flags
