"""What training reads besides train_data, and how often it reads each source.

Extra tables, passages cut out of comments, and noise. A row's source is its value in the column
SOURCE; rows of train_data have none, and settings call them train_data.
"""

import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from comment_toxicity.errors import DataError
from comment_toxicity.text import sentences
from finetune.config import Settings
from finetune.data.hub import HubTable
from finetune.data.labels import HALF, Notes, clean_rows, row_languages
from finetune.data.noise import add_noise
from finetune.data.tables import public_url, read_table

TEXT, SOURCE, LICENCE = "text", "source", "licence"
"""The columns of an extra table, besides its labels."""
MAIN = "train_data"
MAIN_LONG = "train_data_long"
"""Rows of train_data of at least LONG words, where settings.mix names them apart."""
BLATANT = ("insult", "threat")
"""Labels that a reader sees in a sentence, whatever stands around it."""
MOST_TIMES = 4
"""A row of a rare language is read so many times per epoch, at most, so as not to be memorized."""
SHORT, LONG, LONGEST = 25, 60, 170
"""Words of a comment that is inserted, at most; of one around it, at least; and kept around it."""


def read_extra(settings: Settings, notes: dict[str, Notes] | None = None) -> pd.DataFrame:
    """Read extra_data: clean rows with a source and, where a table states one, a licence.

    A table's comments are in the column text, or else in settings.text_column. A label that it has
    no column for is unknown; a class column it must have. notes: gets what is to be said of each.
    """
    layout, tables = replace(settings.layout, weight=None, id=None), []
    for name in settings.extra_data:
        table = read_table(name, [TEXT, SOURCE, LICENCE, *layout.wanted], settings.encoding)
        own = replace(layout, text=TEXT if TEXT in table else layout.text)
        if own.class_column is None and own.list_column not in table:
            known = tuple(label for label in own.labels if label in table)
            own = replace(own, labels=known, list_column=None)
        about = Notes()
        rows = clean_rows(table, own, name, soft=True, notes=about)
        rows = rows.rename(columns={own.text: layout.text})
        if notes is not None:
            notes[public_url(name)] = about
        for label in layout.label_columns:
            if label not in rows:
                rows[label] = np.nan
        stated = table.get(SOURCE, pd.Series("", index=table.index)).fillna("")
        rows[SOURCE] = stated.mask(stated == "", _name_of(name))[rows.index]
        if LICENCE in table:
            rows[LICENCE] = table[LICENCE]
        tables.append(rows)
    if not tables:
        return pd.DataFrame(columns=[layout.text, *layout.label_columns, SOURCE])
    return pd.concat(tables, ignore_index=True)


def _name_of(table: str) -> str:
    """What a table without sources is called in settings: its file's name, or the Hub dataset's."""
    on_hub = HubTable.parse(table)
    if on_hub and on_hub.configuration:  # owner/name:configuration/split, no path
        return table.split("/", 1)[1]
    return Path(public_url(table)).stem


