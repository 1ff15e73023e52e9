"""Every command that the documents show: run, or checked against what it names.

That is each line of their bash blocks, and what begins with python or make `between backquotes`. A
command is run as it stands where that is quick and harmless; by its --help, which has to know each
subcommand and flag; or with --dry-run. Others (docker, aws …) are held against the files here that
they name. A program that this file does not know fails the test: say here how it is checked.
"""

import functools
import itertools
import re
import shlex
import sys
from pathlib import Path

import pytest
import yaml

from tests.running import ROOT, run

BIN = Path(sys.executable).parent
DOCUMENTS = ["README.md", "CONTRIBUTING.md"]
DOCUMENTS += [f"docs/{name}.md" for name in ("api", "deploy", "measures", "perspective", "quality")]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))


def commands_of(document):
    """Each command that the document shows as words, without comments and redirections."""
    text = (ROOT / document).read_text(encoding="utf-8")
    found = []
    blocks = re.findall(r"^```bash\n(.*?)^```$", text, re.M | re.S)
    for block in [*blocks, *re.findall(r"(?<!`)`((?:python|make) [^`]+)`", text)]:
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.shlex(line, posix=True, punctuation_chars="|&;<>")
            words.whitespace_split = True
            for is_one, command in itertools.groupby(words, lambda word: word[0] not in "|&;"):
                if is_one:
                    found.append(without_prefix(list(command)))
    return [command for command in found if command]


def without_prefix(words):
    """Leave out what only changes how the command runs: NAME=value, sudo, > FILE, < FILE."""
    kept = itertools.dropwhile(lambda word: re.match(r"\w+=|sudo$", word), words)
    return list(itertools.takewhile(lambda word: word[0] not in "<>", kept))


COMMANDS = {document: commands_of(document) for document in DOCUMENTS}
EACH = sorted({tuple(command) for commands in COMMANDS.values() for command in commands})


@functools.cache
def help_of(program, subcommands):
    """What PROGRAM SUBCOMMAND … --help prints; words that are no subcommand come to nothing."""
    answer = run(*program, *subcommands, "--help")
    if answer.returncode and subcommands:
        return help_of(program, subcommands[:-1])
    assert answer.returncode == 0, f"{program}: {answer.stderr}"
    return answer.stdout


def check_flags(program, words):
    """Every subcommand must be in the help of what it belongs to, and every flag in its own."""
    subcommands = tuple(itertools.takewhile(str.isalpha, words))
    for place, name in enumerate(subcommands):
        assert name in help_of(program, subcommands[:place]), f"{program}: {name}"
    text = help_of(program, subcommands)
    for word in words:
        if flag := re.match(r"--\w[\w-]*", word):
            assert re.search(rf"(?<![\w-]){flag[0]}(?![\w-])", text), f"{program}: {word}"


def check_python(words):
    if words[0] == "-m" and words[1] in ("pip", "venv"):
        return
    if words[:2] == ["-m", "streamlit"]:  # its help takes seconds
        assert words[2] == "run"
        return
    if words[0] == "-c":
        compile(words[1], "-c", "exec")
        return
    size = 2 if words[0] == "-m" else 1
    check_flags((sys.executable, *words[:size]), words[size:])


def check_make(words):
    answer = run("make", "--dry-run", *words)
    assert answer.returncode == 0, answer.stderr


def check_docker(words):
    if words[0] == "compose":
        assert words[1] in ("up", "down", "build", "run", "logs")
        assert {word for word in words[2:] if word[0] != "-"} <= set(COMPOSE["services"])
        return
    assert words[0] in ("build", "run")
    stages = re.findall(r"^FROM \S+ AS (\S+)$", DOCKERFILE, re.M)
    ports = re.search(r"^EXPOSE (.+)$", DOCKERFILE, re.M)[1].split()
    arguments = re.findall(r"^ARG (\w+)", DOCKERFILE, re.M)
    for flag, value in itertools.pairwise(words):
        if flag == "--target":
            assert value in stages
        if flag == "--build-arg":
            assert value.split("=")[0] in arguments
        if flag == "--publish":
            assert value.split(":")[-1] in ports
    tags = [words[words.index("--tag") + 1] for words in all_of("docker") if "--tag" in words]
    if words[0] == "run":  # of an image that a command shown builds; what follows it runs inside
        tags.append("$(docker build --quiet .)")
        image = next(at for at, word in enumerate(words) if word in tags)
        if words[image + 1 :]:
            assert words[image + 1] == "python"
            check_python(words[image + 2 :])


