"""The types of JSON values, decided over a whole column: no value is changed to fit a type.

A type is "null", "bool", "int", "int64", "float", "string", {"list": type}, {"struct": {name:
type}}, or "json": values that have no type in common, or none in Parquet. It can be saved as JSON.
"""

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow

Type = str | dict[str, Any]

EXACT = 2**53  # a whole number up to this is the same as a float: “int”; others are “int64”
MOST_NESTED, MOST_FIELDS = 8, 100
WIDER = {frozenset(("int", "int64")): "int64", frozenset(("int", "float")): "float"}


def type_of(value: Any, nested: int = 0) -> Type:
    """The type of a value of JSON; nested: how many lists and objects it is in."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "null"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        whole = "int64" if -(2**63) <= value < 2**63 else "json"
        return "int" if abs(value) <= EXACT else whole
    if isinstance(value, float | str):
        return "float" if isinstance(value, float) else "string"
    if nested == MOST_NESTED:
        return "json"
    if isinstance(value, list):
        item: Type = "null"
        for one in value:
            item = merged(item, type_of(one, nested + 1))
        return _nested("list", {"item": item})
    if isinstance(value, dict) and 0 < len(value) <= MOST_FIELDS:
        fields = {name: type_of(field, nested + 1) for name, field in value.items()}
        return _nested("struct", fields)
    return "json"


def merged(first: Type, second: Type) -> Type:
    """The type that holds the values of both as they are."""
    if first == second or second == "null":
        return first
    if first == "null":
        return second
    if isinstance(first, str) or isinstance(second, str):
        return WIDER.get(frozenset(map(str, (first, second))), "json")
    (kind, fields), (other, others) = *first.items(), *second.items()
    if kind != other or fields.keys() != others.keys():  # a key that is missing is not a null
        return "json"
    return _nested(kind, {name: merged(field, others[name]) for name, field in fields.items()})


def _nested(kind: str, fields: dict[str, Type]) -> Type:
    return "json" if "json" in fields.values() else {kind: fields}


def arrow_type(column: Type) -> "pyarrow.DataType":
    """The Parquet type of a column; JSON is text."""
    import pyarrow

    if isinstance(column, dict):
        [(kind, fields)] = column.items()
        types = {name: arrow_type(field) for name, field in fields.items()}
        return pyarrow.list_(types["item"]) if kind == "list" else pyarrow.struct(types)
    return {
        "null": pyarrow.null(),
        "bool": pyarrow.bool_(),
        "int": pyarrow.int64(),
        "int64": pyarrow.int64(),
        "float": pyarrow.float64(),
    }.get(column, pyarrow.string())
