"""Run commands from the repository's root as a person would, and list its files."""

import importlib.metadata
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def run(*command, cwd=ROOT, **environment):
    """Run a command. Returns its exit code and output, as text."""
    return subprocess.run(
        command,
        cwd=cwd,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def python(*words, **environment):
    """Run the Python of the tests with these words."""
    return run(sys.executable, *words, **environment)


def tracked():
    """The repository's files, relative to it; without git, all files that no command made."""
    if (ROOT / ".git").exists():
        listing = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
        assert listing.returncode == 0, listing.stderr
        return [Path(name) for name in listing.stdout.split("\0") if (ROOT / name).is_file()]
    made = re.compile(r"(^|/)(\.venv|runs|node_modules|__pycache__|\.\w+_cache)/")
    paths = (path.relative_to(ROOT) for path in ROOT.rglob("*") if path.is_file())
    return [path for path in paths if not made.search(path.as_posix())]


def link_packages(names, folder):
    """Link installed packages of these names, as the locks write them, into a folder."""
    for package in importlib.metadata.distributions():
        if re.sub("[-_.]+", "-", package.name).lower() in names:
            for top in {file.parts[0] for file in package.files or []} - {"..", "__pycache__"}:
                if not (folder / top).exists():
                    (folder / top).symlink_to(package.locate_file(top))
