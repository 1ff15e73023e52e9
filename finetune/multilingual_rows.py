"""Comments in many languages → the tables that configs/multilingual.toml reads.

    python -m finetune.multilingual_rows FOLDER --english TRAIN --english-test TEST

FOLDER holds train.parquet, validation.parquet and test_half.parquet: text, the labels (missing
where a source does not know them), source, licence and language; neutral.parquet and
neutral_test_half.parquet too: everyday sentences without a toxic one. TRAIN and TEST are Jigsaw's
tables, with comment_text and id. A table of --also has train.parquet's columns.
"""

import argparse
import zlib
from pathlib import Path

import pandas as pd

from comment_toxicity.cli import run
from finetune.config import JIGSAW_LABELS
from finetune.data.split import text_key
from finetune.data.tables import read_table, write_rows

DEFAULTS = {"id": (str, ""), "natural": (bool, True), "weight": (float, 1.0)}
COLUMNS = ["comment_text", *JIGSAW_LABELS, *DEFAULTS, "source", "licence", "language"]
HELD_OUT = 10
"""One English comment, and one neutral sentence, in so many is for validation."""
NEUTRAL, NEUTRAL_ALONE = 400, 100
"""Neutral sentences of a language, and of one without toxic rows: more would teach that this very
language is clean."""
NOT_VALIDATION = ("gahd", "gahd_news")
"""Sources whose `toxic` does not count in validation: one has only toxic rows, the other only clean
ones, so a model that tells the two apart would look good."""


def main(arguments: list[str] | None = None) -> int:
    """Write the rows that the command line asks for. Returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m finetune.multilingual_rows", description=str(__doc__).split("\n\n", 1)[0]
    )
    parser.add_argument(
        "folder", type=Path, metavar="FOLDER", help="the folder of train.parquet and the others"
    )
    parser.add_argument(
        "--english", default="data/jigsaw_train.parquet",
        help="take the English validation rows from this table (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--english-test", default="data/jigsaw_test.parquet",
        help="take the English test rows from this table (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--also", action="append", default=[], metavar="TABLE",
        help="train on this table too, but for a tenth for validation; may be given several times",
    )  # fmt: skip
    parser.add_argument(
        "--output", type=Path, default=Path("data"),
        help="write multilingual_{rows,validation,test,neutral}.parquet to this folder "
        "(default: %(default)s)",
    )  # fmt: skip
    flags = parser.parse_args(arguments)
    return run(lambda: _write(flags))


def _write(flags: argparse.Namespace) -> None:
    native, validation, test, neutral, neutral_test = (
        _read(flags.folder / f"{name}.parquet")
        for name in ("train", "validation", "test_half", "neutral", "neutral_test_half")
    )
    # With no table, the first part still brings the columns.
    also = pd.concat([native.iloc[:0], *map(_read, flags.also)], ignore_index=True)
    learnt = {name for rows in (native, also) for name in rows.language[rows.toxic == 1]}
    neutral = some_neutral(neutral, learnt)
    neutral_held_out, also_held_out = _held_out(neutral.comment_text), _held_out(also.comment_text)
    tables = {
        "rows": [native, also[~also_held_out], neutral[~neutral_held_out]],
        "validation": [
            one_sided_unknown(validation),
            also[also_held_out],
            neutral[neutral_held_out],
            english(read_table(flags.english)),
        ],
        "test": [test, whole_weights(read_table(flags.english_test))],
        "neutral": [neutral_test],
    }  # fmt: skip
    for name, parts in tables.items():
        path = flags.output / f"multilingual_{name}.parquet"
        rows = pd.concat(parts, ignore_index=True).reindex(columns=COLUMNS)
        rows[JIGSAW_LABELS] = rows[JIGSAW_LABELS].astype(float)
        for column, (kind, otherwise) in DEFAULTS.items():
            rows[column] = rows[column].astype(object).where(rows[column].notna(), otherwise)
            rows[column] = rows[column].astype(kind)
        if name in ("rows", "neutral"):  # these have no part in the natural mix
            rows = rows.drop(columns=["id", "natural", "weight"])
        rows = rows[rows[JIGSAW_LABELS].notna().any(axis=1)]
        write_rows(rows, path, counted="language")


def some_neutral(neutral: pd.DataFrame, learnt: set[str]) -> pd.DataFrame:
    """Draw a few sentences of each language, fewer where it has no toxic row (is not in learnt)."""
    parts = [
        rows.sample(min(len(rows), NEUTRAL if name in learnt else NEUTRAL_ALONE), random_state=1)
        for name, rows in neutral.groupby("language")
    ]
    return pd.concat(parts)


def one_sided_unknown(validation: pd.DataFrame) -> pd.DataFrame:
    """Forget `toxic` in the rows of NOT_VALIDATION; their other labels stay."""
    return validation.assign(toxic=validation.toxic.mask(validation.source.isin(NOT_VALIDATION)))


def english(comments: pd.DataFrame) -> pd.DataFrame:
    """The English validation rows: original comments, without those that are nearly test rows."""
    original = comments.text_form == "original" if "text_form" in comments else True
    near = comments.near_dup_of_test if "near_dup_of_test" in comments else False
    kept = comments[original & (near != True) & _held_out(comments.comment_text)]  # noqa: E712
    return kept.assign(source="jigsaw", licence="CC0; text CC BY-SA 3.0", language="en")


def whole_weights(comments: pd.DataFrame) -> pd.DataFrame:
    """The English test rows, with weights whose mean is 1, as the others' are."""
    weights = comments.weight / comments.weight.mean() if "weight" in comments else 1.0
    return comments.assign(
        weight=weights, source="jigsaw", licence="CC0; text CC BY-SA 3.0", language="en"
    )


def _read(path: Path | str) -> pd.DataFrame:
    return read_table(str(path)).rename(columns={"text": "comment_text"})


def _held_out(texts: pd.Series) -> pd.Series:
    """Whether each text is for validation, the same on every machine."""
    return text_key(texts).map(lambda text: zlib.crc32(text.encode()) % HELD_OUT == 0)


if __name__ == "__main__":
    raise SystemExit(main())
