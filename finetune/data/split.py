"""Files of labelled comments → clean rows → training, validation and test rows.

A table is a pandas DataFrame with the text column first, then (if there are any) id and weight,
then one column a label: 1, 0 or NaN for unknown; single-label tasks have the one label column with
the class's place in settings.labels.
"""

import gzip
import re
import zlib
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import urlsplit, urlunsplit
from urllib.request import urlopen

import numpy as np
import pandas as pd

from comment_toxicity.disk import sha256_of
from comment_toxicity.errors import DataError
from comment_toxicity.files.read import BLANK, CsvInput
from finetune.config import Settings
from finetune.data.teachers import with_passages, with_teachers
from finetune.data.templates import read_templates


def _read_csv(source: str, compression: str | None) -> pd.DataFrame:
    # Cells as they stand, as for scoring: "null" is a comment, 007 no number, an empty cell a text.
    is_url = source.startswith(URLS)
    with urlopen(source) if is_url else Path(source).open("rb") as packed:  # noqa: S310 - http
        table = CsvInput(source, gzip.GzipFile(fileobj=packed) if compression else packed)
        parts = []
        for chunk in table.chunks(table.columns[0]):
            for reason in chunk.reasons:
                if reason not in (None, BLANK):
                    raise DataError(f"{source}: {reason}.")
            parts.append(pd.DataFrame(chunk.cells, columns=table.columns, dtype=str))
    return pd.concat(parts, ignore_index=True)


def _read_lines(source: str, compression: str | None) -> pd.DataFrame:
    try:
        return pd.read_json(source, compression=compression, lines=True, dtype=False)
    except TypeError:
        raise ValueError("one of its lines holds no object") from None


READERS = {
    ".csv": _read_csv,
    ".jsonl": _read_lines,
    ".json": _read_lines,
    ".parquet": lambda source, compression: pd.read_parquet(source),
    ".toml": lambda source, compression: read_templates(source),
}
TRAIN_ONLY = "train only"
"""The column of make_split's own that says which rows settings.train_only names."""
URLS = ("http://", "https://")
HUB_NAME = re.compile(r"^[\w.-]+/[\w.-]+(:[\w.-]+)?$")


@dataclass
class Split:
    """The rows of a run. test is None when neither test_data nor test_fraction gives any."""

    train: pd.DataFrame
    validation: pd.DataFrame
    test: pd.DataFrame | None
    prevalence: dict[str, float]
    """Share of each label in the natural mix of comments: weighted where a weight column is."""


def make_split(settings: Settings) -> Split:
    """Read, clean, sample and divide the rows that the settings name."""
    rows = read_rows(settings.train_data, settings, exclude=settings.exclude)
    rows = _sample(rows, settings.sample, settings.seed)
    validation = test = None
    if settings.validation_data:
        validation = read_rows(settings.validation_data, settings)
    if settings.test_data:
        weights = settings.test_weight_column or settings.weight_column
        test = read_rows(settings.test_data, settings, weight_column=weights)
        test = _sample(test, settings.test_sample, settings.seed)
    if validation is not None and test is not None:
        validation = _apart_from([test], validation, settings)
    held_out = [table for table in (validation, test) if table is not None]
    rows = _apart_from(held_out, rows, settings).reset_index(drop=True)
    if rows.empty:
        raise DataError(
            f"{settings.train_data}: all of its rows are in validation_data or test_data as well; "
            "give other rows to train on."
        )
    fractions = {}
    if validation is None:
        fractions["validation"] = settings.validation_fraction
    if test is None and settings.test_fraction:
        fractions["test"] = settings.test_fraction
    only = rows.pop(TRAIN_ONLY) if settings.train_only else pd.Series(False, index=rows.index)
    candidates = rows[~only].reset_index(drop=True)
    if candidates.empty and fractions:
        raise DataError(
            f"{settings.train_data}: train_only names all of its rows, which leaves none for "
            f"{' and '.join(fractions)}; name fewer, or give {'_data and '.join(fractions)}_data."
        )
    side = assign_sides(candidates, settings, fractions)
    if validation is None:
        validation = candidates[side == "validation"]
    if test is None and settings.test_fraction:
        test = candidates[side == "test"]
    held_out = [table for table in (validation, test) if table is not None]
    train = pd.concat(
        [candidates[side == "train"], _apart_from(held_out, rows[only], settings)],
        ignore_index=True,
    )
    train = with_passages(_mixed(train, _extra_rows(held_out, settings), settings), settings)
    if settings.passages:  # a passage can be what a comment held out says as a whole
        train = _apart_from(held_out, train, settings).reset_index(drop=True)
    _check_labels(train, "training", settings, what="learn")
    _check_labels(validation, "validation", settings, what="choose a threshold for")
    # Without a column that says which rows are a random sample, a validation table of its own is
    # taken for one.
    own_mix = settings.validation_data and not settings.weight_column
    split = Split(
        train=with_teachers(train, settings),
        validation=validation,
        test=test,
        prevalence=prevalence(validation if own_mix or candidates.empty else candidates, settings),
    )
    for name in ("validation", "test"):
        if getattr(split, name) is not None:
            setattr(split, name, getattr(split, name).reset_index(drop=True))
    return split


