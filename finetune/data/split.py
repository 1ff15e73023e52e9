"""Clean rows of the tables that the settings name → training, validation and test rows."""

from collections import defaultdict
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from comment_toxicity.errors import DataError, SettingsError
from finetune.config import Settings
from finetune.data.labels import (
    UNKNOWN_CLASS,
    Layout,
    Notes,
    at_half,
    cell_text,
    class_text,
    classes_in,
    clean_rows,
    label_matrix,
    listed_in,
    need_columns,
    row_weights,
)
from finetune.data.mix import (
    by_language,
    mixed,
    read_extra,
    with_inserted,
    with_passages,
    with_words,
)
from finetune.data.tables import read_table
from finetune.data.teachers import with_teachers


@dataclass
class Split:
    """The rows of a run. test is None when neither test_data nor test_fraction gives any.

    Training rows keep shares of annotators; validation and test rows have 1 from 0.5 up.
    """

    train: pd.DataFrame
    validation: pd.DataFrame
    test: pd.DataFrame | None
    prevalence: dict[str, float]
    """Share of each label in the natural mix of comments: weighted where a weight column is."""
    notes: dict[str, Notes] = field(default_factory=dict)
    """What was left out of each table, by the setting or, of extra_data, by the name."""


def with_labels(settings: Settings, table: pd.DataFrame | None = None) -> Settings:
    """The settings, with the labels that a label column holds where none are set.

    table: the rows of train_data; None reads them.
    """
    if settings.labels:
        return settings
    name = settings.label_column or settings.label_list_column
    if table is None:
        table = read_table(settings.train_data, [name], settings.encoding)
    need_columns(table, [name], settings.train_data)
    find = classes_in if settings.label_column else listed_in
    labels = find(table[name], settings.train_data)
    print(f"   labels of column {name}: {', '.join(labels)}")
    if settings.label_column and (table[name].map(class_text) == UNKNOWN_CLASS[-1]).any():
        print("   -1 counts as unknown; if it is a class, name it in labels too")
    return replace(settings, labels=labels)


def make_split(settings: Settings) -> Split:
    """Read, clean, sample and divide the rows that the settings name."""
    if not settings.labels:
        raise SettingsError("labels is empty; with_labels takes them from label_column.")
    layout = settings.layout
    notes: dict[str, Notes] = defaultdict(Notes)
    rows, only_for_training = _read_train(settings, notes["train_data"])
    validation = test = None
    if settings.validation_data:
        table = read_table(settings.validation_data, layout.wanted, settings.encoding)
        validation = clean_rows(
            table, layout.optional(table), settings.validation_data, notes=notes["validation_data"]
        )
    if settings.test_data:
        test = _read_test(settings, notes["test_data"])
        test = _sample(test, settings.test_sample, settings.seed, notes["test_data"])
    if validation is not None and test is not None:
        validation = _apart_from([test], validation, layout, notes["validation_data"])
    held_out = [table for table in (validation, test) if table is not None]
    rows = _apart_from(held_out, rows, layout, notes["train_data"])
    if rows.empty:
        raise DataError(
            f"{settings.train_data}: all of its rows are also in validation_data or test_data; "
            "give other rows to train on."
        )
    fractions = {}
    if validation is None:
        fractions["validation"] = settings.validation_fraction
    if test is None and settings.test_fraction:
        fractions["test"] = settings.test_fraction
    only_for_training = only_for_training[rows.index]
    candidates = rows[~only_for_training].reset_index(drop=True)
    if candidates.empty and fractions:
        raise DataError(
            f"{settings.train_data}: train_only matches all of its rows, which leaves none for "
            f"{' and '.join(fractions)}; match fewer, or set {'_data and '.join(fractions)}_data."
        )
    part = assign_parts(candidates, layout, fractions, settings.seed)
    if validation is None:
        validation = _decided(candidates[part == "validation"], layout)
    if test is None and settings.test_fraction:
        test = _decided(candidates[part == "test"], layout)
    held_out = [table for table in (validation, test) if table is not None]
    only = _apart_from(held_out, rows[only_for_training], layout, notes["train_data"])
    train = pd.concat([candidates[part == "train"], only], ignore_index=True)
    extra = read_extra(settings, notes)
    notes["extra_data"].rows = len(extra)
    extra = _apart_from(held_out, extra, layout, notes["extra_data"])
    train = with_words(mixed(train, extra, settings), settings)
    train = with_passages(by_language(train, settings), settings)
    if settings.passages:  # a passage can equal a whole held-out comment
        train = _apart_from(held_out, train, layout).reset_index(drop=True)
    _check_labels(train, "training", settings, what="learn")
    _check_labels(validation, "validation", settings, what="choose a threshold for")
    # Without a column that says which rows are a random sample, a validation table of its own is
    # taken for one.
    own_mix = settings.validation_data and not settings.weight_column
    return Split(
        train=with_inserted(with_teachers(train, settings), settings),
        validation=validation.reset_index(drop=True),
        test=None if test is None else test.reset_index(drop=True),
        prevalence=prevalence(validation if own_mix or candidates.empty else candidates, settings),
        notes=dict(notes),
    )


