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
    """(name, default, keyword-only) by pybind11's own signature line, of the first overload."""
    lines = function.__doc__.splitlines()
    signature = next((line for line in lines if line.startswith("1. ")), lines[0])
    while (bare := re.sub(r"\[[^\[\]]*\]", "", signature)) != signature:  # types hold commas
        signature = bare
    inside = signature[signature.index("(") + 1 : signature.rindex(") ->")]
    told, keyword_only = [], False
    for part in filter(None, inside.split(", ")):
        if part == "*":
            keyword_only = True
            continue
        name, _, rest = part.partition(": ")
        default = rest.partition(" = ")[2]
        name = "by position" if re.fullmatch(r"arg\d+", name) else name  # pybind11 knows no name
        told.append((name, ast.literal_eval(default) if default else ..., keyword_only))
    return told


def stated(node):
    """The same by the stub."""
    args = node.args
    places = [
        *((arg.arg if arg.arg == "self" else "by position") for arg in args.posonlyargs),
        *(arg.arg for arg in args.args),
    ]
    bare = [...] * (len(places) - len(args.defaults))
    defaults = [*bare, *map(ast.literal_eval, args.defaults)]
    keywords = [... if value is None else ast.literal_eval(value) for value in args.kw_defaults]
    return [
        *((name, default, False) for name, default in zip(places, defaults, strict=True)),
        *((arg.arg, default, True) for arg, default in zip(args.kwonlyargs, keywords, strict=True)),
    ]


def is_property(node):
    return any(ast.unparse(decorator) == "property" for decorator in node.decorator_list)


def test_module_and_stub_have_the_same_names():
    assert set(stubbed(STUB.body)) == public(core)


def test_classes_and_stub_have_the_same_members():
    for name, node in stubbed(STUB.body).items():
        if isinstance(node, ast.ClassDef) and not issubclass(getattr(core, name), Exception):
            own = set(stubbed(node.body)) | {
                n.target.id for n in node.body if isinstance(n, ast.AnnAssign)
            }
            assert own == public(getattr(core, name)), name


def functions():
    """(name, what the module has, what the stub says) of functions, methods and constructors."""
    for name, node in stubbed(STUB.body).items():
        thing = getattr(core, name)
        if isinstance(node, ast.FunctionDef):
            yield name, thing, node
            continue
        for member in node.body:
            if isinstance(member, ast.FunctionDef) and not is_property(member):
                yield f"{name}.{member.name}", getattr(thing, member.name), member


def test_functions_methods_and_constructors_have_the_stubs_arguments_and_defaults():
    seen = {name: (arguments(thing), stated(node)) for name, thing, node in functions()}
    assert len(seen) > 25
    assert {name for name in seen if "." in name} >= {"Store.__init__", "Store.append", "Scan.next"}
    for name, (told, wanted) in seen.items():
        assert told == wanted, name


def test_properties_are_properties_on_both_sides():
    for name, node in stubbed(STUB.body).items():
        if not isinstance(node, ast.ClassDef):
            continue
        for member in node.body:
            if isinstance(member, ast.FunctionDef) and not member.name.startswith("__"):
                is_one = isinstance(vars(getattr(core, name))[member.name], property)
                assert is_one == is_property(member), (name, member.name)


def test_a_wrong_stub_is_found():
    """The comparison sees an argument's name, its order, its default and its kind."""
    right = stated(ast.parse("def f(x, *, device='cpu', threads=1): ...").body[0])
    assert arguments(core.row_norms) == right
    for wrong in (
        "def f(y, *, device='cpu', threads=1): ...",
        "def f(x, *, threads=1, device='cpu'): ...",
        "def f(x, *, device='cpu', threads=2): ...",
        "def f(x, *, device='cpu', threads): ...",
        "def f(x, device='cpu', threads=1): ...",
    ):
        assert stated(ast.parse(wrong).body[0]) != right
