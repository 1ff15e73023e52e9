"""A TOML file of sentences, read so that a malformed one ends in a sentence."""

import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from comment_toxicity.errors import DataError


@contextmanager
def sentence_file(path: Path, kind: str) -> Iterator[dict[str, Any]]:
    """Open the content of a file, for a block that takes it apart.

    kind: what it should be a file of. Raises DataError if the file is missing, is not TOML, or is
    built otherwise than the block expects.
    """
    try:
        yield tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; copy it from the repository.") from None
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise DataError(f"{path}: not a file of {kind} ({error!r}).") from None
