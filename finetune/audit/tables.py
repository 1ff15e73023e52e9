"""Lists of figures → a DataFrame for a page, lines of text for the terminal."""

import dataclasses
import math
from collections.abc import Iterable
from typing import Any

import pandas as pd


def frame_of(rows: Iterable[Any], kind: type) -> pd.DataFrame:
    """Give a line a dataclass and a column a field; `kind` names the fields where there is none."""
    names = [field.name for field in dataclasses.fields(kind)]
    return pd.DataFrame([dataclasses.asdict(row) for row in rows], columns=names)


def as_text(frame: pd.DataFrame) -> str:
    """Write a frame in fixed-width lines, with words for column names and – for nothing."""
    titled = frame.rename(columns=lambda name: str(name).replace("_", " "))
    # pandas itself writes None where a column has words, truths or nothing.
    known = titled.astype(object).where(titled.notna(), "–")
    return known.to_string(index=False, float_format=lambda value: f"{value:.4f}")


def shown(value: float | None) -> str:
    """Write a figure with four decimals, – for None or NaN."""
    return "–" if value is None or math.isnan(value) else f"{value:.4f}"


def mean(values: Iterable[float | None]) -> float | None:
    """Give the mean of those that are known; None if none is."""
    found = [value for value in values if value is not None]
    return sum(found) / len(found) if found else None
