"""Typed reading of a JSON object's fields, by the rules of proto3 JSON.

A field may be spelt in camelCase or snake_case; null means that it was not set; numbers and
booleans may stand in strings; an enum's value may be its number.
"""

import math
import re
from collections.abc import Sequence
from typing import Any

from comment_toxicity.service.errors import ApiError, invalid

Object = dict[str, Any]


def get(source: Object, name: str) -> Any:
    """Give the field's value; None where it is not set."""
    if source.get(name) is not None:
        return source[name]
    return source.get(_snake(name))


def string(source: Object, name: str) -> str:
    """Give a string, empty where it is not set."""
    value = get(source, name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _wrong(name, "TYPE_STRING")
    return value


def boolean(source: Object, name: str) -> bool:
    """Give a boolean, false where it is not set."""
    value = get(source, name)
    if value is None:
        return False
    if isinstance(value, str):
        value = {"true": True, "false": False}.get(value.lower())
    if not isinstance(value, bool):
        raise _wrong(name, "TYPE_BOOL")
    return value


def number(source: Object, name: str) -> float | None:
    """Give a finite number."""
    value = get(source, name)
    if value is None:
        return None
    try:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise ValueError
        result = float(value)
    except (ValueError, OverflowError):
        raise _wrong(name, "TYPE_FLOAT") from None
    if not math.isfinite(result):
        raise _wrong(name, "TYPE_FLOAT")
    return result


def integer(source: Object, name: str) -> int | None:
    """Give a whole number."""
    value = number(source, name)
    if value is not None and value != int(value):
        raise _wrong(name, "TYPE_INT32")
    return None if value is None else int(value)


def enum(source: Object, name: str, values: Sequence[str]) -> str:
    """Give an enum's value by name, the first of `values` where it is not set.

    A name, or an int32, that is not among the values is given as it stands: the caller knows the
    message.
    """
    value = get(source, name)
    if value is None:
        return values[0]
    if isinstance(value, int) and not isinstance(value, bool) and -(2**31) <= value < 2**31:
        return values[value] if 0 <= value < len(values) else str(value)
    if not isinstance(value, str):
        raise _wrong(name, "TYPE_ENUM")
    return value


def message(source: Object, name: str) -> Object | None:
    """Give an object inside the object."""
    value = get(source, name)
    if value is not None and not isinstance(value, dict):
        raise _wrong(name, "TYPE_MESSAGE")
    return value


def messages(source: Object, name: str) -> dict[str, Object]:
    """Give a map from strings to objects; null stands for an empty one."""
    value = message(source, name) or {}
    for key, entry in value.items():
        if entry is not None and not isinstance(entry, dict):
            raise _wrong(f"{name}[{_shown(key)}]", "TYPE_MESSAGE")
    return {key: entry or {} for key, entry in value.items()}


def repeated(source: Object, name: str, kind: type, kind_name: str) -> list[Any]:
    """Give a list; a single value stands for a list of one."""
    value = get(source, name)
    if value is None:
        return []
    values = value if isinstance(value, list) else [value]
    if not all(isinstance(entry, kind) for entry in values):
        raise _wrong(name, kind_name)
    return values


def _snake(name: str) -> str:
    return re.sub(r"[A-Z]", lambda capital: f"_{capital[0].lower()}", name)


def _wrong(name: str, kind: str) -> ApiError:
    return invalid(f"Invalid value at '{_snake(name)}' ({kind})")


def _shown(key: str) -> str:
    """Keep what a stranger sent short and printable."""
    return re.sub(r"[^\w.:-]", "?", key[:64], flags=re.ASCII)
