"""What a Space gets of the repository, and what of that a container holds: as folders to try."""

import re
import shutil
import subprocess
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
IGNORE = [
    line
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    if line and line[0] != "#"
]


def tracked():
    """The repository's files, relative to it; without git, all that is not made by running it."""
    if (ROOT / ".git").exists():
        listing = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        return [Path(name) for name in listing.split("\0") if (ROOT / name).is_file()]
    made = re.compile(r"(^|/)(\.venv|runs|__pycache__|\.\w+_cache)/")
    paths = (path.relative_to(ROOT) for path in ROOT.rglob("*") if path.is_file())
    return [path for path in paths if not made.search(path.as_posix())]


@pytest.fixture(scope="session")
def synced():
    """What hub-sync mirrors to the Space: all files, but git's own at any depth."""
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
