"""The architecture as a test: a module imports only from floors below its own."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "zoo"
FLOORS = [
    ["_core"],
    ["errors"],
    ["settings", "files", "entry_points"],
    ["plugin", "engine"],
    ["builtins"],
    ["registry"],
    ["data", "preprocess", "backbones", "metrics"],
    ["providers", "heads", "scores"],
    ["features"],
    ["tuning", "adaptation", "sklearn", "baselines"],
    ["runs", "testing"],
    ["reports", "exporters", "serving"],
    ["cli"],
]
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
HEAVY = {"torch", "transformers", "onnxruntime", "onnx", "PIL", "sklearn", "rich", "tokenizers"}
# A room that is an interface to a package imports it with its own modules, and nobody else does.
OWN = {"sklearn": {"sklearn"}}
# backbones import preprocess' types for annotations alone; preprocess/decode is used by features.
FILES = sorted(ROOT.rglob("*.py"))


def room(path):
    relative = path.relative_to(ROOT)
    return relative.parts[0].removesuffix(".py")


def imports(path, *, top_level_only):
    """(module, line) of what a file imports at run time: TYPE_CHECKING blocks do not count."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = []

    def visit(node):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            return
        if top_level_only and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            return
        if isinstance(node, ast.Import):
            found.extend((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            found.append((node.module, node.lineno))
            if node.module == "zoo":
                found.extend((f"zoo.{alias.name}", node.lineno) for alias in node.names)
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(tree)
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_look_down(path):
    if path.parent == ROOT and path.name in ("__init__.py", "__main__.py"):
        return  # the front door opens onto every floor, inside its functions
    own = room(path)
    for module, line in imports(path, top_level_only=False):
        parts = module.split(".")
        if parts[0] != "zoo" or len(parts) < 2:
            continue
        other = parts[1]
        assert other in FLOOR, f"{path.name}:{line}: zoo.{other} is on no floor"
        if other != own:
            assert FLOOR[other] < FLOOR[own], f"{path.name}:{line}: {own} imports {other}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_nothing_heavy_is_imported_before_it_is_needed(path):
    heavy = HEAVY - OWN.get(room(path), set())
    for module, line in imports(path, top_level_only=True):
        assert module.split(".")[0] not in heavy, f"{path.name}:{line}: {module} at top level"


def test_every_room_stands_on_a_floor():
    rooms = {room(path) for path in FILES} - {"__init__", "__main__"}
    assert rooms <= set(FLOOR)


def test_no_folder_bears_the_name_of_a_public_function():
    import zoo

    assert not {path.name for path in ROOT.iterdir()} & set(zoo.__all__)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_file_is_as_long_as_its_idea(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


def test_every_file_says_what_it_is_for():
    for path in FILES:
        doc = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
        assert doc, path
        assert doc.splitlines()[0].endswith((".", "?")), path
