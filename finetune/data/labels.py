"""Labelled tables → clean rows, targets and weights: labels are read here only.

A Layout says which column is what. Clean rows are a DataFrame with the text column first, then (if
the layout names them) id and weight, then one column per label: 1, 0 or NaN for unknown, or, for
training, the share of annotators who gave the label. With a class column they have that one
instead: the class's label, or None.
"""

import ast
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from comment_toxicity.errors import DataError
from comment_toxicity.text import is_blank

UNKNOWN_CLASS = ("", "-1")
MOST_CLASSES = 100  # a column of more different values holds something else
HALF = 0.5
"""A share of annotators from here up counts as the label, wherever it has to be yes or no."""
MULTIPLE = list | tuple | set | frozenset | np.ndarray
LONGEST_LIST = 10_000  # characters of a list that is written in one cell
WHOLE = r"-?\d+(?:\.0+)?"
Shares = TypeVar("Shares", pd.Series, pd.DataFrame, NDArray[np.float32])


@dataclass(frozen=True)
class Layout:
    """Which columns of a table are what. None: the table has no such column.

    labels: in the model's order. Each is a column, unless class_column holds one label per row, or
    list_column any number of them.
    mapping: value of class_column, or in list_column → index in labels; empty takes
    class_indices(labels).
    weight: how much a row counts.  id: rows that share it belong together.
    language: of each row; the only column that a table need not have.
    """

    text: str
    labels: tuple[str, ...]
    class_column: str | None = None
    mapping: Mapping[str, int] = field(default_factory=dict)
    weight: str | None = None
    id: str | None = None
    list_column: str | None = None
    language: str | None = None

    @property
    def label_columns(self) -> list[str]:
        """The columns of clean rows that hold the labels."""
        return list(self.labels) if self.class_column is None else [self.class_column]

    @property
    def columns(self) -> list[str]:
        """Every column of the table that the layout names."""
        labels = self.label_columns if self.list_column is None else [self.list_column]
        optional = [self.id, self.weight]
        return [self.text, *labels, *(name for name in optional if name is not None)]

    @property
    def wanted(self) -> list[str]:
        """What columns has, and the language's, which may be missing."""
        return [*self.columns, *([self.language] if self.language else [])]

    @property
    def index_of(self) -> dict[str, int]:
        """Value of a class or list column, as class_text has it → index in labels."""
        if not self.mapping:
            return class_indices(self.labels)
        return {class_text(value): index for value, index in self.mapping.items()}

    def optional(self, columns: Iterable[str]) -> Self:
        """The same layout, without an id or a weight that is not one of the columns."""
        known = set(columns)
        return replace(
            self,
            weight=self.weight if self.weight in known else None,
            id=self.id if self.id in known else None,
        )

    def of_table(self, table: pd.DataFrame) -> Self:
        """The same layout, without a list column where the table has a column per label instead.

        The rows of a split have those.
        """
        if self.list_column in table or not all(label in table for label in self.labels):
            return self
        return replace(self, list_column=None)


@dataclass
class Notes:
    """What clean_rows left out of a table, and what it read in a way that has to be said.

    left_out: reason → rows.  shares: label columns with values between 0 and 1.
    no_labels: rows whose list of labels is an empty cell.
    """

    rows: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    shares: list[str] = field(default_factory=list)
    no_labels: int = 0

    def leave_out(self, count: int, reason: str) -> None:
        """Count rows that are left out. reason: follows “rows”, such as “with a blank text”."""
        if count:
            self.left_out[reason] += count

    def lines(self, source: str, soft: bool = False) -> list[str]:
        """One sentence for each fact. soft: shares are kept for training."""
        found = []
        if self.left_out:
            counts = ", ".join(f"{count:,} {reason}" for reason, count in self.left_out.items())
            total = sum(self.left_out.values())
            found.append(f"{source}: {total:,} of {self.rows:,} rows left out: {counts}")
        if self.shares:
            use = "trained as they are; elsewhere " * soft
            found.append(
                f"{source}: shares between 0 and 1 for {', '.join(self.shares)}: {use}"
                f"{HALF} or more is the label"
            )
        if self.no_labels:
            found.append(f"{source}: {self.no_labels:,} rows with an empty list have no label")
        return found


