"""Every regular expression takes linear time: one that does not stops page and API for all."""

import ast
import re
import signal

import pytest

from comment_toxicity.files.csv_rows import SEPARATORS, _unquoted
from comment_toxicity.service.batch import _parts
from comment_toxicity.service.calls import Call
from comment_toxicity.service.compare import PREFIXES, SUFFIXES, TEXT_NAME
from comment_toxicity.windows import _pieces
from finetune.data.labels import WHOLE
from finetune.data.noise import LETTERS, WORD
from tests.running import ROOT, tracked
from ui.files.safe_csv import safe_cell

LENGTH = 20_000  # characters; what is quadratic takes seconds for them
SECONDS = 2.0  # of CPU; what is linear takes a few milliseconds
PRODUCT = ("comment_toxicity/", "ui/", "finetune/", "pages/", "app.py", "test_model.py")
OWN_SETTINGS = {"finetune/card.py", "finetune/publish/conditions.py"}  # no foreign text there
METHODS = {"match", "fullmatch", "search", "sub", "split", "findall", "finditer"}

# What a text repeats, and what is before and after it.
UNITS = """
a A 1 - _ . " ' ` * # ! [ ( < = ; / & @ é 🇦 一 "" a. a- 1. 1, a/ no_ <a ![ [a]( `` ~~~ {a hf_ a@ #a
:// www. ;" severe_ error:
""".split()  # noqa: SIM905 - a list literal would be 60 lines
UNITS += [
    " ",
    "\n",
    "\t",
    "\r",
    "\x01",
    "\r\n",
    "a ",
    ". ",
    "; ",
    "=\n",
    '" ',
    "= ",
    "🇦 ",
    "\n\x01",
]
AFTER = ["", "!x\n\x00"]
BEFORE = ["-", '"', "a/", "s3://bucket/", "https://", "multipart/", "<a ", "`"]
COMMON = ["a", "1", ".", " ", "/", '"', "a-"]
TEXTS = [unit * (LENGTH // len(unit)) + after for unit in UNITS for after in AFTER]
TEXTS += [before + unit * (LENGTH // len(unit)) + "!" for unit in COMMON for before in BEFORE]


class TooSlowError(Exception):
    """Raised by a timer: the engine of re looks for signals."""


def patterns():
    """All regular expressions of the product: (where, compiled, methods that are called).

    Some are made at run time; the second result names their files.
    """
    found, made_later = [], set()
    for path in sorted(tracked()):
        where = path.as_posix()
        if path.suffix != ".py" or not where.startswith(PRODUCT) or where in OWN_SETTINGS:
            continue
        source = (ROOT / path).read_text(encoding="utf-8")
        tree = ast.parse(source)
        names = plain_values(tree)
        for call in ast.walk(tree):
            function = ast.unparse(call.func) if isinstance(call, ast.Call) else ""
            module, _, method = function.rpartition(".")
            if module != "re" or method not in METHODS | {"compile"}:
                continue
            flags = [word.value for word in call.keywords if word.arg == "flags"]
            flags += call.args[1:] if method == "compile" else []
            try:
                text, *flags = (evaluated(part, names) for part in (call.args[0], *flags))
            except NameError:
                made_later.add(path.name)
                continue
            methods = methods_of(source, call.lineno) if method == "compile" else {method}
            found.append((f"{where}:{call.lineno}", re.compile(text, *flags), methods))
    return found, made_later


def evaluated(part, names):
    return eval(ast.unparse(part), {"re": re}, dict(names))  # noqa: S307 - our own source


def plain_values(tree):
    """The texts and numbers that a module gives names to."""
    names = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            try:
                names[node.targets[0].id] = ast.literal_eval(node.value)
            except ValueError:
                continue
    return names


def methods_of(source, line):
    """The methods that a module calls of the pattern that it compiles in a line."""
    name = re.match(r"\s*(\w+) = re", source.splitlines()[line - 1])
    called = set(re.findall(rf"\b{name[1]}\.(\w+)\(", source)) & METHODS if name else set()
    return called or {"match", "fullmatch"}


def apply(pattern, method, text):
    if isinstance(pattern.pattern, bytes):
        text = text.encode()
    if method == "sub":
        pattern.sub(text[:0], text)
    elif method == "finditer":
        list(pattern.finditer(text))
    else:
        getattr(pattern, method)(text)


def check_time(work, where):
    """Do some work; fail where it takes too long."""
    if not hasattr(signal, "setitimer"):
        pytest.skip("Windows has no timer that interrupts")

    def interrupt(*_):
        raise TooSlowError

    before = signal.signal(signal.SIGVTALRM, interrupt)
    signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
    try:
        work()
    except TooSlowError:
        pytest.fail(where)
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


FOUND, MADE_LATER = patterns()


@pytest.mark.parametrize(("where", "pattern", "methods"), FOUND, ids=[each[0] for each in FOUND])
def test_a_pattern_takes_linear_time(where, pattern, methods):
    for method in sorted(methods):
        for text in TEXTS:
            shown = f"{where}: {method} of {text[:20]!r}…{text[-5:]!r}"
            check_time(lambda: apply(pattern, method, text), shown)  # noqa: B023 - called at once


def test_the_patterns_that_are_made_at_run_time_are_these():
    # csv_rows, windows, batch, compare, labels and noise are tested below; the others search a
    # run's own small files.
    assert len(FOUND) > 40
    tested = {"csv_rows.py", "windows.py", "batch.py", "compare.py", "labels.py", "noise.py"}
    assert tested | {"bundle.py", "templates.py"} >= MADE_LATER


@pytest.mark.parametrize(
    "work",
    [
        lambda text: _unquoted(text, SEPARATORS),
        lambda text: list(_pieces(text)),
        lambda text: safe_cell(text),
        lambda text: (PREFIXES.match(text), SUFFIXES.search(text), TEXT_NAME.search(text)),
        lambda text: re.fullmatch(rf"{WHOLE}(\s+{WHOLE})*", text),
        lambda text: (WORD.findall(text), LETTERS.findall(text)),
        lambda text: _parts(
            Call(
                {},
                {"content-type": "multipart/mixed; boundary=a"},
                b"--a\n" + text.encode(),
                "",
                "",
            )
        ),
    ],
    ids=["csv", "pieces", "cell", "names", "lists", "words", "parts"],
)
def test_what_is_built_of_patterns_takes_linear_time(work):
    for text in TEXTS:
        check_time(lambda: work(text), f"{text[:20]!r}…{text[-5:]!r}")  # noqa: B023 - called at once


def test_a_cell_of_digits_is_fast():
    for text in ("-" + "1" * 1_000_000 + "x", "+." + "1" * 1_000_000 + "e", "1" * 1_000_000 + "e-"):
        check_time(lambda: safe_cell(text), text[:5])  # noqa: B023 - called at once
    assert [safe_cell(text) for text in ("-1", "-1.5e3", "+.5", "-1e", "-1x", "-١")] == [
        *("-1", "-1.5e3", "+.5", "'-1e", "'-1x", "'-١")
    ]
