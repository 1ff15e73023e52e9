"""The decision log in a database of the operator: one row for each entry."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import datetime
from typing import Any

import sqlalchemy as sql

from comment_toxicity.service.database import Database
from comment_toxicity.service.decision_file import FLAG, Entry
from comment_toxicity.text import without_lone_surrogates

TRIMMED = 100  # batches between two deletions of the oldest rows

TABLE = sql.Table(
    "toxicity_decisions",
    sql.MetaData(),
    sql.Column("number", sql.BigInteger().with_variant(sql.Integer(), "sqlite"), primary_key=True),
    sql.Column("time", sql.DateTime(timezone=True), nullable=False),
    sql.Column("id", sql.Text, nullable=False),
    sql.Column("policy", sql.Text, nullable=False),
    sql.Column("weights", sql.Text, nullable=False),
    sql.Column("scores", sql.JSON, nullable=False),
    sql.Column("flags", sql.JSON, nullable=False),
)


class DatabaseStore:
    """A table of a database; the oldest rows beyond `rows` are deleted.

    Raises SettingsError for a URL that cannot be used.
    """

    def __init__(self, url: str, rows: int):
        self._database = Database(url, FLAG)
        self._rows = rows
        self._batches = 0

    def open(self) -> None:
        """Create the table if it does not exist. Raises SettingsError."""
        self._database.create(TABLE)

    def write(self, entries: Sequence[Entry]) -> None:
        """Add entries, all or none. Raises an error of the database."""
        with self._database.engine.begin() as connection:
            connection.execute(sql.insert(TABLE), list(map(_row, entries)))
            if self._batches % TRIMMED == 0:
                newest = connection.execute(sql.select(sql.func.max(TABLE.c.number))).scalar_one()
                connection.execute(sql.delete(TABLE).where(TABLE.c.number <= newest - self._rows))
        self._batches += 1

    def close(self) -> None:
        """Close all connections."""
        self._database.close()


def read(url: str) -> Iterator[dict[str, Any]]:
    """Yield the entries of a decision log as objects, the oldest first. Raises SettingsError."""
    with closing(Database(url, "LOG")) as database:
        database.check_file("LOG")
        columns = (TABLE.c.time, TABLE.c.policy, TABLE.c.weights, TABLE.c.flags, TABLE.c.scores)
        query = sql.select(TABLE.c.id, *columns).order_by(TABLE.c.number)
        with database.translating_errors(), database.engine.connect() as connection:
            for row in connection.execution_options(yield_per=1000).execute(query):
                yield {**row._mapping, "time": row.time.isoformat()}


def _row(entry: Entry) -> dict[str, Any]:
    return {
        "time": datetime.fromisoformat(entry.time),
        "id": without_lone_surrogates(entry.id).replace("\0", "�"),
        "policy": entry.policy,
        "weights": entry.weights,
        "scores": entry.scores,
        "flags": entry.flags,
    }
