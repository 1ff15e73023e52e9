"""The flags, measures and example of docs/measures.md exist."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from finetune.audit.__main__ import main
from finetune.audit.run import MEASURES

ROOT = Path(__file__).parent.parent.parent
DOCS = (ROOT / "docs" / "measures.md").read_text(encoding="utf-8")


def test_every_flag_and_measure_in_the_docs_is_in_the_help(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    for flag in set(re.findall(r"--[a-z][a-z-]+", DOCS)):
        assert re.search(rf"(?<![\w-]){flag}(?![\w-])", text), flag
    for measure in re.findall(r"finetune\.audit ([a-z_]+)", DOCS):
        assert measure in MEASURES


def test_the_example_of_the_docs_runs():
    (example,) = re.findall(r"^```python\n(.*?)^```$", DOCS, re.M | re.S)
    answer = subprocess.run(
        [sys.executable, "-c", example], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stderr


def test_reading_an_audit_needs_neither_torch_nor_scikit_learn():
    check = "import sys, finetune.audit.audit; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"torch", "transformers", "sklearn", "onnxruntime"} & set(loaded)
