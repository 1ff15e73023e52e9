"""Labelled tables → clean rows, targets and weights: labels are read here only.

A Layout says which column is what. Clean rows are a DataFrame with the text column first, then (if
the layout names them) id and weight, then one column per label: 1, 0 or NaN for unknown. With a
class column they have that one instead: the class's label, or None.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from comment_toxicity.errors import DataError
from comment_toxicity.text import is_blank

UNKNOWN_CLASS = ("", "-1")
MOST_CLASSES = 100  # a column of more different values holds something else


@dataclass(frozen=True)
class Layout:
    """Which columns of a table are what. None: the table has no such column.

    labels: in the model's order. Each is a column, unless class_column holds one label per row.
    mapping: value of class_column → index in labels; empty takes class_indices(labels).
    weight: how much a row counts.  id: rows that share it belong together.
    """

    text: str
    labels: tuple[str, ...]
    class_column: str | None = None
    mapping: Mapping[str, int] = field(default_factory=dict)
    weight: str | None = None
    id: str | None = None

    @property
    def label_columns(self) -> list[str]:
        """The columns that hold the labels."""
        return list(self.labels) if self.class_column is None else [self.class_column]

    @property
    def columns(self) -> list[str]:
        """Every column that the layout names."""
        optional = [self.id, self.weight]
        return [self.text, *self.label_columns, *(name for name in optional if name is not None)]

    def optional(self, columns: Iterable[str]) -> Self:
        """The same layout, without an id or a weight that is not one of the columns."""
        known = set(columns)
        return replace(
            self,
            weight=self.weight if self.weight in known else None,
            id=self.id if self.id in known else None,
        )


def clean_rows(
    table: pd.DataFrame, layout: Layout, source: str, keep_unlabelled: bool = False
) -> pd.DataFrame:
    """Keep the layout's columns, and the rows that have a text and a label, by their index.

    source: what errors call the table. keep_unlabelled: also keep rows without any known label.
    Raises DataError for a missing column, a value that is not a label or weight, or no row at all.
    """
    need_columns(table, layout.columns, source)
    texts = table[layout.text]
    if texts.map(lambda value: isinstance(value, list | dict | np.ndarray)).any():
        raise DataError(
            f"{source}: column {layout.text} has lists instead of texts; choose another column."
        )
    rows = pd.DataFrame({layout.text: texts.map(lambda text: "" if pd.isna(text) else str(text))})
    if layout.id is not None:
        rows[layout.id] = table[layout.id].map(cell_text)
    if layout.weight is not None:
        rows[layout.weight] = weight_values(table[layout.weight], source)
    if layout.class_column is not None:
        rows[layout.class_column] = _classes(table[layout.class_column], layout, source)
    else:
        for label in layout.labels:
            rows[label] = label_values(table[label], source)
    kept = ~rows[layout.text].map(is_blank)
    if not keep_unlabelled:
        kept &= rows[layout.label_columns].notna().any(axis=1)
    if not kept.any():
        expected = "a text" if keep_unlabelled else "both a comment and a label; check the columns"
        raise DataError(f"{source}: no row has {expected}.")
    return rows[kept]


def label_matrix(rows: pd.DataFrame, layout: Layout) -> NDArray[np.float32]:
    """Targets of clean rows, (rows × labels) float32 in the layout's order: 1, 0 or NaN."""
    if layout.class_column is None:
        return rows[list(layout.labels)].to_numpy(dtype=np.float32)
    # Rows of a split that an earlier version wrote have indices, which class_indices knows too.
    index_of = class_indices(layout.labels)
    indices = rows[layout.class_column].map(cell_text).map(index_of).to_numpy(dtype=float)
    targets = np.full((len(rows), len(layout.labels)), np.nan, dtype=np.float32)
    known = ~np.isnan(indices)
    targets[known] = np.eye(len(layout.labels), dtype=np.float32)[indices[known].astype(int)]
    return targets


def row_weights(rows: pd.DataFrame, layout: Layout) -> NDArray[np.float64]:
    """How much each row counts in metrics: its weight, or 1 where there is no such column."""
    if layout.weight is None or layout.weight not in rows:
        return np.ones(len(rows))
    return rows[layout.weight].to_numpy(dtype=float)


