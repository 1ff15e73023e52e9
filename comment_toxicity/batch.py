"""Batches of rows → the same batches with scores, in workers of any engine.

    from comment_toxicity.batch import Scorer

    scorer = Scorer("toxic-minilm", text_column="text")
    table = scorer(table)                                # an Arrow table, or a pandas DataFrame

Ray Data, Spark, Dask and multiprocessing send the scorer to their workers; none of them is imported
here. docs/scale.md has a recipe for each.
"""

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from comment_toxicity.classifier import Classifier, SentModel
from comment_toxicity.errors import DataError
from comment_toxicity.fetch.find import EMBEDDED
from comment_toxicity.files.columns import find_column, listed
from comment_toxicity.files.read import (
    BLANK,
    Chunk,
    may_hold_texts,
    parquet_package,
    table_chunk,
)
from comment_toxicity.files.score import score_chunk, with_readers
from comment_toxicity.files.write import Added, scored_table
from comment_toxicity.routing import Models, SentModels
from comment_toxicity.text import is_blank

if TYPE_CHECKING:
    import pandas
    import pyarrow

Batch = TypeVar("Batch", "pyarrow.Table", "pyarrow.RecordBatch", "pandas.DataFrame")

KEPT = 2  # loaded models of a process: engines send a new copy of the scorer with each task
_loaded: dict[str, Classifier | Models] = {}
_loading = threading.Lock()


class Scorer:
    """A callable that adds `LABEL_score`, `flags` and `reason` to a batch of rows.

    model: as load_classifier() takes it, or several with commas; loaded at the first call of each
        process, and only if weights, calibration and thresholds are those of the model here. Of
        several, the columns `language` and `model` say which one scored a row.
    text_column: the column of comments.
    threads: of each worker; 1 where an engine starts a worker per core.
    device: as load_classifier() takes it.
    Raises ModelError when a model cannot be found, SettingsError for models of different labels.
    """

    def __init__(
        self,
        model: str | Path = EMBEDDED,
        text_column: str = "comment_text",
        threads: int | None = 1,
        device: str = "auto",
    ):
        self.text_column = text_column
        self._models = SentModels.of(model, threads, device)
        self.labels = list(self._models.labels)

    def __call__(self, batch: Batch) -> Batch:
        """Score a batch: an Arrow table, a record batch, or a pandas DataFrame, which returns.

        Rows stay in order, and their own columns unchanged; the added ones come last, named as by
        `comment-toxicity score`. A row that cannot be scored has a reason, and nulls for the rest;
        one that was not scored in full has a reason and scores.
        Raises DataError for a column that is missing, or of no texts.
        """
        kind = type(batch).__module__.partition(".")[0]
        if kind == "pandas":
            return self._frame(batch)
        if kind != "pyarrow":
            raise TypeError(
                f"a batch is an Arrow table or a pandas DataFrame, not {type(batch).__name__}"
            )
        import pyarrow

        if isinstance(batch, pyarrow.RecordBatch):
            table = self._table(pyarrow.Table.from_batches([batch])).combine_chunks()
            [batch, *_] = table.to_batches() or [pyarrow.RecordBatch.from_pylist([], table.schema)]
            return batch
        return self._table(batch)

    def schema(self, schema: "pyarrow.Schema") -> "pyarrow.Schema":
        """The schema of the result for batches of this one. No model is loaded."""
        with parquet_package():
            import pyarrow  # noqa: F401
        none = np.empty((0, len(self.labels)), dtype=np.float32)
        chunk = self._chunk(schema.empty_table())
        if len(self._models.models) > 1:
            chunk = with_readers(chunk, [], [])
        return scored_table(chunk, none, [], self.labels).schema

    def _table(self, table: "pyarrow.Table") -> "pyarrow.Table":
        return scored_table(*score_chunk(loaded(self._models), self._chunk(table)), self.labels)

    def _chunk(self, table: "pyarrow.Table") -> Chunk:
        column = self._column(table.column_names)
        if not may_hold_texts(table.schema.field(column).type):
            raise DataError(f"column {column} holds {table.schema.field(column).type}, not text.")
        return table_chunk(table, column)

    def _frame(self, frame: "pandas.DataFrame") -> "pandas.DataFrame":
        import pandas

        names = [name for name in frame.columns if isinstance(name, str)]
        column = frame[self._column(names)]
        cells: list[Any] = column.astype(object).where(column.notna(), None).tolist()
        reasons = [_reason(cell) for cell in cells]
        texts = [None if reason else cell for cell, reason in zip(cells, reasons, strict=True)]
        rows = Chunk(names, [{} for _ in cells], texts, reasons)
        chunk, scores, flags = score_chunk(loaded(self._models), rows)
        added = Added.beside(chunk.columns, self.labels)

        def strings(cells: list[str | None]) -> Any:
            return pandas.array(cells, dtype="string")  # also where a batch has none

        readers = chunk.columns[len(names) :]
        columns: dict[str, Any] = {
            name: strings([row[name] for row in chunk.cells]) for name in readers
        }
        columns |= dict(zip(added.scores, scores.T, strict=True))
        return frame.assign(
            **columns | {added.flags: strings(flags), added.reason: strings(chunk.reasons)}
        )

    def _column(self, names: list[str]) -> str:
        found = find_column(names, [self.text_column])
        if found is None:
            raise DataError(f"no column {self.text_column} (found {listed(names)}).")
        return found


def loaded(model: SentModel | SentModels) -> Classifier | Models:
    """The model, or several, loaded once in this process. Raises ModelError as load() does."""
    key = repr(model)
    with _loading:
        if key not in _loaded:
            while len(_loaded) >= KEPT:
                del _loaded[next(iter(_loaded))]
            _loaded[key] = model.load()
        return _loaded[key]


def _reason(cell: object) -> str | None:
    """Why a cell is not scored; None for a text."""
    if cell is None or isinstance(cell, str):
        return BLANK if is_blank(cell) else None
    return "not a text"
