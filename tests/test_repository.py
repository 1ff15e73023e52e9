"""The repository as a stranger meets it: the README's commands, make, the pins, what is tracked."""

import functools
import itertools
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LOCKS = ["requirements.txt", "requirements-slim.txt", "requirements-dev.txt"]
TARGETS = re.search(r"^\.PHONY: (.+)$", MAKEFILE, re.M)[1].split()


def blocks(language):
    """The README's fenced blocks in that language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.M | re.S)


def readme_commands():
    """Every command line of the README's bash blocks, split into words, without its comment."""
    lines = "".join(blocks("bash")).splitlines()
    return [words for line in lines if (words := shlex.split(line, comments=True))]


def run(*command):
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )


@functools.cache
def help_of(*program):
    """What `python PROGRAM --help` prints."""
    answer = run(sys.executable, *program, "--help")
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def shipped_files():
    """What git tracks; in an unpacked archive, all that is not made by running something."""
    if (ROOT / ".git").exists():
        names = run("git", "ls-files", "-z").stdout.split("\0")
        return [ROOT / name for name in names if (ROOT / name).is_file()]
    made = {".venv", "runs", "__pycache__", ".mypy_cache", ".pytest_cache", ".ruff_cache"}
    paths = (path for path in ROOT.rglob("*") if not made & set(path.relative_to(ROOT).parts))
    return [path for path in paths if path.is_file()]


# The README


@pytest.mark.parametrize("command", readme_commands(), ids=" ".join)
def test_the_readme_shows_only_commands_that_work(command):
    program, *words = command
    if program == "make":
        answer = run("make", "--dry-run", *words)
        assert answer.returncode == 0, answer.stderr
    elif program.endswith("python3") or words[:2] in (["-m", "pip"], ["-m", "streamlit"]):
        for name in words:
            if name.endswith((".txt", ".py")):
                assert (ROOT / name).is_file()
    elif program.endswith("python"):
        # The program and its subcommand come first; then what is particular to this call.
        size = 2 if words[0] == "-m" else 1
        while words[0] == "-m" and words[size:] and words[size].isalpha():
            size += 1
        text = help_of(*words[:size])
        for word in words[size:]:
            if word.startswith("--"):
                assert re.search(rf"(?<![\w-]){word}(?![\w-])", text), f"{word} is not in the help"
            if word.startswith(("configs/", "data/")):
                assert (ROOT / word).is_file()
    elif program == "docker":
        assert (ROOT / "Dockerfile").is_file()
    else:
        assert command == ["source", ".venv/bin/activate"]


def test_the_python_example_of_the_readme_runs():
    for example in blocks("python"):
        answer = run(sys.executable, "-c", example)
        assert answer.returncode == 0, answer.stderr
        assert answer.stdout


def test_every_file_that_the_readme_links_to_is_there():
    for target in re.findall(r"\]\((?!https?:|#)([^)]+)\)", README):
        assert (ROOT / target).exists(), target


def test_everything_in_the_readmes_tree_is_there():
    tree = README.split("## The tree")[1].split("```")[1]
    names = re.findall(r"^(\S+)", tree, re.M)
    assert {"app.py", "classifier/", "finetune/", "test_model.py"} <= set(names)
    assert [name for name in names if not (ROOT / name).exists()] == []


def test_the_space_looks_for_the_page_where_the_container_serves_it():
    front_matter = yaml.safe_load(README.split("---")[1])
    assert front_matter["sdk"] == "docker"
    assert f"EXPOSE {front_matter['app_port']}\n" in (ROOT / "Dockerfile").read_text()
    assert f"PORT ?= {front_matter['app_port']}\n" in MAKEFILE


# make and the pins


def test_make_alone_lists_every_target():
    listing = run("make").stdout
    assert re.findall(r"^make (\S+) +\S", listing, re.M) == TARGETS


def test_the_newest_entry_of_the_changelog_is_this_version():
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(r"^## (\S+?),? ", changelog, re.M)[1] == PROJECT["project"]["version"]


def pins(lock):
    """The lock's lines NAME==VERSION, without their comments and markers, in its order."""
    lines = (ROOT / lock).read_text(encoding="utf-8").splitlines()
    return [line.split()[0] for line in lines if not line.startswith("#")]


def names_of(requirements):
    """The packages that requirements as `moto[s3]==5` name, as the locks write them."""
    return {re.match(r"[\w.-]+", each)[0].replace("_", "-") for each in requirements}


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_is_pinned_once(lock):
    assert [pin for pin in pins(lock) if not re.fullmatch(r"[\w.-]+==[\w.]+", pin)] == []
    assert len(pins(lock)) == len(names_of(pins(lock)))


def test_the_locks_hold_what_pyproject_asks_for():
    project = PROJECT["project"]
    slim, full = project["dependencies"], project["optional-dependencies"]["full"]
    asked = {
        "requirements.txt": slim + full,
        "requirements-slim.txt": slim,
        "requirements-dev.txt": PROJECT["dependency-groups"]["dev"],
    }
    for lock, requirements in asked.items():
        assert names_of(requirements) <= names_of(pins(lock)), lock
        exact = {each.replace("_", "-") for each in requirements if "==" in each}
        assert exact <= set(pins(lock)), lock


def test_a_package_has_the_same_version_in_every_lock():
    versions = {}
    for pin in itertools.chain(*map(pins, LOCKS)):
        name, version = pin.split("==")
        assert versions.setdefault(name, version) == version, name


def test_no_cuda_package_is_pinned():
    """They belong to torch's CUDA build alone, which asks for them itself."""
    assert not re.search(r"^(nvidia|cuda|triton)", (ROOT / "requirements.txt").read_text(), re.M)


# What is tracked


def test_no_file_is_over_25_mb():
    assert [path for path in shipped_files() if path.stat().st_size > 25e6] == []


def test_no_pickle_is_shipped():
    pickles = {".bin", ".ckpt", ".joblib", ".pickle", ".pkl", ".pt", ".pth"}
    assert [path for path in shipped_files() if path.suffix in pickles] == []


def test_tests_and_ci_lean_on_nothing_outside_the_repository():
    outside = re.compile(r"\.\./shared|/(home|root|work|Users)/\w")
    lean = [".ci", ".github", "Makefile", "tests"]
    files = [path for path in shipped_files() if path.relative_to(ROOT).parts[0] in lean]
    assert len(files) > 5
    others = [path for path in files if path != Path(__file__)]
    assert [path for path in others if outside.search(path.read_text(encoding="utf-8"))] == []


# Importing does no work

WATCHED_IMPORT = """
import sys
from pathlib import Path

root, module = Path.cwd(), sys.argv[1]
sys.argv[1:] = ["--no-such-flag"]  # parsing flags at import would end here

def watch(event, details):
    if event in ("socket.connect", "socket.getaddrinfo", "subprocess.Popen"):
        raise SystemExit(f"{event} {details}")
    if event == "open" and isinstance(details[0], str):
        path = Path(details[0]).absolute()
        code = path.suffix == ".py" or ".pyc" in path.name
        if root in path.parents and not code and ".venv" not in path.parts:
            raise SystemExit(f"opens {path}")

sys.addaudithook(watch)
__import__(module)
"""


@pytest.mark.parametrize("module", ["app", "classifier", "finetune", "test_model"])
def test_importing_does_no_work(module):
    answer = run(sys.executable, "-c", WATCHED_IMPORT, module)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert answer.stdout == ""
