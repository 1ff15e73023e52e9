"""A file of labelled comments before training: its number of rows, and its label columns."""

from dataclasses import dataclass

from comment_toxicity.errors import DataError
from comment_toxicity.files.read import open_input
from ui.files.upload import Source

MOST_CLASSES = 20
BINARY = {"0", "1", "-1", "", "0.0", "1.0", "-1.0", "none", "true", "false"}
IDS = ("id", "comment_id", "rev_id")


@dataclass(frozen=True)
class LabelledRows:
    """rows: how many. label_columns: with 0, 1, -1 or nothing. id_column: empty without one."""

    rows: int
    label_columns: list[str]
    id_column: str


def look_at_rows(source: Source, text_column: str) -> LabelledRows:
    """Count a file's rows, and find its label columns in the first rows. Raises DataError."""
    try:
        with open_input(str(source.path), "csv") as file:
            rows, binary = 0, []
            for chunk in file.chunks(text_column):
                if not rows:
                    binary = _binary_columns(source, text_column, _cells(chunk.cells))
                rows += len(chunk.texts)
    except DataError as error:
        raise DataError(source.relabelled(str(error))) from error
    ids = [name for name in IDS if name in source.columns]
    return LabelledRows(rows, binary, ids[0] if ids else "")


def classes_of(source: Source, text_column: str, column: str) -> list[str]:
    """The values of a column of classes. Raises DataError for more than 20 values, or just one."""
    classes: set[str] = set()
    with open_input(str(source.path), "csv") as file:
        for chunk in file.chunks(text_column):
            for cells in _cells(chunk.cells):
                value = "" if cells.get(column) is None else str(cells[column]).strip()
                if value:
                    classes.add(value)
            if len(classes) > MOST_CLASSES:
                raise DataError(
                    f"{source.name}: {column} has more than {MOST_CLASSES} different values; "
                    "is it the column with the class?"
                )
    if len(classes) < 2:
        raise DataError(f"{source.name}: {column} needs at least two different values.")
    return sorted(classes)


def _cells(cells: object) -> list[dict]:
    return cells if isinstance(cells, list) else cells.to_pylist()  # type: ignore[attr-defined]


def _binary_columns(source: Source, text_column: str, rows: list[dict]) -> list[str]:
    def binary(name: str) -> bool:
        values = {str(row.get(name)).strip().lower() for row in rows}
        return values <= BINARY and bool(values & {"1", "1.0", "true"})

    candidates = [name for name in source.columns if name not in (text_column, "weight")]
    return [name for name in candidates if binary(name)]
