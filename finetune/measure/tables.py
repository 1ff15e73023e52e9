"""One table of results, written as text, Markdown or HTML with the same digits.

    table = Table(columns=[Column("label"), METRICS["roc_auc"]], rows=[("toxic", 0.98)])
    print(table.text())         # the terminal
    card += table.markdown()    # a model card
    st.html(table.html())       # the page

METRICS has the title and the number format of every metric, once for all of them.
"""

import dataclasses
import html
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

MISSING = "–"  # a value that the rows could not give
PIPE = r"\|"  # within a cell of Markdown


def decimals(value: float | None) -> str:
    """Write a metric or a threshold with four decimals; – for None and NaN."""
    return _write(value, "z.4f")


def percentage(value: float | None) -> str:
    """Write a share of rows as a percentage with one decimal; – for None and NaN."""
    return _write(None if value is None else 100 * value, "z.1f", " %")


def count(value: float | None) -> str:
    """Write a number of rows with commas at the thousands; – for None and NaN."""
    return _write(value, ",")


def weight(value: float | None) -> str:
    """Write a sum of row weights; without decimals where it is a whole number of rows."""
    whole = value is None or value != value or float(value).is_integer()
    return _write(value, ",.0f" if whole else ",.1f")


def interval(value: Sequence[float] | None) -> str:
    """Write the two ends of an interval with three decimals; – for None."""
    return MISSING if value is None else f"{value[0]:.3f} to {value[1]:.3f}"


def words(value: Any) -> str:
    """Write yes or no for a truth value, – for None, anything else unchanged."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return MISSING if value is None else str(value)


def _write(value: float | None, form: str, unit: str = "") -> str:
    return MISSING if value is None or value != value else f"{value:{form}}{unit}"


@dataclass(frozen=True)
class Column:
    """title: the heading.  write: turns a value into the text of a cell."""

    title: str
    write: Callable[[Any], str] = words

    @property
    def number(self) -> bool:
        """Whether the cells are numbers, which are aligned to the right."""
        return self.write is not words

    def cell(self, value: Any) -> str:
        """Write one value; a str is taken to be written already."""
        return value if isinstance(value, str) else self.write(value)


METRICS = {
    "rows": Column("rows", count),
    "positives": Column("positives", count),
    "share": Column("share", percentage),
    "roc_auc": Column("ROC-AUC", decimals),
    "average_precision": Column("average precision", decimals),
    "threshold": Column("threshold", decimals),
    "precision": Column("precision", decimals),
    "recall": Column("recall", decimals),
    "f1": Column("F1", decimals),
    "f1_at_half": Column("F1 at 0.5", decimals),
    "brier": Column("Brier score", decimals),
    "calibration_error": Column("calibration error", decimals),
    "accuracy": Column("accuracy", decimals),
    "label_accuracy": Column("label accuracy", decimals),
    "exact_match": Column("exact match", decimals),
    "micro_precision": Column("micro precision", decimals),
    "micro_recall": Column("micro recall", decimals),
    "false_positive_rate": Column("false-positive rate", percentage),
    "false_negative_rate": Column("false-negative rate", percentage),
    "subgroup_auc": Column("subgroup AUC", decimals),
    "bpsn_auc": Column("BPSN AUC", decimals),
    "bnsp_auc": Column("BNSP AUC", decimals),
    "right": Column("judged right", percentage),
    "flagged": Column("flagged", percentage),
    "roc_auc_lost": Column("ROC-AUC lost", decimals),
    "rows_flipped": Column("rows changed", percentage),
    "flags_lost": Column("flags lost", percentage),
    "flags_gained": Column("flags gained", percentage),
}
"""Every metric of metrics.json and audit.json that a table shows, by its name there."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows of values under titled columns.

    title: a line above the table.  note: what one has to know to read it, below.
    rows: one value per column; a str is shown unchanged, None as –.
    """

    title: str = ""
    note: str = ""
    columns: Sequence[Column]
    rows: Sequence[Sequence[Any]]

    def cells(self) -> list[list[str]]:
        """The rows as they are shown."""
        return [
            [column.cell(value) for column, value in zip(self.columns, row, strict=True)]
            for row in self.rows
        ]

    def select(self, *titles: str) -> "Table":
        """The same table with these columns only, in this order."""
        positions = [[column.title for column in self.columns].index(title) for title in titles]
        return dataclasses.replace(
            self,
            columns=[self.columns[position] for position in positions],
            rows=[[row[position] for position in positions] for row in self.rows],
        )

    def renamed(self, title: str, name: Callable[[str], str]) -> "Table":
        """The same table with other words in one of its columns, such as names of labels."""
        rows = [
            [
                name(value) if column.title == title and isinstance(value, str) else value
                for column, value in zip(self.columns, row, strict=True)
            ]
            for row in self.rows
        ]
        return dataclasses.replace(self, rows=rows)

    def written(self, title: str, write: Callable[[Any], str]) -> "Table":
        """The same table with the values of one column written in another way."""
        columns = [
            Column(title, write) if column.title == title else column for column in self.columns
        ]
        return dataclasses.replace(self, columns=columns)

    def text(self) -> str:
        """Fixed-width lines; without a heading where no column has a title."""
        grid = self.cells()
        if any(column.title for column in self.columns):
            grid.insert(0, [column.title for column in self.columns])
        widths = [max(map(len, cells)) for cells in zip(*grid, strict=True)]
        lines = []
        for row in grid:
            padded = [
                cell.rjust(width) if column.number else cell.ljust(width)
                for column, cell, width in zip(self.columns, row, widths, strict=True)
            ]
            lines.append("  ".join(padded).rstrip())
        return "\n".join(filter(None, [self.title, *lines, self.note]))

    def markdown(self) -> str:
        """A table in Markdown, as GitHub and the Hub read it, with title and note around it."""
        heading = [column.title for column in self.columns]
        lines = [
            f"| {' | '.join(cell.replace('|', PIPE) for cell in row)} |"
            for row in (heading, ["---"] * len(heading), *self.cells())
        ]
        return "\n\n".join(filter(None, [self.title, "\n".join(lines), self.note]))

    def html(self, escape: Callable[[str], str] = html.escape) -> str:
        """A table in HTML, without title and note; every cell is escaped.

        The first cell of a row is its heading. A table wider than a phone scrolls on its own, also
        by keyboard.
        """

        def line(cells: Iterable[str], heading: bool) -> str:
            written = []
            for position, (column, cell) in enumerate(zip(self.columns, cells, strict=True)):
                tag = "th" if heading or position == 0 else "td"
                scope = "" if tag == "td" else ' scope="col"' if heading else ' scope="row"'
                align = ' class="number"' if column.number else ""
                written.append(f'<{tag}{scope}{align} dir="auto">{escape(cell)}</{tag}>')
            return f"<tr>{''.join(written)}</tr>"

        heading = line((column.title for column in self.columns), heading=True)
        body = "".join(line(cells, heading=False) for cells in self.cells())
        about = self.title or f"table: {', '.join(column.title for column in self.columns)}"
        return (
            f'<div class="tox-scroll" tabindex="0" role="region" aria-label="{escape(about)}">'
            f'<table class="tox-table"><thead>{heading}</thead><tbody>{body}</tbody></table></div>'
        )
