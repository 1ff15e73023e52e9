"""Every command in the documents is run, or checked against what it names.

Commands are the lines of bash and PowerShell blocks, and what begins with python, make or
comment-toxicity `between backquotes`. A command that is quick and harmless is run. Of others,
--help must know every subcommand and flag, or --dry-run must succeed. The rest (docker, aws …) are
checked against the files that they name. A program that CHECKS lacks fails the test.
"""

import contextlib
import functools
import importlib
import io
import itertools
import re
import shlex
import sys
from pathlib import Path

import pytest
import yaml

from tests.running import ROOT, run, tracked

BIN = Path(sys.executable).parent
DOCUMENTS = sorted(
    name
    for name in map(Path.as_posix, tracked())
    if re.fullmatch(r"(README|CONTRIBUTING|(docs|comment_toxicity|\.github)/.+)\.md", name)
)
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))


def commands_of(document):
    """Each command that the document shows as words, without comments and redirections."""
    text = (ROOT / document).read_text(encoding="utf-8")
    commands = []
    blocks = re.findall(r"^```(?:bash|powershell)\n(.*?)^```$", text, re.M | re.S)
    inline = re.findall(r"(?<!`)`((?:python|make|comment-toxicity) [^`]+)`", text)
    for block in [*blocks, *inline]:
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.shlex(line, posix=True, punctuation_chars="|&;<>")
            words.whitespace_split = True
            for is_command, part in itertools.groupby(words, lambda word: word[0] not in "|&;"):
                if is_command:
                    commands.append(normalized(list(part)))
    return [command for command in commands if command]


def normalized(words):
    """The command itself: without NAME=value, sudo, > FILE and < FILE, scripts as python -m.

    Of a loop, what it repeats.
    """
    if words[0] in ("for", "done"):
        return []
    kept = itertools.dropwhile(lambda word: re.match(r"\w+=|(sudo|do)$", word), words)
    command = list(itertools.takewhile(lambda word: word[0] not in "<>", kept))
    if command[:1] == ["comment-toxicity"]:
        return ["python", "-m", "comment_toxicity", *command[1:]]
    return command


COMMANDS = {document: commands_of(document) for document in DOCUMENTS}
EACH = sorted({tuple(command) for commands in COMMANDS.values() for command in commands})


# These import much, so they run in this process, which has imported it once.
MAINS = {
    (sys.executable, "-m", "comment_toxicity"): "comment_toxicity.__main__",
    (sys.executable, "-m", "finetune"): "finetune.__main__",
    (sys.executable, "-m", "finetune.audit"): "finetune.audit.__main__",
    (sys.executable, "-m", "finetune.everyday_rows"): "finetune.everyday_rows",
    (sys.executable, "-m", "finetune.rated_sentences"): "finetune.rated_sentences",
    (sys.executable, "test_model.py"): "test_model",
}


def asked(program, words):
    """The exit code and output of a command."""
    if program not in MAINS:
        answer = run(*program, *words)
        return answer.returncode, answer.stdout
    main = importlib.import_module(MAINS[program]).main
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(out):
        try:
            code = main(list(words))
        except SystemExit as end:
            code = end.code
    return code or 0, out.getvalue()


@functools.cache
def help_of(program, subcommands):
    """What PROGRAM SUBCOMMAND … --help prints, for as many words as are subcommands."""
    code, output = asked(program, [*subcommands, "--help"])
    if code and subcommands:
        return help_of(program, subcommands[:-1])
    assert code == 0, f"{program}: {output}"
    return output


def check_flags(program, words):
    """Each subcommand must be in its parent's help, and each flag in its subcommand's."""
    subcommands = tuple(itertools.takewhile(str.isalpha, words))
    for position, name in enumerate(subcommands):
        assert name in help_of(program, subcommands[:position]), f"{program}: {name}"
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
    if words[0] == "run":  # an image that another command builds; what follows it runs inside
        tags.append("$(docker build --quiet .)")
        image = next(index for index, word in enumerate(words) if word in tags)
        if words[image + 1 :]:
            assert words[image + 1] == "python"
            check_python(words[image + 2 :])


def check_curl(words):
    """A local address must be one that the code serves."""
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
    """Only the files that the command names can be checked here."""


CHECKS = {
    "aws": nothing_more,
    "cd": nothing_more,
    "comment-toxicity-update": nothing_more,
    "cp": nothing_more,
    "curl": check_curl,
    "docker": check_docker,
    "gh": nothing_more,
    "git": nothing_more,
    "grep": nothing_more,
    "hf": lambda words: check_flags((str(BIN / "hf"),), words),
    "journalctl": check_unit,
    "make": check_make,
    "pip": nothing_more,
    "python": check_python,
    "python3": check_python,
    "source": nothing_more,
    "start": nothing_more,
    "systemctl": check_unit,
    "torchrun": check_torchrun,
    "winget": nothing_more,
    "wsl": nothing_more,
}

# Words that name a file of the repository; ELSEWHERE are data sets that are not in it.
FILES = re.compile(
    r"(app\.py|test_model\.py|requirements[\w-]*\.txt|(\.github|benchmarks|configs|data|deploy|docs)/\w.*)"
)
STANDS_FOR_MANY = re.compile(r"\b[A-Z]{4,}\b")  # as configs/NAME.toml
ELSEWHERE = {"data/jigsaw_test.parquet", "data/sst2_phrases_test.parquet"}


def all_of(program):
    """The arguments of each command shown that runs the program."""
    return [list(command[1:]) for command in EACH if Path(command[0]).name == program]


@pytest.mark.parametrize("command", EACH, ids=" ".join)
def test_each_command_in_the_documents_works(command):
    program, words = Path(command[0]).name, list(command[1:])
    assert program in CHECKS, f"{program}: say in this file how it is checked"
    for word in words:
        path = word.removeprefix("file://")
        if FILES.fullmatch(path) and not STANDS_FOR_MANY.search(path):
            assert path in ELSEWHERE or (ROOT / path).exists(), path
    CHECKS[program](words)


SCORING = [words for words in all_of("python") if words[:3] == ["-m", "comment_toxicity", "score"]]


@pytest.mark.parametrize("words", SCORING, ids=" ".join)
def test_each_scoring_command_in_the_documents_scores_a_file(words, tmp_path):
    (tmp_path / "data").symlink_to(ROOT / "data")
    answer = run(sys.executable, *words, cwd=tmp_path, PYTHONPATH=str(ROOT))
    assert answer.returncode == 0, answer.stderr
    assert len(list(tmp_path.iterdir())) == 2  # data and the output


def test_a_server_has_the_command_that_updates_it():
    assert "/usr/local/sbin/comment-toxicity-update" in (ROOT / "deploy/update").read_text(
        encoding="utf-8"
    )


def test_the_documents_show_commands():
    assert {"README.md", "CONTRIBUTING.md", "docs/deploy.md"} < set(DOCUMENTS)
    assert COMMANDS["README.md"]
    assert len(EACH) > 50
