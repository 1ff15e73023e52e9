"""Names of columns: which one is meant. One rule for scoring, the page and training.

A column with the very name is taken. If there is none, case, white space around the name, and
invisible characters such as a byte order mark do not count, and space, - and _ are the same.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence

from comment_toxicity.errors import DataError

TEXT_COLUMNS = ("comment_text", "text")
MOST_SHOWN = 50


class AmbiguousError(DataError):
    """Several columns could be meant."""


def name_key(name: object) -> str:
    """What remains of a name that is compared loosely; empty for a column without a name."""
    visible = "".join(sign for sign in str(name) if unicodedata.category(sign) != "Cf")
    return re.sub(r"[\s_-]+", "_", visible.strip()).casefold()


def find_column(columns: Iterable[str], names: Sequence[str]) -> str | None:
    """The first of `names` that is a column; if none is, the first that is one loosely.

    Raises AmbiguousError if several columns match loosely.
    """
    known = list(columns)
    for name in names:
        if name in known:
            return name
    for name in names:
        if not name_key(name):
            continue
        found = [column for column in known if name_key(column) == name_key(name)]
        if len(found) > 1:
            raise AmbiguousError(
                f"columns {' and '.join(map(repr, found[:5]))} could both be {name}; rename them, "
                "or name the one to use exactly."
            )
        if found:
            return found[0]
    return None


def find_text_column(columns: Iterable[str]) -> str | None:
    """The column that is called as comments are by default; None without one, or with several."""
    try:
        return find_column(columns, TEXT_COLUMNS)
    except AmbiguousError:
        return None


def loosely_named(columns: Iterable[str], names: Iterable[str]) -> dict[str, str]:
    """The columns that are `names` only loosely: column → name. Raises AmbiguousError."""
    wanted = list(dict.fromkeys(names))
    others = [column for column in columns if column not in wanted]
    exact = set(columns) & set(wanted)
    found = {name: find_column(others, [name]) for name in wanted if name not in exact}
    return {column: name for name, column in found.items() if column is not None}


def listed(columns: Iterable[object]) -> str:
    """Names for a message: on one line, printable, and not too many."""
    names = list(map(str, columns))
    shown = [name if name.isprintable() and name == name.strip() else repr(name) for name in names]
    return ", ".join(shown[:MOST_SHOWN]) + ", …" * (len(shown) > MOST_SHOWN)
