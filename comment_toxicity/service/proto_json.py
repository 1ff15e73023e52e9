"""JSON by the rules of proto3: the bytes of a request → an object → its fields.

An object is parsed strictly first; where that fails, as leniently as Google does it. Google's
parser takes unquoted keys, single quotes and trailing commas, and its own curl sample uses them.
It also takes line breaks within a string, which programs send that assemble JSON by hand.
Both parsers stop at deep nesting: json with RecursionError, pyjson5 at 32 levels. Measured on a
20 KB body: json 0.03 ms, pyjson5 0.2 ms (json5, written in Python, 90 ms).

A field has one of the types below. Its name may be in camelCase or snake_case; null means that it
is not set; numbers and booleans may be strings; an enum's value may be its number.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

from comment_toxicity.service.errors import ApiError, invalid

Object = dict[str, Any]

MALFORMED = "Invalid JSON payload received."


# Bytes → an object


def strict_object(body: bytes) -> Object:
    """Parse a JSON object. Raises ApiError for anything else."""
    try:
        value = json.loads(decode(body))
    except (ValueError, RecursionError) as error:
        raise _malformed(error) from None
    return _checked_object(value)


def lenient_object(body: bytes) -> Object:
    """Parse a JSON object, or what JSON5 takes for one. Raises ApiError for anything else."""
    import pyjson5

    text = decode(body)
    try:
        value = json.loads(text, strict=False)
    except (ValueError, RecursionError) as strict_error:
        try:
            value = pyjson5.decode(text)
        except (pyjson5.Json5Exception, ValueError, RecursionError):
            raise _malformed(strict_error) from None
    return _checked_object(value)


def decode(body: bytes) -> str:
    """Decode UTF-8, with or without a byte order mark. Raises ApiError."""
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise invalid(f"{MALFORMED} Byte {error.start} is not UTF-8.") from None


def _checked_object(value: Any) -> Object:
    if not isinstance(value, dict):
        raise invalid(f"{MALFORMED} Expected an object at the root.")
    return value


def _malformed(error: Exception) -> ApiError:
    """Name the position, but none of the characters there: they could be the comment's."""
    if isinstance(error, json.JSONDecodeError):
        return invalid(f"{MALFORMED} {error.msg} at line {error.lineno}, column {error.colno}.")
    return invalid(f"{MALFORMED} It is nested too deeply or holds a number that is too long.")


# Types of fields. read() turns a field's value, None where it is not set, into a Python value; it
# raises ApiError with the name of the field.


@dataclass(frozen=True)
class String:
    """Text, empty where it is not set."""

    python_type: ClassVar = str
    proto_type: ClassVar = "TYPE_STRING"

    def read(self, value: Any, name: str) -> str:
        """Return the string."""
        if value is None:
            return ""
        if not isinstance(value, str):
            raise _wrong(name, self.proto_type)
        return value


@dataclass(frozen=True)
class Boolean:
    """A flag, false where it is not set."""

    def read(self, value: Any, name: str) -> bool:
        """Return the flag."""
        if value is None:
            return False
        if isinstance(value, str):
            value = {"true": True, "false": False}.get(value.lower())
        if not isinstance(value, bool):
            raise _wrong(name, "TYPE_BOOL")
        return value


@dataclass(frozen=True)
class Number:
    """A finite number. The bounds are documented, and checked by the reader of the message."""

    minimum: int | None = None
    maximum: int | None = None

    def read(self, value: Any, name: str) -> float | None:
        """Return the number."""
        if value is None:
            return None
        try:
            if isinstance(value, bool) or not isinstance(value, int | float | str):
                raise ValueError
            number = float(value)
        except (ValueError, OverflowError):
            raise _wrong(name, "TYPE_FLOAT") from None
        if not math.isfinite(number):
            raise _wrong(name, "TYPE_FLOAT")
        return number


@dataclass(frozen=True)
class Integer:
    """A whole number. The bound is documented, and checked by the reader of the message."""

    minimum: int | None = None

    def read(self, value: Any, name: str) -> int | None:
        """Return the number."""
        number = Number().read(value, name)
        if number is not None and number != int(number):
            raise _wrong(name, "TYPE_INT32")
        return None if number is None else int(number)


