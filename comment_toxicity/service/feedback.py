"""Corrections that clients send, stored in a database of the operator and exported as rows.

One table has one row per correction: the comment, its scores, the weights that gave them, and what
they should have been.
"""

import codecs
import csv
import hashlib
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import sqlalchemy as sql
from sqlalchemy.exc import SQLAlchemyError

from comment_toxicity.errors import DataError, SettingsError
from comment_toxicity.files.write import standard_output
from comment_toxicity.service.attributes import ATTRIBUTES_OF_LABEL
from comment_toxicity.service.database import Database
from comment_toxicity.service.errors import busy
from comment_toxicity.text import without_lone_surrogates

if TYPE_CHECKING:
    from comment_toxicity.service.requests import SuggestRequest

LOG = logging.getLogger(__name__)

TABLE = sql.Table(
    "toxicity_feedback",
    sql.MetaData(),
    sql.Column("id", sql.Integer, primary_key=True),
    sql.Column("received", sql.DateTime(timezone=True), nullable=False),
    sql.Column("text", sql.Text, nullable=False),
    sql.Column("suggested", sql.JSON, nullable=False),  # attribute → score of the whole comment
    sql.Column("spans", sql.JSON, nullable=False),  # attribute → [[begin, end, score], …]
    sql.Column("scored", sql.JSON, nullable=False),  # label → our score at that time
    sql.Column("model", sql.Text, nullable=False),
    sql.Column("weights", sql.Text, nullable=False),  # sha256 of the weight file
    sql.Column("languages", sql.JSON, nullable=False),
    sql.Column("community", sql.Text, nullable=False),
    sql.Column("client_token", sql.Text, nullable=False),
)

# Coral sends a moderator's decision as an attribute of this name. An approved comment is not toxic;
# a deleted one may just be off topic, so it counts as toxic only with --deleted-is-toxic.
APPROVED, DELETED = "APPROVED", "DELETED"


class FeedbackStore:
    """A database of corrections. Its methods may be called from any thread.

    url: SQLAlchemy's, such as sqlite:///feedback.sqlite3 or postgresql+psycopg://host/name.
    Raises SettingsError if SQLAlchemy does not know the database or its driver is not installed.
    """

    def __init__(self, url: str):
        self._database = Database(url, "--feedback-database")

    def open(self) -> None:
        """Create the table if it does not exist. Raises SettingsError."""
        self._database.create(TABLE)

    def close(self) -> None:
        """Close all connections."""
        self._database.close()

    def add(
        self,
        request: "SuggestRequest",
        *,
        languages: list[str],
        scored: dict[str, float],
        model: str,
        weights: str,
    ) -> None:
        """Store a correction. Raises ApiError if the database rejects it."""
        row = {
            "received": datetime.now(UTC),
            "text": _storable(request.text),
            "suggested": {_storable(name): value for name, value in request.summary.items()},
            "spans": {_storable(name): spans for name, spans in request.spans.items()},
            "scored": scored,
            "model": model,
            "weights": weights,
            "languages": [_storable(language) for language in languages],
            "community": _storable(request.community),
            "client_token": _storable(request.client_token or ""),
        }
        try:
            with self._database.engine.begin() as connection:
                connection.execute(sql.insert(TABLE), row)
        except SQLAlchemyError as error:
            LOG.error("a correction is lost: %s", type(getattr(error, "orig", error)).__name__)
            raise busy(503, "The correction could not be kept; try again later.", 5) from None

    def rows(
        self, since: datetime | None = None, community: str | None = None
    ) -> Iterator[sql.Row]:
        """Yield the corrections, oldest first. Raises SettingsError."""
        self._database.check_file("--database")
        query = sql.select(TABLE).order_by(TABLE.c.received, TABLE.c.id)
        if since:
            query = query.where(TABLE.c.received >= since)
        if community is not None:
            query = query.where(TABLE.c.community == community)
        database = self._database
        with database.translating_errors(), database.engine.connect() as connection:
            yield from connection.execution_options(yield_per=1000).execute(query)


def since(text: str) -> datetime:
    """Parse a date, such as 2026-12-31, or a date and time; UTC unless it has a zone."""
    try:
        moment = datetime.fromisoformat(text)
        # SQLite compares without the zone.
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):  # OverflowError: in UTC it is before the year 1
        raise SettingsError(f"--since: {text!r} is not a date; write it as 2026-12-31.") from None


def export(
    store: FeedbackStore,
    labels: Sequence[str],
    output: str,
    since: datetime | None = None,
    community: str | None = None,
    deleted_is_toxic: bool = False,
) -> int:
    """Write the corrections as rows for finetune: id, comment_text, and 1, 0 or -1 per label.

    Of several corrections of a comment's label the latest counts; -1 means that there is none.
    Returns the number of rows. Raises SettingsError or DataError.
    """
    label_of = {
        name: label
        for label in labels
        for attribute in ATTRIBUTES_OF_LABEL.get(label, ())
        for name in (attribute, f"{attribute}_EXPERIMENTAL")
    }
    corrected: dict[str, dict[str, int]] = {}
    for row in store.rows(since, community):
        values = {
            label_of[attribute]: int(score >= 0.5)
            for attribute, score in row.suggested.items()
            if attribute in label_of
        }
        values |= _decisions(row.suggested, label_of.get("TOXICITY"), deleted_is_toxic)
        if values:
            corrected.setdefault(row.text, {}).update(values)
    with _writing(output) as stream:
        writer = csv.writer(stream)  # with another lineterminator it would leave \r unquoted
        writer.writerow(["id", "comment_text", *labels])
        for text, values in corrected.items():
            name = hashlib.sha256(text.encode()).hexdigest()[:16]
            writer.writerow([name, text, *(values.get(label, -1) for label in labels)])
    return len(corrected)


def _decisions(
    suggested: dict[str, float], toxic: str | None, deleted_is_toxic: bool
) -> dict[str, int]:
    if toxic and suggested.get(APPROVED, 0) >= 0.5:
        return {toxic: 0}
    if toxic and deleted_is_toxic and suggested.get(DELETED, 0) >= 0.5:
        return {toxic: 1}
    return {}


@contextmanager
def _writing(output: str) -> Iterator[TextIO | codecs.StreamWriter]:
    if output == "-":
        with standard_output() as stdout:
            yield codecs.getwriter("utf-8")(stdout)
        return
    if not output.endswith(".csv"):
        raise SettingsError(f"{output}: corrections are written as CSV; name a .csv file.")
    partial = Path(output + ".part")
    try:
        with partial.open("w", encoding="utf-8", newline="") as stream:
            yield stream
        partial.replace(output)
    except OSError as error:
        raise DataError(f"{output}: cannot be written ({error.strerror}).") from None
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def _storable(text: str) -> str:
    """Replace what databases reject: lone surrogates and NUL."""
    return without_lone_surrogates(text).replace("\0", "�")
