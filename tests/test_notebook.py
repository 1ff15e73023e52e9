"""The notebook, run cell by cell in a kernel of its own, with settings for a tiny model."""

import ast
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


def test_the_notebook_is_kept_without_outputs(notebook):
    nbformat.validate(notebook)
    assert all(not cell.outputs and cell.execution_count is None for cell in code_cells(notebook))


def test_no_logic_lives_in_the_notebook(notebook):
    """It calls and shows: nothing is defined, and nothing decided but where it runs."""
    logic = (ast.FunctionDef, ast.ClassDef, ast.Lambda, ast.For, ast.While, ast.Try, ast.If)
    for cell in code_cells(notebook):
        if "colab" not in cell.metadata.get("tags", []):
            assert not [
                node for node in ast.walk(ast.parse(cell.source)) if isinstance(node, logic)
            ]


@pytest.mark.filterwarnings("ignore::DeprecationWarning:zmq", "ignore::ResourceWarning")
def test_the_notebook_runs_from_data_to_push(notebook, tiny_base, tmp_path, monkeypatch):
    from nbclient import NotebookClient

    monkeypatch.setenv("MPLBACKEND", "agg")
    for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    [settings] = [cell for cell in notebook.cells if "settings" in cell.metadata.get("tags", [])]
    settings.source += TINY.format(
        comments=str(ROOT / "data" / "sample.csv"), base=str(tiny_base), run=str(tmp_path / "run")
    )
    here = {"metadata": {"path": str(PATH.parent)}}  # as Jupyter starts it
    NotebookClient(notebook, timeout=300, resources=here).execute()
    assert (tmp_path / "run" / "model" / "README.md").is_file()
    printed = "".join(
        output.text for output in code_cells(notebook)[-1].outputs if output.get("name") == "stdout"
    )
    assert "model.safetensors" in printed
    assert "Nothing was sent" in printed