def read_rows(
    source: str,
    settings: Settings,
    exclude: dict[str, list[str]] | None = None,
    weight_column: str | None = None,
) -> pd.DataFrame:
    """Read one table and keep what a run needs of it: rows with text, and the columns above.

    exclude: column → values; rows with one of the values are left out.
    weight_column: where this table's weights are (default: settings.weight_column).
    Raises DataError for a missing column or a label that is neither 0, 1 nor unknown.
    """
    table = read_table(source)
    text = settings.text_column
    labels = [settings.label_column] if settings.single_label else settings.labels
    named = [settings.id_column, settings.weight_column] if source == settings.train_data else []
    if weight_column and weight_column == settings.test_weight_column:
        named.append(weight_column)
    train_only = settings.train_only if source == settings.train_data else {}
    conditions = [*(exclude or {}), *train_only]
    _need(table, [text, *labels, *filter(None, named), *conditions], source)
    table = table[~_matches(table, exclude or {})]
    if table[text].map(lambda value: isinstance(value, list | dict | np.ndarray)).any():
        raise DataError(f"{source}: column {text} holds lists, not texts; name another one.")
    rows = pd.DataFrame({text: table[text].map(lambda value: "" if pd.isna(value) else str(value))})
    if settings.id_column in table:
        rows[settings.id_column] = table[settings.id_column].map(_as_text)
    weight_column = settings.weight_column if weight_column is None else weight_column
    if weight_column in table:
        rows[weight_column] = weight_values(table[weight_column], source)
    for label in labels:
        rows[label] = _label(table[label], settings, source)
    if train_only:
        rows[TRAIN_ONLY] = _matches(table, train_only)
    blank = rows[text].str.strip() == ""
    unlabelled = rows[labels].isna().all(axis=1)
    rows = rows[~blank & ~unlabelled].reset_index(drop=True)
    if rows.empty:
        raise DataError(f"{source}: no row has both a comment and a label; check the columns.")
    return rows


def _extra_rows(held_out: list[pd.DataFrame], settings: Settings) -> pd.DataFrame | None:
    """Read extra_data, apart from what validation or test rows say as well."""
    tables = []
    for source in settings.extra_data:
        table = read_table(source)
        text = "text" if source.endswith(".toml") else settings.extra_text_column
        labels = [settings.label_column] if settings.single_label else settings.labels
        _need(table, [text, *filter(None, [settings.label_column])], source)
        for label in labels:
            known = label in table
            table[label] = _label(table[label], settings, source) if known else np.nan
        names = table.get(settings.source_column, pd.Series("", index=table.index)).fillna("")
        table[settings.source_column] = names.mask(names == "", Path(public_url(source)).stem)
        rows = pd.DataFrame({settings.text_column: table[text].map(_as_text)})
        for column in (settings.source_column, "licence", *labels):
            if column in table:
                rows[column] = table[column]
        usable = (rows[settings.text_column] != "") & rows[labels].notna().any(axis=1)
        tables.append(_apart_from(held_out, rows[usable], settings))
    return pd.concat(tables, ignore_index=True) if tables else None


def _apart_from(
    held_out: list[pd.DataFrame], rows: pd.DataFrame, settings: Settings
) -> pd.DataFrame:
    """Leave out rows that share their text or id with one of the held out tables."""
    for table in held_out:
        rows = rows[
            ~text_key(rows[settings.text_column]).isin(text_key(table[settings.text_column]))
        ]
        if settings.id_column in rows and settings.id_column in table:
            ids = rows[settings.id_column]
            rows = rows[~ids.isin(table[settings.id_column]) | (ids == "")]
    return rows


