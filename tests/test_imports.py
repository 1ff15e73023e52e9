"""Data flows one way: which module may import which, without a cycle."""

import ast
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter

import pytest

from tests.running import ROOT, tracked

# Each may import those before it and itself. `app` and `pages` are what people start.
LAYERS = ["comment_toxicity", "finetune", "ui", "pages", "app"]
# The packages of finetune in the order of a run; modules beside them (stages, config) are free.
STAGES = ["data", "train", "measure", "audit", "publish"]


def module_name(path):
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


PATHS = {module_name(path): path for path in tracked() if path.suffix == ".py"}
PRODUCT = {name: path for name, path in PATHS.items() if name.split(".")[0] in LAYERS}


def imports_of(name):
    """The product's modules that a module imports: inside functions and for types, too."""
    found = set()
    for node in ast.walk(ast.parse((ROOT / PATHS[name]).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{name}: write imports with the module's whole name"
            parts = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {part if part in PATHS else node.module for part in parts}
    return found


ALL_IMPORTS = {name: imports_of(name) for name in PRODUCT}
IMPORTS = {name: found & set(PRODUCT) for name, found in ALL_IMPORTS.items()}


def test_nothing_imports_upwards():
    def layer(name):
        return LAYERS.index(name.split(".")[0])

    assert [(a, b) for a in IMPORTS for b in IMPORTS[a] if layer(b) > layer(a)] == []


def test_a_stage_imports_only_earlier_stages():
    def stage(name):
        parts = name.split(".")
        return STAGES.index(parts[1]) if parts[0] == "finetune" and parts[1:2][0] in STAGES else -1

    staged = [name for name in IMPORTS if name.startswith("finetune.") and stage(name) >= 0]
    assert [(a, b) for a in staged for b in IMPORTS[a] if stage(b) > stage(a)] == []


def test_there_is_no_import_cycle():
    try:
        TopologicalSorter(IMPORTS).prepare()
    except CycleError as error:
        pytest.fail(" → ".join(error.args[1]))


def test_the_product_imports_neither_tests_nor_benchmarks():
    outside = {"tests", "benchmarks"}
    assert [
        name for name, found in ALL_IMPORTS.items() if {f.split(".")[0] for f in found} & outside
    ] == []


def test_the_modules_that_benchmarks_import_exist():
    """Mypy checks the names in them, but takes a module that it cannot find for any other."""
    found = {each for name in PATHS if name.startswith("benchmarks.") for each in imports_of(name)}
    assert {each for each in found if each.split(".")[0] in LAYERS} - set(PATHS) == set()


def test_the_help_of_finetune_waits_for_no_heavy_package():
    code = "import sys, finetune.__main__; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert {"torch", "transformers", "sklearn", "matplotlib"}.isdisjoint(done.stdout.split())


def test_only_the_command_imports_the_service_in_the_package():
    """A program that only scores needs no web framework."""
    importers = {
        name.split(".")[1]
        for name, found in IMPORTS.items()
        if name.startswith("comment_toxicity.")
        and ".service" not in name
        and any(each.startswith("comment_toxicity.service") for each in found)
    }
    assert importers == {"__main__"}
