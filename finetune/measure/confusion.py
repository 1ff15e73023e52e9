"""The confusion matrix of a single-label model, as tables. Reports are as metrics.json has them."""

from collections.abc import Mapping
from typing import Any

from finetune.measure.tables import Column, Table, percentage, weight

HEADING = 80  # characters of all class names together, up to which they are headings
CONFUSED = 15  # pairs of classes that are listed


def confusion_table(report: Mapping[str, Any]) -> Table | None:
    """Return the whole matrix; None if the report has none.

    A row is a true class, a column a predicted one. Where the names would be too wide for a
    heading, classes are numbered.
    """
    matrix = report.get("confusion_matrix")
    if not matrix:
        return None
    heads, names = list(matrix), list(matrix)
    if sum(map(len, matrix)) > HEADING:
        heads = [str(number) for number in range(1, len(matrix) + 1)]
        names = [f"{head} {name}" for head, name in zip(heads, names, strict=True)]
    by_weight = " counted by weight" if report.get("weighted") else ""
    return Table(
        title=f"Confusion matrix, in rows{by_weight}: true classes down, predicted ones across.",
        columns=[Column("true class"), *(Column(head, weight) for head in heads)],
        rows=[[name, *row.values()] for name, row in zip(names, matrix.values(), strict=True)],
    )


def confused_table(report: Mapping[str, Any]) -> Table | None:
    """Return the most frequent confusions; None if there are none."""
    cells = [
        (true, predicted, cell, cell / sum(row.values()))
        for true, row in report.get("confusion_matrix", {}).items()
        for predicted, cell in row.items()
        if predicted != true and cell > 0
    ]
    cells.sort(key=lambda cell: -cell[2])
    return (
        Table(
            title=f"The most frequent of {len(cells):,} confusions:",
            columns=[
                Column("true class"),
                Column("predicted"),
                Column("rows", weight),
                Column("of the class", percentage),
            ],
            rows=cells[:CONFUSED],
        )
        if cells
        else None
    )
