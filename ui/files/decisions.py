"""What a moderator decided about the rows of a file, and the table that training takes of it.

A decision is the labels that a row has, in the model's order. The embedded model is then fine-tuned
on the table: decided rows, mixed with labelled rows of a base table.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from comment_toxicity.errors import DataError
from comment_toxicity.files.columns import TEXT_COLUMNS
from comment_toxicity.files.read import open_input
from ui.files.job import FileJob
from ui.files.labelled import CLASS_COLUMN
from ui.files.safe_csv import safe_cell
from ui.files.upload import MOST_ROWS, Source, cannot_store

ID, TEXT = "id", TEXT_COLUMNS[0]
OF_DECISION = "decision-"
"""How the id of a decided row begins: Models measures on the held-out ones among them."""

Labels = tuple[bool, ...]


def toggled(labels: Labels, at: int, single_label: bool) -> Labels:
    """The labels with one of them turned; a single-label model has exactly that one then."""
    if single_label:
        return tuple(index == at for index in range(len(labels)))
    return tuple(holds != (index == at) for index, holds in enumerate(labels))


def counted(job: FileJob, flags: NDArray[np.bool_]) -> tuple[int, int]:
    """How many decisions agree with the flags at these thresholds, and how many correct them."""
    agreed = sum(tuple(flags[row]) == labels for row, labels in job.decisions.items())
    return agreed, len(job.decisions) - agreed


def decided_texts(job: FileJob) -> dict[int, str]:
    """The comments that were decided, by their positions in the file."""
    if job.result is None or not job.decisions:
        return {}
    rows = np.array(sorted(job.decisions))
    texts = job.result.take(rows, [job.result.text_column])[job.result.text_column]
    return {int(row): str(text) for row, text in zip(rows, texts, strict=True)}


def header(job: FileJob) -> list[str]:
    """The columns of a table of decisions."""
    return [ID, TEXT, *([CLASS_COLUMN] if job.single_label else job.labels)]


def decided_rows(job: FileJob) -> Iterator[list[str]]:
    """A row per decision, as header() names its cells."""
    for row, text in decided_texts(job).items():
        yield [f"{OF_DECISION}{row + 1}", text, *_cells(job, job.decisions[row])]


def _cells(job: FileJob, labels: Labels) -> list[str]:
    if job.single_label:
        return [name for name, holds in zip(job.labels, labels, strict=True) if holds][:1]
    return [str(int(holds)) for holds in labels]


def write_decisions(job: FileJob, path: Path) -> None:
    """Write the decisions as a CSV that is safe to open in a spreadsheet."""
    safe = ([safe_cell(cell) for cell in row] for row in decided_rows(job))
    with path.open("w", encoding="utf-8-sig", errors="replace", newline="") as stream:
        csv.writer(stream, lineterminator="\r\n").writerows([header(job), *safe])


def write_training_table(job: FileJob, path: Path, base: Source | None) -> int:
    """Write the decisions, then the rows of a base table, as CSV. Returns the number of base rows.

    A comment of the base that was decided is left out; a label that it has no column for is
    unknown. Raises DataError.
    """
    texts = {_key(text) for text in decided_texts(job).values()}
    rows = 0
    try:
        with path.open("w", encoding="utf-8", errors="replace", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(header(job))
            writer.writerows(decided_rows(job))
            for row in _base_rows(job, base) if base else ():
                if _key(row[1]) not in texts:
                    writer.writerow(row)
                    rows += 1
    except OSError as error:
        raise cannot_store(error) from error
    return rows


def _base_rows(job: FileJob, base: Source) -> Iterator[list[str]]:
    wanted = header(job)[2:]
    if not set(wanted) & set(base.columns):
        raise DataError(
            f"{base.name}: has no column {' or '.join(wanted)}, so it cannot be mixed with the "
            "decisions; take another base."
        )
    number = 0
    with open_input(str(base.path), "csv") as file:
        for chunk in file.chunks(base.text_column):
            for cells, text in zip(_as_dicts(chunk.cells), chunk.texts, strict=True):
                number += 1
                if number > MOST_ROWS:
                    return
                if text is not None:
                    labels = ["" if cells.get(name) is None else cells[name] for name in wanted]
                    yield [str(cells.get(ID) or f"base-{number}"), text, *map(str, labels)]


def _as_dicts(cells: Any) -> Iterable[Mapping[str, Any]]:
    return cells if isinstance(cells, list) else cells.to_pylist()


def _key(text: str) -> str:
    """A comment without case and spacing: as finetune tells that two are the same."""
    return " ".join(text.casefold().split())


def in_words(names: Sequence[str], labels: Labels) -> str:
    """The labels of a decision."""
    held = [name for name, holds in zip(names, labels, strict=True) if holds]
    return ", ".join(held) or "nothing"