def clean_rows(
    table: pd.DataFrame,
    layout: Layout,
    source: str,
    keep_unlabelled: bool = False,
    soft: bool = False,
    notes: Notes | None = None,
) -> pd.DataFrame:
    """Keep the layout's columns, and the rows that have a text and a label, by their index.

    source: what errors call the table. keep_unlabelled: also keep rows without any known label.
    soft: keep shares of annotators; else 0.5 and more is 1, less is 0. notes: is added to.
    Raises DataError for a missing column, a value that is not a label or weight, or no row at all.
    """
    notes = Notes() if notes is None else notes
    layout = layout.of_table(table)
    need_columns(table, layout.columns, source)
    named = (layout.text, layout.weight, layout.id, layout.language)
    others = [name for name in named if name is not None]
    both = set(others) & set(layout.label_columns)
    if both:
        raise DataError(
            f"{source}: {', '.join(sorted(both))} is a label and the name of another column; "
            "rename one of them."
        )
    table = table[[name for name in dict.fromkeys(layout.wanted) if name in table]]
    categories = table.select_dtypes("category").columns
    table = table.astype(dict.fromkeys(categories, object))
    texts = table[layout.text]
    if texts.map(lambda value: isinstance(value, dict | MULTIPLE)).any():
        raise DataError(
            f"{source}: column {layout.text} has lists instead of texts; choose another column."
        )
    rows = pd.DataFrame({layout.text: texts.map(lambda text: "" if pd.isna(text) else str(text))})
    if layout.id is not None:
        rows[layout.id] = table[layout.id].map(cell_text)
    if layout.weight is not None:
        rows[layout.weight] = weight_values(table[layout.weight], source)
    if layout.language is not None and layout.language in table:
        rows[layout.language] = table[layout.language].map(cell_text)
    if layout.class_column is not None:
        rows[layout.class_column] = _classes(table[layout.class_column], layout, source)
    elif layout.list_column is not None:
        rows = rows.join(_listed_labels(table[layout.list_column], layout, source, notes))
    else:
        for label in layout.labels:
            shares = label_shares(table[label], source)
            if (at_half(shares) != shares)[shares.notna()].any():
                notes.shares.append(label)
            rows[label] = shares if soft else at_half(shares)
    blank = rows[layout.text].map(is_blank)
    kept = ~blank
    if not keep_unlabelled:
        kept &= rows[layout.label_columns].notna().any(axis=1)
    if not kept.any():
        expected = "a text" if keep_unlabelled else "both a comment and a label; check the columns"
        raise DataError(f"{source}: no row has {expected}.")
    notes.rows += len(rows)
    notes.leave_out(int(blank.sum()), "with a blank text")
    what = "label" if layout.class_column is None else "class"
    notes.leave_out(int((~kept & ~blank).sum()), f"without a known {what}")
    return rows[kept]


def label_matrix(rows: pd.DataFrame, layout: Layout) -> NDArray[np.float32]:
    """Targets of clean rows, (rows × labels) float32 in the layout's order: 1, 0 or NaN."""
    if layout.class_column is None:
        return rows[list(layout.labels)].to_numpy(dtype=np.float32)
    # Rows of a split that an earlier version wrote have indices, which class_indices knows too.
    index_of = class_indices(layout.labels)
    indices = rows[layout.class_column].map(class_text).map(index_of).to_numpy(dtype=float)
    targets = np.full((len(rows), len(layout.labels)), np.nan, dtype=np.float32)
    known = ~np.isnan(indices)
    targets[known] = np.eye(len(layout.labels), dtype=np.float32)[indices[known].astype(int)]
    return targets