def _mixed(train: pd.DataFrame, extra: pd.DataFrame | None, settings: Settings) -> pd.DataFrame:
    """Put the sources together, each as often as settings.mix says."""
    generator = np.random.default_rng(settings.seed)

    def often(rows: pd.DataFrame, source: str) -> list[pd.DataFrame]:
        whole, part = divmod(settings.mix.get(source, 1.0), 1)
        chosen = generator.random(len(rows)) < part
        if source != "train_data" and not whole:
            chosen |= (rows[list(settings.rare)] == 1).any(axis=1).to_numpy()
        return [rows] * int(whole) + [rows[chosen]]

    parts = often(train, "train_data")
    extra = train.iloc[:0].assign(**{settings.source_column: ""}) if extra is None else extra
    sources = extra[settings.source_column].unique().tolist()
    for setting in ("mix", "teacher_share"):
        unknown = set(getattr(settings, setting)) - {"train_data", *sources}
        if unknown:
            raise DataError(
                f"{setting} names {', '.join(sorted(unknown))}, which no row of extra_data is from "
                f"(its sources: {', '.join(map(str, sources)) or 'none'})."
            )
    for source in sources:
        parts += often(extra[extra[settings.source_column] == source], source)
    parts = [part for part in parts if len(part)]
    return pd.concat(parts or [train.iloc[:0]], ignore_index=True)


def _matches(table: pd.DataFrame, conditions: dict[str, list[str]]) -> pd.Series:
    """Say which rows have one of the values in one of the columns."""
    found = pd.Series(False, index=table.index)
    for column, values in conditions.items():
        found |= table[column].map(_as_text).str.lower().isin([value.lower() for value in values])
    return found


def read_table(source: str) -> pd.DataFrame:
    """Read a CSV (.csv, .csv.gz), JSON lines (.jsonl, .jsonl.gz) or Parquet file, or a URL of one.

    Anything else of the form owner/name[:split] is a Hub dataset, read through the Parquet copy
    that the Hub keeps of each (branch refs/convert/parquet). Raises DataError in one sentence.
    """
    is_url = source.startswith(URLS)
    is_file = Path(source).is_file() or source.endswith((*READERS, ".gz"))
    if not is_url and not is_file and HUB_NAME.match(source):
        return _read_hub(source)
    name = source.split("?")[0].lower() if is_url else source.lower()
    compression = "gzip" if name.endswith(".gz") else None
    suffix = Path(name.removesuffix(".gz")).suffix
    if suffix not in READERS:
        raise DataError(
            f"{source}: this kind of file can't be read; give .csv, .csv.gz, .jsonl or .parquet."
        )
    try:
        table = READERS[suffix](source, compression)
    except FileNotFoundError:
        raise DataError(f"{source}: no such file; check the path.") from None
    except pd.errors.EmptyDataError:
        raise DataError(f"{source}: the file is empty; give one with a header and rows.") from None
    except UnicodeDecodeError as error:
        raise DataError(
            f"{source}: not UTF-8 text (byte {error.object[error.start]:#04x} at place "
            f"{error.start}); save the file as UTF-8."
        ) from None
    except (URLError, TimeoutError, HTTPException) as error:
        raise DataError(f"{source}: cannot be fetched ({error}); check URL and network.") from None
    except (OSError, EOFError, zlib.error, ValueError) as error:  # ParserError is a ValueError
        cause = " ".join(str(error).split())
        raise DataError(f"{source}: cannot be read as {suffix[1:]} ({cause}).") from None
    if table.empty:
        raise DataError(f"{source}: the file has no rows; give one with labelled comments.")
    return table


def _read_hub(name: str) -> pd.DataFrame:
    from httpx2 import HTTPError
    from huggingface_hub import HfApi, hf_hub_download
    from huggingface_hub.errors import HFValidationError

    repository, _, part = name.partition(":")
    part = part or "train"
    where: dict[str, Any] = {
        "repo_id": repository,
        "repo_type": "dataset",
        "revision": "refs/convert/parquet",
    }
    try:
        files = sorted(
            path
            for path in HfApi().list_repo_files(**where)
            if path.endswith(".parquet") and path.split("/")[-2] == part
        )
        if not files:
            raise DataError(
                f"{name}: this Hub dataset has no split {part!r}; name one with :SPLIT."
            )
        subset = files[0].split("/")[0]  # the first configuration, as datasets' own default
        parts = [
            hf_hub_download(filename=path, **where)
            for path in files
            if path.split("/")[0] == subset
        ]
    except (HTTPError, HFValidationError, OSError) as error:
        cause = " ".join(str(error).split())[:200]
        raise DataError(
            f"{name}: neither a file here nor a Hub dataset that can be reached ({cause})."
        ) from None
    return pd.concat([pd.read_parquet(path) for path in parts], ignore_index=True)