def _read_train(settings: Settings, notes: Notes) -> tuple[pd.DataFrame, pd.Series]:
    """Rows of train_data but for excluded ones, and which of them are for training only."""
    source = settings.train_data
    names = [*settings.layout.wanted, *settings.exclude, *settings.train_only]
    table = read_table(source, names, settings.encoding)
    layout = settings.layout.of_table(table)
    need_columns(table, [*layout.columns, *settings.exclude, *settings.train_only], source)
    excluded = _matches(table, settings.exclude)
    rows = clean_rows(table[~excluded], layout, source, soft=True, notes=notes)
    notes.rows = len(table)
    notes.leave_out(int(excluded.sum()), "excluded")
    only_for_training = _matches(table, settings.train_only)[rows.index]
    return _sample(rows, settings.sample, settings.seed, notes), only_for_training


def _read_test(settings: Settings, notes: Notes) -> pd.DataFrame:
    layout = settings.test_layout
    table = read_table(settings.test_data, layout.wanted, settings.encoding)
    known = layout.optional(table)
    if settings.test_weight_column:  # named for this very table, so it has to be there
        known = replace(known, weight=layout.weight)
    return clean_rows(table, known, settings.test_data, notes=notes)


def _decided(rows: pd.DataFrame, layout: Layout) -> pd.DataFrame:
    """Rows for measuring: a share of annotators from 0.5 up is the label."""
    if layout.class_column is not None:
        return rows
    return rows.assign(**{label: at_half(rows[label]) for label in layout.labels})


def _matches(table: pd.DataFrame, conditions: dict[str, list[str]]) -> pd.Series:
    """Which rows have one of the values in one of the columns."""
    matching = pd.Series(False, index=table.index)
    for column, values in conditions.items():
        lower = [value.lower() for value in values]
        matching |= table[column].map(cell_text).str.lower().isin(lower)
    return matching


def _sample(rows: pd.DataFrame, size: int, seed: int, notes: Notes) -> pd.DataFrame:
    if not 0 < size < len(rows):
        return rows
    notes.leave_out(len(rows) - size, "not drawn in the sample")
    return rows.sample(size, random_state=seed)


def _apart_from(
    held_out: list[pd.DataFrame], rows: pd.DataFrame, layout: Layout, notes: Notes | None = None
) -> pd.DataFrame:
    """Leave out rows that share their text or id with one of the held-out tables."""
    before = len(rows)
    for table in held_out:
        rows = rows[~text_key(rows[layout.text]).isin(text_key(table[layout.text]))]
        if layout.id is not None and layout.id in rows and layout.id in table:
            ids = rows[layout.id]
            rows = rows[~ids.isin(table[layout.id]) | (ids == "")]
    if notes is not None:
        notes.leave_out(before - len(rows), "with the text or id of a held-out row")
    return rows


def text_key(texts: pd.Series) -> pd.Series:
    """Texts without case and spacing: two texts with the same key count as the same."""
    return texts.str.casefold().str.split().str.join(" ")


def near_repeats(split: Split, text: str) -> int:
    """How many test rows equal a training row in all letters, but not in digits or signs.

    Those that are equal as a whole are never in both parts. text: the column with the comments.
    """
    if split.test is None:
        return 0
    tested, trained = (
        rows[text].str.casefold().str.replace(r"[\W\d_]+", "", regex=True)
        for rows in (split.test, split.train)
    )
    return int((tested.isin(trained) & (tested != "")).sum())