def row_weights(rows: pd.DataFrame, layout: Layout) -> NDArray[np.float64]:
    """How much each row counts in metrics: its weight, or 1 where there is no such column."""
    if layout.weight is None or layout.weight not in rows:
        return np.ones(len(rows))
    return rows[layout.weight].to_numpy(dtype=float)


def row_languages(rows: pd.DataFrame, layout: Layout, main: str) -> pd.Series:
    """Each row's language; `main` where no column names it."""
    if layout.language is None or layout.language not in rows:
        return pd.Series(main, index=rows.index)
    return rows[layout.language].fillna("").replace("", main)


def at_half(shares: Shares) -> Shares:
    """Shares of annotators → 1.0 from 0.5 up, 0.0 below; NaN stays."""
    return shares * 0 + (shares >= HALF)


def label_values(column: pd.Series, source: str) -> pd.Series:
    """A label's column as 1.0, 0.0 and NaN for unknown; a share counts as 1 from 0.5 up.

    Raises DataError as label_shares does.
    """
    return at_half(label_shares(column, source))


def label_shares(column: pd.Series, source: str) -> pd.Series:
    """A label's column as numbers from 0 to 1, and NaN for unknown, which is -1 or empty.

    Values between 0 and 1 are shares of annotators. DataError for others, with row and column.
    """
    texts = column.map(cell_text)
    values = _numbers(texts)
    values = values.mask(values.between(1, 1 + 1e-6), 1.0)  # a mean of floats can be a bit more
    wrong = ~(values.between(0, 1) | (values == -1)) & (texts != "")
    if wrong.any():
        position = int(np.flatnonzero(wrong.to_numpy())[0])
        raise DataError(
            f"{source}: column {column.name} has {_shown(texts.iloc[position])} in row "
            f"{_row_number(column, position)}; expected 0, 1, a share from 0 to 1, or -1 or empty "
            f"for unknown.{_advice(texts, values)}"
        )
    return values.mask(values == -1)


def _advice(texts: pd.Series, values: pd.Series) -> str:
    """What a column that holds no labels probably holds, and what to do then."""
    numbers = values[texts != ""]
    if texts.str.fullmatch(r"-?\d+,\d+").any():
        return " Write decimals with a point."
    if not np.isfinite(numbers).all() or ((numbers < 0) & (numbers != -1)).any():
        return ""
    if not (numbers % 1 == 0).all():
        return " If these are percentages, divide them by 100." * bool(numbers.max() <= 100)
    return (
        f" If these are counts of annotators (up to {numbers.max():g} here), divide each by the "
        "number who were asked; if they are classes, name the column as label_column."
    )


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
    indices = {class_text(label): index for index, label in enumerate(labels)}
    if any(re.fullmatch(r"-?\d+", label) for label in indices):
        return indices
    return indices | {str(index): index for index in indices.values()}


def classes_in(column: pd.Series, source: str) -> list[str]:
    """The classes that a column names, sorted, numbers by their value; -1 and empty are none.

    Raises DataError for fewer than two, for more than MOST_CLASSES, or for lists of several.
    """
    if column.map(lambda value: isinstance(value, MULTIPLE)).any():
        raise DataError(f"{source}: column {column.name} has lists. {SEVERAL}")
    classes = set(column.map(class_text)) - set(UNKNOWN_CLASS)
    for name in sorted(classes):
        parts = [part.strip() for part in re.split(r"[,;|]", name)]
        ids = len(parts) > 1 and all(re.fullmatch(WHOLE, part) for part in parts)
        if ids or (len(parts) > 1 and classes.issuperset(parts)) or re.fullmatch(r"\[.*\]", name):
            raise DataError(
                f"{source}: column {column.name} has {_shown(name)}, which looks like several "
                f"labels. {SEVERAL}"
            )
    return _in_order(classes, column, source, least=2)