def check_curl(words):
    """A page of our own must be one that the code serves."""
    for word in words:
        if local := re.match(r"https?://(?:localhost|127\.0\.0\.1):(\d+)([^?]*)", word):
            port, path = local.groups()
            assert port in re.search(r"^EXPOSE (.+)$", DOCKERFILE, re.M)[1].split()
            sources = [*(ROOT / "comment_toxicity").rglob("*.py"), ROOT / "deploy/healthcheck"]
            assert any(path in source.read_text(encoding="utf-8") for source in sources), path


def check_unit(words):
    assert {"caddy", "comment-toxicity"} & set(words)


def check_torchrun(words):
    check_python(words[words.index("-m") :])


def nothing_more(words):
    """The files that a command names are all that can be checked here."""


# By program. `sudo` and NAME=value before it are left out.
CHECKS = {
    "aws": nothing_more,
    "comment-toxicity": lambda words: check_python(["-m", "comment_toxicity", *words]),
    "comment-toxicity-update": nothing_more,
    "cp": nothing_more,
    "curl": check_curl,
    "docker": check_docker,
    "git": nothing_more,
    "hf": lambda words: check_flags((str(BIN / "hf"),), words),
    "journalctl": check_unit,
    "make": check_make,
    "python": check_python,
    "python3": check_python,
    "source": nothing_more,
    "systemctl": check_unit,
    "torchrun": check_torchrun,
}

# What a word may name that has to be there; ELSEWHERE are other people's comments.
FILES = re.compile(
    r"(app\.py|test_model\.py|requirements[\w-]*\.txt|(\.github|benchmarks|configs|data|deploy|docs)/\w.*)"
)
STANDS_FOR_MANY = re.compile(r"\b[A-Z]{4,}\b")  # as configs/NAME.toml
ELSEWHERE = {"data/jigsaw_test.parquet", "data/sst2_phrases_test.parquet"}


def all_of(program):
    """The arguments of each command shown that runs the program."""
    return [list(command[1:]) for command in EACH if Path(command[0]).name == program]


@pytest.mark.parametrize("command", EACH, ids=" ".join)
def test_a_command_shown_works(command):
    program, words = Path(command[0]).name, list(command[1:])
    assert program in CHECKS, f"{program}: say in this file how it is checked"
    for word in words:
        path = word.removeprefix("file://")
        if FILES.fullmatch(path) and not STANDS_FOR_MANY.search(path):
            assert path in ELSEWHERE or (ROOT / path).exists(), path
    CHECKS[program](words)


SCORING = [words for words in all_of("python") if words[:3] == ["-m", "comment_toxicity", "score"]]


@pytest.mark.parametrize("words", SCORING, ids=" ".join)
def test_a_command_shown_scores_a_file(words, tmp_path):
    (tmp_path / "data").symlink_to(ROOT / "data")
    answer = run(sys.executable, *words, cwd=tmp_path, PYTHONPATH=str(ROOT))
    assert answer.returncode == 0, answer.stderr
    assert len(list(tmp_path.iterdir())) == 2  # data and the output


def test_a_server_has_the_command_that_updates_it():
    assert "/usr/local/sbin/comment-toxicity-update" in (ROOT / "deploy/update").read_text(
        encoding="utf-8"
    )


def test_the_documents_show_commands():
    assert all(COMMANDS.values())
