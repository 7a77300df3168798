"""The stub of the native module names what the module has, with the same arguments."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import zoo._core as core

STUB = ast.parse((Path(__file__).parents[2] / "zoo" / "_core.pyi").read_text(encoding="utf-8"))


def stubbed(body):
    return {
        node.name: node
        for node in body
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("__")
    }


def public(thing):
    return {name for name in vars(thing) if not name.startswith("_")}


def arguments(function):
    """Argument names by pybind11's own signature line."""
    lines = function.__doc__.splitlines()
    signature = next((line for line in lines if line.startswith("1. ")), lines[0])
    while (bare := re.sub(r"\[[^\[\]]*\]", "", signature)) != signature:
        signature = bare
    return re.findall(r"(\w+): ", signature)


def test_module_and_stub_have_the_same_names():
    assert set(stubbed(STUB.body)) == public(core)


def test_classes_and_stub_have_the_same_members():
    for name, node in stubbed(STUB.body).items():
        if isinstance(node, ast.ClassDef) and not issubclass(getattr(core, name), Exception):
            own = set(stubbed(node.body)) | {
                n.target.id for n in node.body if isinstance(n, ast.AnnAssign)
            }
            assert own == public(getattr(core, name)), name


def test_functions_have_the_stubs_arguments():
    for name, node in stubbed(STUB.body).items():
        if isinstance(node, ast.FunctionDef):
            told = [a.arg for a in node.args.args + node.args.kwonlyargs]
            assert told == arguments(getattr(core, name)), name
