"""A database of the operator, named by a SQLAlchemy URL: for corrections, and for decisions.

SQLite and PostgreSQL are tested; SQLAlchemy supports others.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import sqlalchemy as sql
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from comment_toxicity.errors import SettingsError


class Database:
    """Its methods may be called from any thread.

    url: SQLAlchemy's, such as sqlite:///feedback.sqlite3 or postgresql+psycopg://host/name.
    flag: the one that named it, for errors.
    Raises SettingsError if SQLAlchemy does not know the database or its driver is not installed.
    """

    def __init__(self, url: str, flag: str):
        try:
            self.engine = sql.create_engine(url, pool_pre_ping=True)
        except (ArgumentError, NoSuchModuleError, ValueError):  # ValueError: a port, an option
            raise SettingsError(
                f"{flag} is not a SQLAlchemy URL; write it as sqlite:///FILE or "
                "postgresql+psycopg://USER@HOST/NAME."
            ) from None
        except ModuleNotFoundError as error:
            raise SettingsError(
                f"{flag} needs the package {error.name}; install it, for PostgreSQL with pip "
                "install 'psycopg[binary]'."
            ) from None

    def create(self, table: sql.Table) -> None:
        """Create a table if it does not exist. Raises SettingsError.

        A new SQLite file is for its owner alone.
        """
        file = self.file
        if file:
            with suppress(OSError):  # SQLite says below what is wrong
                os.close(os.open(file, os.O_CREAT | os.O_WRONLY, 0o600))
        with self.translating_errors():
            table.metadata.create_all(self.engine)

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    def check_file(self, flag: str) -> None:
        """Raise SettingsError if it is an SQLite file that does not exist."""
        if self.file and not Path(self.file).is_file():
            raise SettingsError(f"{self.file}: no such file; name the database with {flag}.")

    @property
    def file(self) -> str:
        """The path of an SQLite file; empty for other databases."""
        url = self.engine.url
        if not url.drivername.startswith("sqlite") or url.database in (None, ":memory:"):
            return ""
        return str(url.database)

    @contextmanager
    def translating_errors(self) -> Iterator[None]:
        """Turn an error of the database into a SettingsError, without a password."""
        try:
            yield
        except SQLAlchemyError as error:
            cause = str(getattr(error, "orig", error)).partition("\n")[0]
            where = self.engine.url.render_as_string(hide_password=True)
            raise SettingsError(f"{where}: the database cannot be used ({cause}).") from None
