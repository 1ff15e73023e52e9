"""The wheel, installed outside the checkout with its dependencies only, without a network."""

import csv
import subprocess
import sys
import zipfile

import pytest

from tests.running import ROOT, link_packages, run

NEEDED = {"numpy", "onnxruntime", "tokenizers"}
OUTSIDE = ("app", "benchmarks", "data", "finetune", "pages", "tests", "ui")

SCORE_AND_LIST_IMPORTS = """
import sys
from comment_toxicity import load_classifier

print(load_classifier().score(["You idiot."])[0, 0])
import comment_toxicity.__main__

home = sys.argv[1]
files = {name: getattr(module, "__file__", None) or "" for name, module in sys.modules.items()}
print(*sorted({name.partition(".")[0] for name, file in files.items() if file.startswith(home)}))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    answer = run(sys.executable, "-m", "hatchling", "build", "--target", "wheel", "-d", str(folder))
    assert answer.returncode == 0, answer.stderr
    [path] = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """A call of a program of an empty environment with the wheel and what it needs, elsewhere."""
    folder = tmp_path_factory.mktemp("installed")
    venv, packages, work = folder / "venv", folder / "packages", folder / "work"
    packages.mkdir()
    work.mkdir()
    link_packages(NEEDED, packages)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    [site] = [*venv.glob("lib/python*/site-packages"), *venv.glob("Lib/site-packages")]
    (site / "needed.pth").write_text(f"{packages}\n")
    pip = [sys.executable, "-m", "pip", "--python", str(venv / "bin" / "python"), "--quiet"]
    answer = run(*pip, "install", "--no-index", "--no-deps", "--no-compile", str(wheel))
    assert answer.returncode == 0, answer.stderr

    def call(program, *words):
        return run(str(venv / "bin" / program), *map(str, words), cwd=work, PYTHONPATH="")

    call.work, call.packages, call.site = work, packages, site
    return call


def test_the_wheel_holds_the_package_its_model_and_its_licences_only(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0].partition("-")[0] for name in names} == {"comment_toxicity"}
    ends = ("py.typed", "models/toxic-minilm/model.onnx", "licenses/LICENSE", "licenses/NOTICE")
    assert [end for end in ends if not any(name.endswith(end) for name in names)] == []
    models = {name.split("/")[2] for name in names if name.startswith("comment_toxicity/models/")}
    assert models == {"toxic-minilm"}
    assert not any(name.endswith(".safetensors") for name in names)
    assert wheel.stat().st_size < 30_000_000


def test_a_bare_installation_scores_a_comment_and_imports_only_what_it_needs(installed):
    answer = installed("python", "-c", SCORE_AND_LIST_IMPORTS, installed.packages)
    assert answer.returncode == 0, answer.stderr
    score, imported = answer.stdout.splitlines()
    assert float(score) > 0.5
    assert set(imported.split()) == NEEDED
    assert installed("python", "-c", "import finetune").returncode


@pytest.mark.parametrize("inside", ["in.csv", "in.jsonl"])
def test_a_bare_installation_scores_files(installed, inside):
    comments = {"in.csv": "text\nyou idiot\n", "in.jsonl": '{"text": "you idiot"}\n'}
    (installed.work / inside).write_text(comments[inside])
    output = installed.work / f"{inside}.csv"
    answer = installed("comment-toxicity", "score", inside, "--output", output)
    assert answer.returncode == 0, answer.stderr
    with output.open(newline="") as stream:
        [row] = csv.DictReader(stream)
    assert "toxic" in row["flags"].split(";")


def test_a_bare_installation_explains_a_comment(installed):
    answer = installed("comment-toxicity", "explain", "You idiot.")
    assert answer.returncode == 0, answer.stderr
    assert "idiot." in answer.stdout


@pytest.mark.parametrize(
    ("words", "install"),
    [
        (["score", "in.parquet", "--output", "out.csv"], '"comment-toxicity[files]"'),
        (["score", "-", "--output", "out.parquet"], '"comment-toxicity[files]"'),
        (["serve"], '"comment-toxicity[serve]"'),
        (["feedback", "export", "--output", "-"], '"comment-toxicity[serve]"'),
        (["score", "-", "--output", "-", "--model", "a/b"], '"comment-toxicity[hub]"'),
        (["score", "-", "--output", "-", "--model", "s3://bucket/model"], '"comment-toxicity[s3]"'),
    ],
)
def test_a_missing_extra_is_reported_with_the_command_that_installs_it(installed, words, install):
    (installed.work / "in.parquet").touch()
    answer = installed("comment-toxicity", *words)
    assert answer.returncode == 2
    assert answer.stderr.startswith("error: ")
    assert answer.stderr.endswith(f"is not installed: pip install {install}\n")


MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in (ROOT / "comment_toxicity").rglob("*.py")
)
LIKE_WINDOWS = """
import importlib, os, signal, sys

for name in ("fcntl", "grp", "pwd", "resource", "termios"):
    sys.modules[name] = None
for name in ("fork", "getuid", "sched_getaffinity"):
    delattr(os, name)
for name in ("SIGHUP", "SIGKILL"):
    delattr(signal, name)
for name in sys.argv[1:]:
    importlib.import_module(name)
"""


def test_every_module_imports_without_posix_modules():
    answer = run(sys.executable, "-c", LIKE_WINDOWS, *MODULES)
    assert answer.returncode == 0, answer.stderr


def test_only_the_package_is_installed(installed):
    assert [name for name in OUTSIDE if (installed.site / name).exists()] == []
    assert (ROOT / "pyproject.toml").exists()
    assert installed("comment-toxicity", "--help").stdout.startswith("usage: comment-toxicity ")
