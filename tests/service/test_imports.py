"""The package's modules import each other in one direction only."""

import ast
import graphlib
from pathlib import Path

import comment_toxicity

PACKAGE = Path(comment_toxicity.__file__).parent


def module_name(file):
    parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


def imported(file):
    """The modules that a file imports, anywhere in it: in functions and for type checkers, too."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                yield name if name in MODULES else node.module


FILES = sorted(PACKAGE.rglob("*.py"))
MODULES = {module_name(file): file for file in FILES}
GRAPH = {
    name: {other for other in imported(file) if other in MODULES} for name, file in MODULES.items()
}


def test_the_service_has_no_import_circle():
    service = {name: others for name, others in GRAPH.items() if ".service" in name}
    assert list(graphlib.TopologicalSorter(service).static_order())


def test_nothing_but_the_command_imports_the_service():
    users = {
        name
        for name, others in GRAPH.items()
        if ".service" not in name and any(".service" in other for other in others)
    }
    assert users == {"comment_toxicity.__main__"}
