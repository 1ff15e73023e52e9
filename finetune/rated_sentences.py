"""The sentences that people rated for VADER → extra rows for a sentiment model.

    pip download --no-deps --no-binary :all: vaderSentiment==3.3.2
    python -m finetune.rated_sentences vaderSentiment-3.3.2.tar.gz --apart-from TEST_FILE

Twenty people each rated sentences of film reviews, product reviews and tweets from -4 to 4 (Hutto
and Gilbert 2014, doi:10.1609/icwsm.v8i1.14550; MIT). Some of the film sentences are SST-2's test
sentences in another spelling, so near duplicates of test rows are left out.
"""

import argparse
import html
import io
import re
import sys
import tarfile
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from comment_toxicity.cli import run
from comment_toxicity.errors import DataError
from finetune.data.tables import read_table, write_rows

INNER = "hutto_ICWSM_2014.tar.gz"
SOURCES = {  # its files: number, mean rating, text; a fourth, of editorials, is mostly neutral
    "movieReviewSnippets_GroundTruth.txt": "vader_films",
    "amazonReviewSnippets_GroundTruth.txt": "vader_products",
    "tweets_GroundTruth.txt": "vader_tweets",
}
CLEAR = 0.5  # a mean rating closer to 0 is neither positive nor negative
SAME = 0.5  # share of the shorter text's three-word runs
BRACKETS_AND_ENDINGS = re.compile(r"-[lr]rb-|n't\b|'\w+")


def main(arguments: list[str] | None = None) -> int:
    """Write the rows that the command line asks for. Returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m finetune.rated_sentences", description=str(__doc__).split("\n\n", 1)[0]
    )
    parser.add_argument("archive", type=Path, help="vaderSentiment's source archive, a .tar.gz")
    parser.add_argument(
        "--apart-from", metavar="FILE", required=True,
        help="leave out near duplicates of rows of this file, which the model is measured on",
    )  # fmt: skip
    parser.add_argument(
        "--text-column",
        default="sentence",
        help="read the texts of that file from this column (default: %(default)s)",
    )
    parser.add_argument(
        "--output", type=Path, default=Path("data/rated_sentences.parquet"),
        help="write text, label (1 positive, 0 negative), source and licence to this file "
        "(default: %(default)s)",
    )  # fmt: skip
    flags = parser.parse_args(arguments)
    return run(lambda: _write(flags))


def _write(flags: argparse.Namespace) -> None:
    held_out = read_table(flags.apart_from, [flags.text_column])
    if flags.text_column not in held_out:
        raise DataError(
            f"{flags.apart_from}: no column {flags.text_column}; give another --text-column."
        )
    rows = read_ratings(flags.archive)
    rows = rows[~nearly_in(rows.text.tolist(), held_out[flags.text_column].astype(str).tolist())]
    write_rows(rows, flags.output)


def read_ratings(archive: Path) -> pd.DataFrame:
    """The clearly rated sentences: text, label (1 or 0), source and licence."""
    try:
        inner = _member(archive.read_bytes(), INNER)
        rows = pd.concat(
            [_rated(_member(inner, name), source) for name, source in SOURCES.items()],
            ignore_index=True,
        )
    except (OSError, EOFError, tarfile.TarError, IndexError, ValueError) as error:
        raise DataError(
            f"{archive}: not the source archive of vaderSentiment ({error}); "
            "get it with pip download --no-deps --no-binary :all: vaderSentiment==3.3.2."
        ) from None
    rows = rows[rows.rating.abs() >= CLEAR]
    rows = rows.assign(label=(rows.rating > 0).astype(int), licence="MIT")
    return rows[["text", "label", "source", "licence"]].reset_index(drop=True)


def _member(archive: bytes, name: str) -> bytes:
    """The file of a .tar.gz whose path ends with /name; TarError where there is none."""
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as files:
        for member in files:
            if member.name.endswith(f"/{name}") and (file := files.extractfile(member)):
                return file.read()
    raise tarfile.TarError(f"no {name} in it")


def _rated(lines: bytes, source: str) -> pd.DataFrame:
    cells = [line.split("\t") for line in lines.decode("cp1252", "replace").split("\n") if line]
    return pd.DataFrame(
        {
            "text": [html.unescape(cell[2]) for cell in cells],
            "rating": [float(cell[1]) for cell in cells],
            "source": source,
        }
    )


def nearly_in(
    texts: Sequence[str], held_out: Sequence[str], share: float = SAME
) -> NDArray[np.bool_]:
    """Which texts share at least this share of three-word runs with one of held_out: (texts,).

    share: of the runs of the shorter text, in letters and digits alone, without case and endings
    such as 's.
    """
    sizes, texts_with = [], defaultdict(list)
    for index, text in enumerate(held_out):
        runs = _runs(text)
        sizes.append(len(runs))
        for words in runs:
            texts_with[words].append(index)
    near = []
    for text in texts:
        runs = _runs(text)
        shared = Counter(index for words in runs for index in texts_with.get(words, ()))
        near.append(
            any(count >= share * min(sizes[index], len(runs)) for index, count in shared.items())
        )
    return np.array(near, dtype=bool)


def _runs(text: str) -> set[tuple[str, ...]]:
    words = re.findall(r"[a-z0-9]+", BRACKETS_AND_ENDINGS.sub(" ", text.lower()))
    return {tuple(words[start : start + 3]) for start in range(max(1, len(words) - 2))}


if __name__ == "__main__":
    sys.exit(main())
