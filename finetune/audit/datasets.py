"""The files that the measures read, as tables with plain columns; only the threats are our own.

madlibs    Text, Label (BAD, NOT_BAD): bias_madlibs of Dixon et al. (2018), conversationai's
hatecheck  test_case, functionality, label_gold, target_ident: test_suite_cases.csv of HateCheck
davidson   tweet, class (0 hate, 1 offensive, 2 neither): Davidson et al. (2017)
dynahate   text, label (hate, nothate), split (its test rows are read): Vidgen et al. (2021)
labelled   comment_text or text, columns named as the model's labels (or the class of each row in
           a column label), weight: any other
threats    comment_text, threat, kind: data/threats.csv
"""

from collections.abc import Sequence

import pandas as pd

from comment_toxicity.errors import DataError
from comment_toxicity.files.columns import TEXT_COLUMNS
from comment_toxicity.text import is_blank
from finetune.checkout import ROOT
from finetune.data.labels import Layout, Notes, clean_rows, label_matrix, label_values, row_weights
from finetune.data.tables import read_table

WEIGHT_COLUMN = "weight"
CLASS_COLUMN = "label"
THREATS = ROOT / "data" / "threats.csv"


def read_madlibs(path: str) -> pd.DataFrame:
    """Return text and bad (0 or 1)."""
    table = _read(path, ["Text", "Label"])
    return pd.DataFrame({"text": table.Text, "bad": _codes(table.Label, BAD, path)})


def read_hatecheck(path: str) -> pd.DataFrame:
    """Return text, functionality, hateful (0 or 1) and target ("–" if it is about nobody)."""
    table = _read(path, ["test_case", "functionality", "label_gold"])
    target = table.target_ident if "target_ident" in table else pd.Series("", table.index)
    target = target.fillna("").astype(str)
    return pd.DataFrame(
        {
            "text": table.test_case,
            "functionality": table.functionality.astype(str),
            "hateful": _codes(table.label_gold, HATEFUL, path),
            "target": target.where(target != "", "–"),
        }
    )


def read_threats() -> pd.DataFrame:
    """Return text, kind and threat (0 or 1) of our own sentences."""
    table = _read(str(THREATS), ["comment_text", "kind", "threat"])
    table["threat"] = label_values(table.threat, str(THREATS))
    return table.rename(columns={"comment_text": "text"})


def read_davidson(path: str, toxic: str, hate: str) -> pd.DataFrame:
    """Return text, and columns named `toxic` (hate or offensive) and `hate`: 0 or 1.

    If both have the same name, this is one column: hate or offensive.
    """
    table = _read(path, ["tweet", "class"])
    classes = _codes(table["class"], CLASSES, path)
    return pd.DataFrame(
        {"text": table.tweet, hate: (classes == 0).astype(int), toxic: (classes != 2).astype(int)}
    )


def read_dynahate(path: str, hate: str) -> pd.DataFrame:
    """Return text, and a column named `hate`: 0 or 1; of the whole file, its test rows only."""
    table = _read(path, ["text", "label"])
    if "split" in table:
        table = table[table.split == "test"]
        if table.empty:
            raise DataError(f"{path}: no row has split test; give test rows, or the whole file.")
    return pd.DataFrame({"text": table.text, hate: _codes(table.label, HATE, path)})


def read_labelled(path: str, labels: Sequence[str], exclusive: bool = False) -> pd.DataFrame:
    """Return text, weight (1 where the file has none) and those of the labels that are columns.

    A label is 0, 1 or NaN for unknown; a share of annotators is 1 from 0.5 up. Rows that weigh
    nothing are left out.
    exclusive: a column `label` with the name or number of each row's class will also do.
    """
    table = read_table(path, [*TEXT_COLUMNS, *labels])
    text = next((name for name in TEXT_COLUMNS if name in table), None)
    known = [label for label in labels if label in table]
    classes = CLASS_COLUMN if not known and exclusive and CLASS_COLUMN in table else None
    if classes:
        known = list(labels)
    if text is None or not known:
        raise DataError(
            f"{path}: needs a column {' or '.join(TEXT_COLUMNS)} and one of the model's labels "
            f"({', '.join(labels)}{f', or {CLASS_COLUMN}' * exclusive}), "
            f"found {', '.join(map(str, table))}; rename its columns."
        )
    layout = Layout(text, tuple(known), classes, weight=WEIGHT_COLUMN).optional(table)
    notes = Notes()
    clean = clean_rows(table, layout, path, keep_unlabelled=classes is None, notes=notes)
    for line in notes.lines(path):
        print(line)
    weights = row_weights(clean, layout)
    if not weights.any():
        raise DataError(f"{path}: column {WEIGHT_COLUMN} is 0 in every row; give some a weight.")
    rows = pd.DataFrame({"text": clean[text], WEIGHT_COLUMN: weights})
    rows[known] = label_matrix(clean, layout)
    return rows[weights > 0].reset_index(drop=True)


BAD = {"BAD": 1, "NOT_BAD": 0}
HATEFUL = {"hateful": 1, "non-hateful": 0}
HATE = {"hate": 1, "nothate": 0}
CLASSES = {"0": 0, "1": 1, "2": 2}


def _read(path: str, columns: Sequence[str]) -> pd.DataFrame:
    table = read_table(path, columns)
    missing = [column for column in columns if column not in table]
    if missing:
        raise DataError(
            f"{path}: no column {', '.join(missing)} (found {', '.join(map(str, table))}); "
            "give the file as its authors publish it."
        )
    return _present(table, columns[0], path)


def _present(table: pd.DataFrame, text: str, path: str) -> pd.DataFrame:
    """Leave out rows without a text."""
    table = table[~table[text].map(is_blank)].reset_index(drop=True)
    if table.empty:
        raise DataError(f"{path}: no row has a text.")
    return table.astype({text: str})


def _codes(column: pd.Series, codes: dict[str, int], path: str) -> pd.Series:
    values = column.astype(str).map(codes)
    if values.isna().any():
        unknown = column[values.isna()].iloc[0]
        raise DataError(
            f"{path}: column {column.name} holds {unknown!r}; expected {' or '.join(codes)}."
        )
    return values.astype(int)