def text_key(texts: pd.Series) -> pd.Series:
    """Reduce texts to what makes two of them the same: letters without case and spacing."""
    return texts.str.casefold().str.split().str.join(" ")


def assign_sides(rows: pd.DataFrame, settings: Settings, fractions: dict[str, float]) -> np.ndarray:
    """Say for each row which side it is on: "train" or one of fractions' names.

    Rows with the same text, or the same id, go together. Each group counts as one of its rarest
    label, and every label's groups are dealt out in the same proportion, so that a rare label
    occurs on each side as soon as it has one group a side.
    """
    if not fractions:
        return np.full(len(rows), "train", dtype=object)
    group = _groups(rows, settings)
    targets = label_matrix(rows, settings)
    counts = np.nansum(targets == 1, axis=0)
    rarest_first = np.argsort(counts, kind="stable")
    stratum = np.full(len(rows), len(counts))
    for place, label in reversed(list(enumerate(rarest_first))):
        stratum[targets[:, label] == 1] = place
    of_group = pd.Series(stratum).groupby(group).min()
    generator = np.random.default_rng(settings.seed)
    side_of_group = pd.Series("train", index=of_group.index, dtype=object)
    for place in np.unique(of_group):
        members = generator.permutation(of_group.index[of_group == place].to_numpy())
        start = 0
        for name, fraction in fractions.items():
            size = round(len(members) * fraction)
            if fraction and size == 0 and len(members) > len(fractions):
                size = 1
            side_of_group[members[start : start + size]] = name
            start += size
    return side_of_group.loc[group].to_numpy()


def label_matrix(rows: pd.DataFrame, settings: Settings) -> np.ndarray:
    """Give (rows × labels) float32 targets in settings' label order: 1, 0, or NaN for unknown."""
    if settings.single_label:
        return np.eye(len(settings.labels), dtype=np.float32)[
            rows[settings.label_column].to_numpy(dtype=int)
        ]
    return rows[settings.labels].to_numpy(dtype=np.float32)


def row_weights(rows: pd.DataFrame, settings: Settings) -> np.ndarray:
    """How much each row counts in metrics: its weight column's value, or 1."""
    for column in (settings.weight_column, settings.test_weight_column):
        if column in rows:
            return rows[column].to_numpy(dtype=float)
    return np.ones(len(rows))


def prevalence(rows: pd.DataFrame, settings: Settings) -> dict[str, float]:
    """Estimate each label's share in the natural mix of comments, from rows by their weights."""
    targets, weights = label_matrix(rows, settings), row_weights(rows, settings)
    shares = {}
    for label, column in zip(settings.labels, targets.T, strict=True):
        known = ~np.isnan(column) & (weights > 0)
        if not known.any():
            why = f"no row knows {label}; give rows that do, or leave it out of labels."
            if settings.weight_column and not np.isnan(column).all():
                why = (
                    f"{settings.weight_column} is 0 in every row that knows {label}; mark the rows "
                    "that are a random sample."
                )
            raise DataError(f"{settings.train_data}: {why}")
        shares[label] = float(np.average(column[known], weights=weights[known]))
    return shares