def listed_in(column: pd.Series, source: str) -> list[str]:
    """The labels that a column of lists names, sorted, numbers by their value; -1 is none.

    Raises DataError for none, for more than MOST_CLASSES, or for a cell that is not a list.
    """
    lists = _lists(column, source).dropna()
    labels = {value for values in lists for value in values} - set(UNKNOWN_CLASS)
    return _in_order(labels, column, source, least=1)


SEVERAL = "If a comment can have several labels, set label_list_column instead of label_column."


def _in_order(names: set[str], column: pd.Series, source: str, least: int) -> list[str]:
    if not least <= len(names) <= MOST_CLASSES:
        raise DataError(
            f"{source}: column {column.name} has {len(names)} different values, and labels is "
            f"not set; give labels, or another column ({least} to {MOST_CLASSES} labels)."
        )
    numeric = all(re.fullmatch(r"-?\d+", name) for name in names)
    return sorted(names, key=int) if numeric else sorted(names)


def need_columns(table: pd.DataFrame, columns: Iterable[str], source: str) -> None:
    """Raise DataError where the table lacks one of the columns."""
    missing = [column for column in columns if column not in table]
    if missing:
        found = ", ".join(map(str, table.columns[:50])) + ", …" * (len(table.columns) > 50)
        raise DataError(
            f"{source}: no column {', '.join(missing)} (found {found}); "
            "name yours by --text-column, --label-column or --labels, or in the config."
        )
    names = table.columns.tolist()
    twice = [column for column in columns if names.count(column) > 1]
    if twice:
        raise DataError(f"{source}: has two columns {twice[0]}; rename or drop one of them.")


def cell_text(value: object) -> str:
    """A cell as a config would write it: 1.0 as 1, True as true, missing as nothing."""
    if value is None or value is pd.NA or value is pd.NaT:
        return ""
    if isinstance(value, bool | np.bool_):
        return str(value).lower()
    if isinstance(value, float | np.floating):
        if np.isnan(value):
            return ""
        return str(int(value)) if value.is_integer() else str(float(value))
    return str(value).strip()


def class_text(value: object) -> str:
    """A cell of a class column: as cell_text has it, whole numbers as 1, and true in lower case."""
    text = re.sub(r"^(-?\d+)\.0+$", r"\1", cell_text(value))
    return text.lower() if text.lower() in ("true", "false") else text


def _classes(column: pd.Series, layout: Layout, source: str) -> pd.Series:
    """Map the class column's values to labels; -1 and empty become None."""
    index_of = layout.index_of
    values = column.map(class_text)
    labels = values.map({value: layout.labels[index] for value, index in index_of.items()})
    labels = labels.astype(object)
    wrong = labels.isna() & ~values.isin(UNKNOWN_CLASS)
    if wrong.any():
        position = int(np.flatnonzero(wrong.to_numpy())[0])
        value = values.iloc[position]
        parts = [class_text(part) for part in re.split(r"[,;|\[\]]", value) if part.strip()]
        several = value not in parts and parts and all(part in index_of for part in parts)
        raise DataError(
            f"{source}: column {column.name} has {_shown(value)} in row "
            f"{_row_number(column, position)}, which is not in "
            f"{'label_mapping' if layout.mapping else 'labels'} ({', '.join(index_of)})."
            + f" {SEVERAL}"
            * bool(several)
        )
    return labels.where(labels.notna(), None)


