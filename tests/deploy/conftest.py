"""The files that are synced to a Space, and a folder with those that the container holds."""

import re
import shutil
from fnmatch import fnmatch

import pytest

from tests.running import ROOT, tracked

IGNORE = [
    line
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    if line and line[0] != "#"
]


@pytest.fixture(scope="session")
def synced():
    """What hub-sync mirrors to the Space: all files except git's own, at any depth."""
    git = (".git*", "*/.git*")
    return [path for path in tracked() if not any(fnmatch(path.as_posix(), glob) for glob in git)]


def is_ignored(path, patterns):
    """Whether .dockerignore leaves the file out: the last pattern that fits it or its folder."""
    ignored = False
    for pattern in patterns:
        regex = re.escape(pattern.removeprefix("!")).replace(r"\*\*/", "(.*/)?")
        regex = regex.replace(r"\*", "[^/]*") + "(/.*)?"
        if re.fullmatch(regex, path.as_posix()):
            ignored = pattern[0] != "!"
    return ignored


@pytest.fixture(scope="session")
def image(synced, tmp_path_factory):
    """A folder with what the container has in /app, made from what the Space gets."""
    folder = tmp_path_factory.mktemp("app")
    for path in synced:
        if not is_ignored(path, IGNORE):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / path, folder / path)
    return folder
