"""Sentences with slots (a TOML file, as data/templates.toml) → a table of labelled rows.

The file has three parts: [identities], slots whose values each fill a sentence once; [slots],
filled at random; and [[sentences]], each with its texts, the labels that they share and their
language, if it is not English. A label that is not given is unknown.
"""

import re
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from comment_toxicity.errors import DataError

SLOT = re.compile(r"\{(\w+)\}")
FILLS = 60
"""How many times a sentence without an identity is filled."""
ARTICLE = re.compile(r"\b([Aa]) (?=(?!Euro)(?:[aeioAEIO]|un[a-hj-z]|ug))")


def read_templates(path: str | Path) -> pd.DataFrame:
    """Fill every sentence of the file, always with the same words.

    Returns the columns text, one per label of the file (1, 0 or NaN), language where the file names
    any, source (the file's name) and licence. Raises DataError when the file cannot be read or uses
    a slot that it does not define.
    """
    try:
        content = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        identities, slots = content["identities"], content["slots"]
        table = _filled(content["sentences"], identities, slots, path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); check the path.") from None
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise DataError(
            f"{path}: not a file of templates ({error}); data/templates.toml shows the format."
        ) from None
    return table.assign(source=Path(path).stem, licence="Apache-2.0").reset_index(drop=True)


def _filled(
    groups: list[dict[str, Any]],
    identities: dict[str, list[str]],
    slots: dict[str, list[str]],
    path: str | Path,
) -> pd.DataFrame:
    generator = np.random.default_rng(0)
    rows: list[dict[str, Any]] = []
    for group in groups:
        language = {"language": group["language"]} if "language" in group else {}
        for text in group["texts"]:
            for values in _identities(text, identities):
                filled = _fill(text, values, slots, generator, path)
                if not language:
                    filled = ARTICLE.sub(r"\1n ", filled)
                rows.append({"text": _as_typed(filled, generator), **group["labels"], **language})
    return pd.DataFrame(rows).drop_duplicates("text")


def _identities(text: str, identities: dict[str, list[str]]) -> list[dict[str, str]]:
    """The values of the identity slot, one dict per row to be made of a sentence."""
    for slot, values in identities.items():
        if f"{{{slot}}}" in text:
            return [{slot: value} for value in values]
    return [{}] * (FILLS if SLOT.search(text) else 1)


def _fill(
    text: str,
    values: dict[str, str],
    slots: dict[str, list[str]],
    generator: np.random.Generator,
    path: str | Path,
) -> str:
    def value(match: re.Match[str]) -> str:
        slot = match[1]
        if slot in values:
            return values[slot]
        if slot not in slots:
            raise DataError(f"{path}: no slot {slot} for {text!r}; add it under [slots].")
        return str(generator.choice(slots[slot]))

    return SLOT.sub(value, text)


def _as_typed(text: str, generator: np.random.Generator) -> str:
    """People write with and without capitals and full stops."""
    if generator.random() < 0.6:
        text = text[0].upper() + text[1:]
    if generator.random() < 0.3:
        text = text.rstrip(".。।")
    return text
