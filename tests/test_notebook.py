"""The notebook, run cell by cell with settings for a tiny model."""

import ast
import sys
from copy import copy
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parent.parent
PATH = ROOT / "notebooks" / "finetune.ipynb"

TINY = """
settings = Settings(
    train_data={comments!r},
    id_column="id",
    base_model={base!r},
    max_length=32,
    max_steps=4,
    batch_size=8,
    validation_fraction=0.3,
    test_fraction=0.3,
    output_dir={run!r},
    publish_require=["rows >= 1"],
)
"""


@pytest.fixture
def notebook():
    return nbformat.read(PATH, as_version=4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_the_notebook_is_stored_without_outputs(notebook):
    nbformat.validate(notebook)
    assert all(not cell.outputs and cell.execution_count is None for cell in code_cells(notebook))


def test_the_notebook_defines_no_logic(notebook):
    """It calls and shows: nothing is defined, and nothing decided but where it runs."""
    logic = (ast.FunctionDef, ast.ClassDef, ast.Lambda, ast.For, ast.While, ast.Try, ast.If)
    for cell in code_cells(notebook):
        if "colab" not in cell.metadata.get("tags", []):
            assert not [
                node for node in ast.walk(ast.parse(cell.source)) if isinstance(node, logic)
            ]


def test_the_notebook_runs_from_data_to_push(notebook, tiny_base, tmp_path, monkeypatch, capsys):
    """Cell by cell in IPython, in this process, which has imported torch already."""
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.chdir(PATH.parent)  # as Jupyter starts it
    [settings] = [cell for cell in notebook.cells if "settings" in cell.metadata.get("tags", [])]
    settings.source += TINY.format(
        comments=str(ROOT / "data" / "sample.csv"), base=str(tiny_base), run=str(tmp_path / "run")
    )
    for name in ("displayhook", "excepthook", "path"):  # the shell sets them
        monkeypatch.setattr(sys, name, copy(getattr(sys, name)))
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    shell = InteractiveShell(config=Config({"HistoryManager": {"enabled": False}}))
    for cell in code_cells(notebook):
        capsys.readouterr()
        shell.run_cell(cell.source).raise_error()
    assert (tmp_path / "run" / "model" / "README.md").is_file()
    printed = capsys.readouterr().out
    assert "model.safetensors" in printed
    assert "Nothing was sent" in printed
