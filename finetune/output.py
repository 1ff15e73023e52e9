"""Where a command is told to write: looked at before the work, and written after it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from comment_toxicity.errors import SettingsError


def check_output(path: Path | None) -> None:
    """Raise SettingsError where --output names what can be no file."""
    if path and path.is_dir():
        raise SettingsError(f"{path}: a folder; name a file in it for --output.")
    if path and not path.absolute().parent.is_dir():
        raise SettingsError(f"{path}: its folder is not there; make it or name another --output.")


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what the file system refuses of `path` into a sentence."""
    try:
        yield
    except OSError as error:
        raise SettingsError(
            f"{path}: cannot be written ({error.strerror}); see to its rights and the free space."
        ) from error
