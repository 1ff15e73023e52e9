"""Packages that an installation may lack, and the command that adds them."""

from collections.abc import Iterator
from contextlib import contextmanager

from comment_toxicity.errors import UserError


@contextmanager
def needed_for(purpose: str, install: str, error: type[UserError]) -> Iterator[None]:
    """Turn the failed import of somebody else's package into one sentence.

    install: what pip installs, such as "comment-toxicity[files]".
    """
    try:
        yield
    except ModuleNotFoundError as missing:
        name = (missing.name or "").partition(".")[0]
        if name in ("", "comment_toxicity"):
            raise
        quoted = f'"{install}"' if "[" in install else install
        raise error(
            f"{purpose} needs the package {name}, which is not installed: pip install {quoted}"
        ) from missing
