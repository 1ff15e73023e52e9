"""Everyday English from other sources → extra rows for the toxicity model.

    python -m finetune.everyday_rows FOLDER

FOLDER holds train.parquet (text, the labels, source, licence, kind, label_by, assumed_clean),
names.csv and places.csv (name, rude_piece). Code reviews, games, recipes, medicine, talk pages and
the like: a model that has read none of it takes “kill the process” for a threat, and a surname for
the rude word that it begins with.
"""

import argparse
import re
import tomllib
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from comment_toxicity.cli import run
from finetune.checkout import ROOT
from finetune.config import JIGSAW_LABELS
from finetune.data.tables import read_table, write_rows

SENTENCES = ROOT / "data" / "name_sentences.toml"
MEASURED = ROOT / "data" / "everyday.toml"
HELD_OUT = 20
"""One row in so many, and one name, is for validation."""
PLAIN = 0.15
"""Names without a rude word, as a share of those with one."""
COMMON_NAMES = re.compile(r"\b(Tom|Mary|John|David|Anna|Peter|Sarah|Michael|James|Maria)\b")
COMMON_PLACES = re.compile(
    r"\b(Boston|London|Paris|Tokyo|Chicago|Berlin|Rome|Seattle|Dallas|Houston|Toronto|Sydney"
    r"|Portland|Atlanta|Denver|Phoenix)\b"
)


def main(arguments: list[str] | None = None) -> int:
    """Write the rows that the command line asks for. Returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m finetune.everyday_rows", description=str(__doc__).split("\n\n", 1)[0]
    )
    parser.add_argument("folder", type=Path, help="the folder of train.parquet and the names")
    parser.add_argument(
        "--output", type=Path, default=Path("data/everyday_rows.parquet"),
        help="write text, labels, source and licence to this file (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--validation", type=Path, default=Path("data/everyday_validation.parquet"),
        help="write a twentieth of the rows, with names of their own, to this file instead "
        "(default: %(default)s)",
    )  # fmt: skip
    flags = parser.parse_args(arguments)
    return run(lambda: _write(flags))


def _write(flags: argparse.Namespace) -> None:
    comments = labelled(read_table(str(flags.folder / "train.parquet")))
    measured = measured_names()
    names, places = (
        table[~table.name.str.lower().isin(measured)]
        for table in (pd.read_csv(flags.folder / name) for name in ("names.csv", "places.csv"))
    )
    generator = np.random.default_rng(1)
    for path, held_out in ((flags.output, False), (flags.validation, True)):
        own = comments[_held_out(comments.text) == held_out]
        people = names[_held_out(names.name) == held_out]
        towns = places[_held_out(places.name) == held_out]
        tables = [
            own,
            named(own, people, "name", COMMON_NAMES, generator),
            named(own, towns, "place", COMMON_PLACES, generator),
        ]
        write_rows(pd.concat(tables, ignore_index=True), path)


def named(
    comments: pd.DataFrame,
    names: pd.DataFrame,
    slot: str,
    common: re.Pattern[str],
    generator: np.random.Generator,
) -> pd.DataFrame:
    """Rows about people or places: each name with a rude word in it twice, others seldom.

    In the sentences with slots, and instead of common names in the clean ones of the comments.
    """
    sentences = tomllib.loads(SENTENCES.read_text(encoding="utf-8"))
    rude = names.name[names.rude_piece.notna()].tolist()
    plain = names.name[names.rude_piece.isna()].tolist()
    names_ = rude + generator.choice(plain, round(PLAIN * len(rude))).tolist()
    slots = "{" + slot + "}"
    clean = (comments[JIGSAW_LABELS].fillna(0) == 0).all(axis=1)
    texts = [
        *filled(sentences[slot], slots, 2 * names_, generator),
        *renamed(comments.text[clean], common, names_, generator),
    ]
    rows = pd.DataFrame({"text": texts}).assign(**dict.fromkeys(JIGSAW_LABELS, 0))
    some = generator.choice(names_, len(names_) // 5).tolist() if slot == "name" else []
    insults = pd.DataFrame({"text": filled(sentences["insult"], slots, some, generator)})
    insults = insults.assign(**dict.fromkeys(JIGSAW_LABELS, 0) | {"toxic": 1, "insult": 1})
    return pd.concat([rows, insults]).assign(source=f"{slot}s", licence="Apache-2.0")


def measured_names() -> set[str]:
    """The names in the audit's sentences, in small letters: to be measured, not to train on."""
    filled_ = tomllib.loads(MEASURED.read_text(encoding="utf-8"))["filled"]
    return {name.lower() for part in filled_.values() for name in part["values"] + part["plain"]}


def labelled(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows whose labels can be relied on, with their kind as the source.

    Rows that nobody labelled are kept where they are assumed to be clean, with all labels 0. Of
    the toxic ones those are kept that are insults: other incivility, such as a sharp complaint, is
    not what Jigsaw's annotators called toxic.
    """
    unlabelled = rows.label_by == "none"
    assumed = unlabelled & (rows.assumed_clean == 1)
    rude = (rows.toxic == 1) & (rows.insult != 1) & (rows.threat != 1)
    uncertain = (rows.label_by == "machine") | rude | rows.toxic.isna()
    kept = rows[assumed | ~unlabelled & ~uncertain].copy()
    kept.loc[assumed[kept.index], JIGSAW_LABELS] = 0
    by_hand = kept.label_by == "collector"
    kept["source"] = kept.kind.str.replace(" ", "_").mask(by_hand, "read_one_by_one")
    return kept[["text", *JIGSAW_LABELS, "source", "licence"]]


def filled(
    frames: Sequence[str], slot: str, names: Sequence[str], generator: np.random.Generator
) -> list[str]:
    """One sentence a name, in a random frame; every fifth in small letters."""
    texts = [str(generator.choice(frames)).replace(slot, name) for name in names]
    return [text.lower() if generator.random() < 0.2 else text for text in texts]


def renamed(
    texts: pd.Series, pattern: re.Pattern[str], names: Sequence[str], generator: np.random.Generator
) -> Iterator[str]:
    """The texts in which the pattern finds a name, with another name in its place."""
    for text in texts:
        found = set(pattern.findall(text))
        if found:
            new = dict(zip(sorted(found), generator.choice(names, len(found)), strict=True))
            pieces = pattern.split(text)
            yield "".join(str(new.get(piece, piece)) for piece in pieces)


def _held_out(texts: pd.Series) -> pd.Series:
    """Whether each text is for validation, the same on every machine."""
    return texts.map(lambda text: zlib.crc32(text.lower().encode()) % HELD_OUT == 0)


if __name__ == "__main__":
    raise SystemExit(main())