def save_split(split: Split, folder: Path) -> None:
    """Write split/{train,validation,test}.parquet; each can be given as *_data of another run."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("train", "validation", "test"):
        rows = getattr(split, name)
        if rows is not None:
            rows.to_parquet(folder / f"{name}.parquet", index=False)


def load_split(folder: Path, prevalence: dict[str, float]) -> Split:
    """Read what save_split wrote."""
    paths = {name: folder / f"{name}.parquet" for name in ("train", "validation", "test")}
    if not (paths["train"].is_file() and paths["validation"].is_file()):
        raise DataError(f"{folder}: no split rows there; run the data stage first.")
    tables = {
        name: pd.read_parquet(path) if path.is_file() else None for name, path in paths.items()
    }
    return Split(**tables, prevalence=prevalence)


def describe_source(source: str) -> dict[str, str]:
    """Name a table for a record that others read, with its SHA-256 where it is a file."""
    path = Path(source)
    if path.is_file():
        return {"name": path.name, "sha256": sha256_of(path)}
    return {"name": public_url(source)}


def public_url(text: str) -> str:
    """Leave out of a URL what can be secret: user and password, query, fragment."""
    if not re.match(r"\w+://", text):
        return text
    parts = urlsplit(text)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _label(column: pd.Series, settings: Settings, source: str) -> pd.Series:
    if settings.single_label:
        return _classes(column, settings, source)
    return label_values(column, source)


def label_values(column: pd.Series, source: str) -> pd.Series:
    """Turn 0, 1 and -1 or empty for unknown into 0.0, 1.0 and NaN; DataError for others."""
    texts = column.map(_as_text)
    values = _numbers(texts)
    wrong = ~values.isin([0.0, 1.0, -1.0]) & (texts != "")
    if wrong.any():
        row = int(np.flatnonzero(wrong.to_numpy())[0])
        raise DataError(
            f"{source}: column {column.name} holds {texts.iloc[row]!r} in row "
            f"{row + 1}; expected 0, 1, or -1 or empty for unknown."
        )
    return values.mask(values == -1)


def _classes(column: pd.Series, settings: Settings, source: str) -> pd.Series:
    """Map the label column's values to places in settings.labels; -1 and empty become NaN."""
    mapping = settings.label_mapping or class_places(settings.labels)
    text = column.map(_as_text)
    places = text.map(mapping).astype(float)
    wrong = places.isna() & ~text.isin(["", "-1"])
    if wrong.any():
        raise DataError(
            f"{source}: column {column.name} holds {text[wrong].iloc[0]!r}, which label_mapping "
            f"does not name (it names {', '.join(mapping)})."
        )
    return places


def class_places(labels: list[str]) -> dict[str, int]:
    """Give what names a class where no label_mapping does: label → place, and place → itself.

    Not its place if any class is named by a number, such as stars: 1 would be the second.
    """
    places = {label: place for place, label in enumerate(labels)}
    if any(label.isdigit() for label in labels):
        return places
    return places | {str(place): place for place in range(len(labels))}


def _sample(rows: pd.DataFrame, size: int, seed: int) -> pd.DataFrame:
    if not size or size >= len(rows):
        return rows
    return rows.sample(size, random_state=seed).reset_index(drop=True)


def weight_values(column: pd.Series, source: str) -> pd.Series:
    """Turn true, false and numbers from 0 up into numbers; DataError for others."""
    values = _numbers(column.map(_as_text))
    if not (np.isfinite(values) & (values >= 0)).all():
        raise DataError(
            f"{source}: weight column {column.name} must hold true, false or a number from 0 up."
        )
    return values


def _numbers(texts: pd.Series) -> pd.Series:
    """Read numbers, and true and false as 1 and 0; NaN for what is neither."""
    numbers = texts.str.lower().replace({"true": "1", "false": "0"})
    return pd.to_numeric(numbers, errors="coerce").astype(float)


def _groups(rows: pd.DataFrame, settings: Settings) -> np.ndarray:
    """Number the groups of rows that share a text or an id, directly or through other rows.

    Rows without an id share none.
    """
    texts = pd.factorize(text_key(rows[settings.text_column]))[0]
    if settings.id_column not in rows:
        return texts
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ids = pd.factorize(rows[settings.id_column])[0]
    without = np.flatnonzero(rows[settings.id_column] == "")
    ids[without] = len(rows) + np.arange(len(without))
    nodes = texts.max() + 1 + ids.max() + 1
    edges = coo_array((np.ones(len(rows)), (texts, texts.max() + 1 + ids)), shape=(nodes, nodes))
    return connected_components(edges, directed=False)[1][texts]


def _check_labels(rows: pd.DataFrame, side: str, settings: Settings, what: str) -> None:
    targets = label_matrix(rows, settings)
    source = getattr(settings, f"{side}_data", "") or settings.train_data
    for label, column in zip(settings.labels, targets.T, strict=True):
        for value, name in ((1, "positive"), (0, "negative")):
            if not (column == value).any():
                raise DataError(
                    f"{source}: the {side} rows have no {name} row of {label}, so "
                    f"nothing can {what} it; give more rows, or leave the label out of labels."
                )


def _need(table: pd.DataFrame, columns: list[str], source: str) -> None:
    missing = [column for column in columns if column not in table]
    if missing:
        found = ", ".join(map(str, table.columns[:50])) + ", …" * (len(table.columns) > 50)
        raise DataError(
            f"{source}: no column {', '.join(missing)} (found {found}); "
            "name yours in the config or by flags."
        )


def _as_text(value: object) -> str:
    """Write a cell as a config would: 1.0 as 1, True as true, missing as nothing."""
    if value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value)):
        return ""
    if isinstance(value, bool | np.bool_):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()