def mixed(train: pd.DataFrame, extra: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    """Put the sources together, each as often as settings.mix says."""
    generator = np.random.default_rng(settings.seed)

    def repeated(rows: pd.DataFrame, source: str) -> list[pd.DataFrame]:
        whole, part = divmod(settings.mix.get(source, 1.0), 1)
        chosen = generator.random(len(rows)) < part
        if source not in (MAIN, MAIN_LONG) and not whole:
            chosen |= (rows[list(settings.rare)] >= HALF).any(axis=1).to_numpy()
        return [rows] * int(whole) + [rows[chosen]]

    if MAIN_LONG in settings.mix:
        long = words_of(train[settings.text_column]) >= LONG
        parts = repeated(train[~long], MAIN) + repeated(train[long], MAIN_LONG)
    else:
        parts = repeated(train, MAIN)
    sources = extra[SOURCE].unique().tolist()
    for setting, own in (("mix", {MAIN, MAIN_LONG}), ("teacher_share", {MAIN})):
        unknown = set(getattr(settings, setting)) - {*own, *sources}
        if unknown:
            raise DataError(
                f"{setting} names {', '.join(sorted(unknown))}, which is not a source of "
                f"extra_data ({', '.join(map(str, sources)) or 'there is none'})."
            )
    for source in sources:
        parts += repeated(extra[extra[SOURCE] == source], source)
    parts = [part for part in parts if len(part)]
    return pd.concat(parts or [train.iloc[:0]], ignore_index=True)


def by_language(rows: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    """Repeat and drop rows, so that each language has its share; the number of rows stays about.

    Shares are proportional to rows ** (1 / settings.language_temperature), as in the training of
    multilingual encoders (Arivazhagan et al. 2019).
    """
    if settings.language_temperature == 1:
        return rows
    languages = row_languages(rows, settings.layout, settings.main_language)
    counts = languages.value_counts()
    shares = counts ** (1 / settings.language_temperature)
    times = (shares / shares.sum() * len(rows) / counts).clip(upper=MOST_TIMES)
    whole = languages.map(times).to_numpy()
    generator = np.random.default_rng(settings.seed)
    repeats = np.floor(whole + generator.random(len(rows))).astype(int)
    return rows.iloc[np.repeat(np.arange(len(rows)), repeats)].reset_index(drop=True)


def with_words(rows: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    """Keep the rows with a word that begins as one of settings.train_words; without these, all."""
    if not settings.train_words:
        return rows
    words = "|".join(map(re.escape, settings.train_words))
    named = rows[settings.text_column].str.contains(rf"\b(?:{words})", case=False)
    return rows[named].reset_index(drop=True)


def with_passages(rows: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    """Add settings.passages × the rows of train_data, each a run of its sentences, unlabelled.

    A comment of one sentence gives none, so there are fewer.
    """
    if not settings.passages:
        return rows
    own = rows[sources_of(rows) == MAIN]
    generator = np.random.default_rng(settings.seed)
    drawn = own.iloc[generator.integers(len(own), size=round(settings.passages * len(own)))]
    texts = [passage(text, generator) for text in drawn[settings.text_column]]
    drawn = drawn.assign(**{settings.text_column: texts}, **dict.fromkeys(settings.labels, np.nan))
    return pd.concat([rows, drawn[drawn[settings.text_column] != ""]], ignore_index=True)


def passage(text: str, generator: np.random.Generator) -> str:
    """Cut a run of sentences out of a text, not all of them; empty for a text of one sentence."""
    spans = sentences(text)
    if len(spans) < 2:
        return ""
    length = generator.integers(1, len(spans))
    first = generator.integers(0, len(spans) - length + 1)
    return text[spans[first][0] : spans[first + length - 1][1]]


def with_inserted(rows: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    """Add settings.inserted × the rows, each a short comment inserted into a long clean one.

    A reader flags one insult wherever it stands, so the long comment has the labels of the short
    one, the teachers' scores of it too. Two in three of the short ones have a label that shows in
    the words (BLATANT, where the labels have these), drawn so that each label comes as often; the
    others have none.
    """
    if not settings.inserted:
        return rows
    generator = np.random.default_rng(settings.seed)
    labels = rows[settings.labels].to_numpy(dtype=float)
    words = words_of(rows[settings.text_column])
    clean = (np.nan_to_num(labels) == 0).all(axis=1) & (labels == 0).any(axis=1)
    hosts = np.flatnonzero(clean & (words >= LONG))
    short = words <= SHORT
    telling = [settings.labels.index(label) for label in BLATANT if label in settings.labels]
    blatant = (labels[:, telling or slice(None)] == 1).any(axis=1)
    groups = [np.flatnonzero(short & blatant & (column == 1)) for column in labels.T]
    groups = [group for group in groups if len(group)]
    groups += [np.flatnonzero(short & clean)] * math.ceil(len(groups) / 2)
    groups = [group for group in groups if len(group)]
    if not groups or not len(hosts):
        raise DataError(
            f"inserted is set, but the training rows have no comment of at most {SHORT} words, or "
            f"none of at least {LONG} without a label; leave it out, or add such rows."
        )
    count = round(settings.inserted * len(rows))
    picked = [
        generator.choice(groups[group]) for group in generator.integers(len(groups), size=count)
    ]
    texts = rows[settings.text_column]
    added = rows.iloc[picked].assign(
        **{
            settings.text_column: [
                inserted(texts.iloc[index], texts.iloc[host], generator)
                for index, host in zip(picked, generator.choice(hosts, count), strict=True)
            ]
        }
    )
    return pd.concat([rows, added], ignore_index=True)


def inserted(text: str, host: str, generator: np.random.Generator) -> str:
    """Put a text between two sentences of another, of which up to LONGEST words stay around it."""
    spans = sentences(host)
    cut = int(generator.integers(len(spans) + 1))
    room = generator.uniform(10, LONGEST)
    before, after = cut, cut  # the first sentence that stays, and the one after the last
    while before > 0 or after < len(spans):
        backwards = before > 0 and (after == len(spans) or generator.random() < 0.5)
        first, last = (before - 1, after) if backwards else (before, after + 1)
        if host.count(" ", spans[first][0], spans[last - 1][1]) > room:
            break
        before, after = first, last
    gap = "\n\n" if generator.random() < 0.2 else " "
    left = host[spans[before][0] : spans[cut - 1][1]] if before < cut else ""
    right = host[spans[cut][0] : spans[after - 1][1]] if after > cut else ""
    return gap.join(part for part in (left, text.strip(), right) if part)


def words_of(texts: pd.Series) -> np.ndarray:
    """Count the words of each text, by the blanks between them."""
    return texts.str.count(r"\s+").to_numpy() + 1


def with_noise(rows: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    """Disguise settings.noise of the rows as people do to evade filters, the same each time."""
    generator = np.random.default_rng(settings.seed)
    changed = generator.random(len(rows)) < settings.noise
    texts = rows[settings.text_column].to_list()
    for index in np.flatnonzero(changed):
        texts[index] = add_noise(texts[index], generator)
    return rows.assign(**{settings.text_column: texts})


def sources_of(rows: pd.DataFrame) -> pd.Series:
    """Each row's source, by the name that settings.mix has for it."""
    if SOURCE not in rows:
        return pd.Series(MAIN, index=rows.index)
    return rows[SOURCE].fillna(MAIN).replace("", MAIN)


def count_sources(rows: pd.DataFrame) -> dict[str, Any]:
    """Source of extra_data → its number of rows, and its licence where one is stated."""
    if SOURCE not in rows:
        return {}
    counts: dict[str, Any] = {}
    for source, group in rows.dropna(subset=SOURCE).groupby(SOURCE):
        counts[str(source)] = {"rows": len(group)}
        if LICENCE in group and (stated := group[LICENCE].dropna().tolist()):
            counts[str(source)]["licence"] = str(stated[0])
    return counts