def assign_parts(
    rows: pd.DataFrame, layout: Layout, fractions: dict[str, float], seed: int
) -> np.ndarray:
    """The part of the split that each row is in: "train" or one of fractions' names.

    Rows with the same text, or the same id, go together. Each group counts as one of its rarest
    label, and every label's groups are dealt out in the same proportion, so that a rare label
    occurs in each part as soon as it has one group a part.
    """
    if not fractions:
        return np.full(len(rows), "train", dtype=object)
    group = _groups(rows, layout)
    targets = at_half(label_matrix(rows, layout))
    counts = np.nansum(targets == 1, axis=0)
    rarest_first = np.argsort(counts, kind="stable")
    stratum = np.full(len(rows), len(counts))
    for rank, label in reversed(list(enumerate(rarest_first))):
        stratum[targets[:, label] == 1] = rank
    stratum_of_group = pd.Series(stratum).groupby(group).min()
    generator = np.random.default_rng(seed)
    part_of_group = pd.Series("train", index=stratum_of_group.index, dtype=object)
    for rank in np.unique(stratum_of_group):
        members = stratum_of_group.index[stratum_of_group == rank].to_numpy()
        members = generator.permutation(members)
        start = 0
        for name, fraction in fractions.items():
            size = round(len(members) * fraction)
            if fraction and size == 0 and len(members) > len(fractions):
                size = 1
            part_of_group[members[start : start + size]] = name
            start += size
    return part_of_group.loc[group].to_numpy()


def prevalence(rows: pd.DataFrame, settings: Settings) -> dict[str, float]:
    """Estimate each label's share in the natural mix of comments, from rows by their weights."""
    layout = settings.layout
    targets, weights = at_half(label_matrix(rows, layout)), row_weights(rows, layout)
    shares = {}
    for label, column in zip(settings.labels, targets.T, strict=True):
        known = ~np.isnan(column) & (weights > 0)
        if not known.any():
            why = f"{label} is unknown in every row; add rows with it, or leave it out of labels."
            if settings.weight_column and not np.isnan(column).all():
                why = (
                    f"{settings.weight_column} is 0 in every row where {label} is known; mark the "
                    "rows that are a random sample."
                )
            raise DataError(f"{settings.train_data}: {why}")
        shares[label] = float(np.average(column[known], weights=weights[known]))
    return shares


def save_split(split: Split, folder: Path) -> None:
    """Write split/{train,validation,test}.parquet; each can be given as *_data of another run.

    The folder is readable by its owner alone: the comments in it may be private.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name in ("train", "validation", "test"):
        rows = getattr(split, name)
        if rows is not None:
            rows.to_parquet(folder / f"{name}.parquet", index=False)


def load_split(folder: Path, prevalence: dict[str, float]) -> Split:
    """Read what save_split wrote."""
    paths = {name: folder / f"{name}.parquet" for name in ("train", "validation", "test")}
    if not (paths["train"].is_file() and paths["validation"].is_file()):
        raise DataError(f"{folder}: no split there; run the data stage first.")
    return Split(
        train=pd.read_parquet(paths["train"]),
        validation=pd.read_parquet(paths["validation"]),
        test=pd.read_parquet(paths["test"]) if paths["test"].is_file() else None,
        prevalence=prevalence,
    )


def _groups(rows: pd.DataFrame, layout: Layout) -> np.ndarray:
    """The number of each row's group: rows that share a text or an id, directly or through others.

    Rows without an id do not share it.
    """
    texts = pd.factorize(text_key(rows[layout.text]))[0]
    if layout.id is None or layout.id not in rows:
        return texts
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ids = pd.factorize(rows[layout.id])[0]
    without = np.flatnonzero(rows[layout.id] == "")
    ids[without] = len(rows) + np.arange(len(without))
    nodes = texts.max() + 1 + ids.max() + 1
    edges = coo_array((np.ones(len(rows)), (texts, texts.max() + 1 + ids)), shape=(nodes, nodes))
    return connected_components(edges, directed=False)[1][texts]


def _check_labels(rows: pd.DataFrame, part: str, settings: Settings, what: str) -> None:
    targets = at_half(label_matrix(rows, settings.layout))
    source = getattr(settings, f"{part}_data", "") or settings.train_data
    for label, column in zip(settings.labels, targets.T, strict=True):
        for value, kind in ((1, "positive"), (0, "negative")):
            if (column == value).any():
                continue
            missing = f"no {kind} row of {label}"
            if settings.single_label:
                missing = f"no row of class {label}" if value else f"only rows of class {label}"
            raise DataError(
                f"{source}: the {part} rows have {missing}, so nothing can {what} it; add rows, or "
                "leave the label out of labels."
            )