@dataclass(frozen=True)
class Enum:
    """One of some names, the first where it is not set."""

    values: Sequence[str]

    def read(self, value: Any, name: str) -> str:
        """Return the name.

        A name, or an int32, that is not among the values is returned unchanged: the reader of the
        message has the right error for it.
        """
        if value is None:
            return self.values[0]
        if isinstance(value, int) and not isinstance(value, bool) and -(2**31) <= value < 2**31:
            return self.values[value] if 0 <= value < len(self.values) else str(value)
        if not isinstance(value, str):
            raise _wrong(name, "TYPE_ENUM")
        return value


@dataclass(frozen=True)
class Message:
    """An object with these fields.

    name: what documents call it.
    required: the fields that are always there, for the OpenAPI document.
    closed: whether other fields are an error.
    additions: fields that Perspective's own message lacks, so that the discovery document, which
        describes Perspective's, leaves them out.
    example: for the OpenAPI document.
    """

    python_type: ClassVar = dict
    proto_type: ClassVar = "TYPE_MESSAGE"

    name: str
    fields: Mapping[str, "Type"]
    required: Sequence[str] = ()
    closed: bool = False
    additions: Sequence[str] = ()
    example: Object | None = None

    def read(self, value: Any, name: str) -> Object | None:
        """Return the object, whose fields get() reads."""
        if value is not None and not isinstance(value, dict):
            raise _wrong(name, self.proto_type)
        return value

    def get(self, source: Object, name: str) -> Any:
        """Return the field `name` of an object that is such a message, by the field's type."""
        value = source.get(name)
        if value is None:
            value = source.get(_snake(name))
        return self.fields[name].read(value, name)


@dataclass(frozen=True)
class List:
    """A list; a single value counts as a list of one. The length is documented only."""

    items: "Type"
    minimum: int | None = None
    maximum: int | None = None
    description: str = ""

    def read(self, value: Any, name: str) -> list[Any]:
        """Return the list, of strings or of objects."""
        if value is None:
            return []
        values = value if isinstance(value, list) else [value]
        assert isinstance(self.items, String | Message)  # noqa: S101 - no other list is received
        if not all(isinstance(entry, self.items.python_type) for entry in values):
            raise _wrong(name, self.items.proto_type)
        return values


@dataclass(frozen=True)
class Map:
    """An object with any keys. Only the maximum is checked here, before the entries are read."""

    values: "Type"
    minimum: int | None = None
    maximum: int | None = None

    def read(self, value: Any, name: str) -> dict[str, Object]:
        """Return the map, of objects; null counts as an empty one."""
        if value is not None and not isinstance(value, dict):
            raise _wrong(name, "TYPE_MESSAGE")
        entries = value or {}
        if self.maximum is not None and len(entries) > self.maximum:
            raise invalid(f"{_snake(name)} holds more than {self.maximum} entries")
        for key, entry in entries.items():
            if entry is not None and not isinstance(entry, dict):
                raise _wrong(name, "TYPE_MESSAGE", f"[{_printable(key)}]")
        return {key: entry or {} for key, entry in entries.items()}


class Documented:
    """A type that the OpenAPI document describes, and that is read unchanged."""

    def read(self, value: Any, name: str) -> Any:
        """Return the value."""
        return value


@dataclass(frozen=True)
class JsonSchema(Documented):
    """What a JSON Schema describes."""

    schema: Object


@dataclass(frozen=True)
class OneOf(Documented):
    """One of several types."""

    options: Sequence["Type"]


@dataclass(frozen=True)
class Label(Documented):
    """One of the model's labels."""


@dataclass(frozen=True)
class PolicyName(Documented):
    """The name of one of the operator's policies."""


Type = (
    String
    | Boolean
    | Number
    | Integer
    | Enum
    | Message
    | List
    | Map
    | JsonSchema
    | OneOf
    | Label
    | PolicyName
)


@cache  # of our own fields' names
def _snake(name: str) -> str:
    return re.sub(r"[A-Z]", lambda capital: f"_{capital[0].lower()}", name)


def _wrong(name: str, proto_type: str, entry: str = "") -> ApiError:
    """Name a field in snake_case; entry: a map's key in brackets, as it was sent."""
    return invalid(f"Invalid value at '{_snake(name)}{entry}' ({proto_type})")


def _printable(key: str) -> str:
    """Keep what a stranger sent short and printable."""
    return re.sub(r"[^\w.:-]", "?", key[:64], flags=re.ASCII)