def _listed_labels(column: pd.Series, layout: Layout, source: str, notes: Notes) -> pd.DataFrame:
    """A column of lists → one column per label: 1 where the list has it, NaN where unknown."""
    index_of = layout.index_of
    targets = np.full((len(column), len(layout.labels)), np.nan)
    for position, values in enumerate(_lists(column, source, index_of)):
        if values is None or values == ["-1"]:
            continue
        wrong = [value for value in values if value not in index_of]
        if wrong:
            why = (
                "stands for unknown, beside other labels"
                if wrong[0] in UNKNOWN_CLASS
                else "is not in " + ("label_mapping" if layout.mapping else "labels")
            )
            raise DataError(
                f"{source}: column {column.name} has {_shown(wrong[0])} in row "
                f"{_row_number(column, position)}, which {why} ({', '.join(index_of)})."
            )
        targets[position] = 0.0
        targets[position, [index_of[value] for value in values]] = 1.0
    empty = column.map(lambda cell: isinstance(cell, str) and not cell.strip())
    notes.no_labels += int(empty.sum())
    return pd.DataFrame(targets, index=column.index, columns=list(layout.labels))


def _lists(column: pd.Series, source: str, known: Iterable[str] = ()) -> pd.Series:
    """The values in each cell of a column of lists, as class_text has them; None where missing.

    A cell is a list, or text: [2, 14] as JSON, Python or NumPy write it; or values separated by |,
    else ; else comma, whichever the column has. Whole numbers can be separated by any of these, or
    by spaces. Empty text is a list of nothing. known: values that are not to be separated.
    """
    plain = column.astype(object)
    texts = plain[plain.map(lambda cell: isinstance(cell, str))].str.strip()
    bare = texts[~texts.str.match(r"[\[({]") & (texts != "")]
    numbers = bare.str.fullmatch(rf"{WHOLE}([\s,;|/]+{WHOLE})*[\s,;|/]*").all()
    marks = [mark for mark in "|;," if bare.str.contains(mark, regex=False).any()]
    separator = r"[\s,;|/]+" if numbers else re.escape(marks[0]) if marks else None
    whole = set(known)

    def values(cell: Any) -> list[str] | None:
        if isinstance(cell, MULTIPLE):
            return [class_text(value) for value in cell]
        text = cell_text(cell)
        if not isinstance(cell, str):
            return [class_text(cell)] if text else None
        if class_text(text) in whole:
            return [class_text(text)]
        if text[:1] in tuple("[({"):
            return [class_text(value) for value in _written_list(text)]
        parts = re.split(separator, text) if separator else [text]
        return [class_text(part) for part in parts if part.strip()]

    found = []
    for position, cell in enumerate(plain):
        try:
            found.append(values(cell))
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            raise DataError(
                f"{source}: column {column.name} has {_shown(str(cell))} in row "
                f"{_row_number(column, position)}, which is not a list of labels."
            ) from None
    return pd.Series(found, index=column.index, dtype=object)


def _written_list(text: str) -> Iterable[Any]:
    """Parse a list that is written as text. Raises ValueError or SyntaxError for anything else."""
    if len(text) > LONGEST_LIST:
        raise ValueError
    inner = text[1:-1].strip()
    if re.fullmatch(rf"{WHOLE}(\s+{WHOLE})*", inner):  # as NumPy prints an array
        return inner.split()
    if re.search(r"""['"]\s+['"]""", inner):
        return [first or second for first, second in re.findall(r"'([^']*)'|\"([^\"]*)\"", inner)]
    try:
        parsed = json.loads(text)
    except ValueError:
        parsed = ast.literal_eval(text)
    if not isinstance(parsed, MULTIPLE) or any(
        isinstance(part, dict | MULTIPLE) for part in parsed
    ):
        raise ValueError
    return parsed


def _row_number(column: pd.Series, position: int) -> int:
    """The number of a row in its table, from 1; a row keeps its index when others are left out."""
    return int(column.index[position]) + 1


def _shown(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:79] + "…")


def _numbers(texts: pd.Series) -> pd.Series:
    """Read numbers, and true and false as 1 and 0; NaN for what is neither."""
    numbers = texts.str.lower().replace({"true": "1", "false": "0"})
    return pd.to_numeric(numbers, errors="coerce").astype(float)