def label_values(column: pd.Series, source: str) -> pd.Series:
    """Turn 0, 1 and -1 or empty for unknown into 0.0, 1.0 and NaN; DataError for others."""
    texts = column.map(cell_text)
    values = _numbers(texts)
    wrong = ~values.isin([0.0, 1.0, -1.0]) & (texts != "")
    if wrong.any():
        row = int(np.flatnonzero(wrong.to_numpy())[0])
        raise DataError(
            f"{source}: column {column.name} has {texts.iloc[row]!r} in row "
            f"{row + 1}; expected 0, 1, or -1 or empty for unknown."
        )
    return values.mask(values == -1)


def weight_values(column: pd.Series, source: str) -> pd.Series:
    """Turn true, false and numbers from 0 up into numbers; DataError for others."""
    values = _numbers(column.map(cell_text))
    if not (np.isfinite(values) & (values >= 0)).all():
        raise DataError(
            f"{source}: weight column {column.name} must hold true, false or a number from 0 up."
        )
    return values


def class_indices(labels: Iterable[str]) -> dict[str, int]:
    """The values that name a class where no mapping does: its label, and its index.

    Not its index if any class is named by a number, such as stars: 1 would be the second.
    """
    indices = {label: index for index, label in enumerate(labels)}
    if any(label.isdigit() for label in indices):
        return indices
    return indices | {str(index): index for index in indices.values()}


def classes_in(column: pd.Series, source: str) -> list[str]:
    """The classes that a column names, sorted, numbers by their value; -1 and empty are none.

    Raises DataError for fewer than two, or for more than MOST_CLASSES.
    """
    classes = set(column.map(class_text)) - set(UNKNOWN_CLASS)
    if not 2 <= len(classes) <= MOST_CLASSES:
        raise DataError(
            f"{source}: column {column.name} has {len(classes)} different values, and labels is "
            f"not set; give labels, or another label_column (2 to {MOST_CLASSES} classes)."
        )
    numeric = all(re.fullmatch(r"-?\d+", name) for name in classes)
    return sorted(classes, key=int) if numeric else sorted(classes)


def need_columns(table: pd.DataFrame, columns: Iterable[str], source: str) -> None:
    """Raise DataError where the table lacks one of the columns."""
    missing = [column for column in columns if column not in table]
    if missing:
        found = ", ".join(map(str, table.columns[:50])) + ", …" * (len(table.columns) > 50)
        raise DataError(
            f"{source}: no column {', '.join(missing)} (found {found}); "
            "set yours in the config or by flags."
        )


def cell_text(value: object) -> str:
    """A cell as a config would write it: 1.0 as 1, True as true, missing as nothing."""
    if value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value)):
        return ""
    if isinstance(value, bool | np.bool_):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def class_text(value: object) -> str:
    """A cell of a class column: as cell_text has it, and a whole number such as 1.0 as 1."""
    return re.sub(r"^(-?\d+)\.0+$", r"\1", cell_text(value))


def _classes(column: pd.Series, layout: Layout, source: str) -> pd.Series:
    """Map the class column's values to labels; -1 and empty become None."""
    mapping = dict(layout.mapping) or class_indices(layout.labels)
    label_of = {value: layout.labels[index] for value, index in mapping.items()}
    values = column.map(class_text)
    labels = values.map(label_of).astype(object)
    wrong = labels.isna() & ~values.isin(UNKNOWN_CLASS)
    if wrong.any():
        raise DataError(
            f"{source}: column {column.name} has {values[wrong].iloc[0]!r}, which is not in "
            f"label_mapping ({', '.join(mapping)})."
        )
    return labels.where(labels.notna(), None)


def _numbers(texts: pd.Series) -> pd.Series:
    """Read numbers, and true and false as 1 and 0; NaN for what is neither."""
    numbers = texts.str.lower().replace({"true": "1", "false": "0"})
    return pd.to_numeric(numbers, errors="coerce").astype(float)
