"""The package has no import cycle, no class name twice, and few module names twice.

Imports below `TYPE_CHECKING` and inside functions count: a reader follows them, too. The order of
the layers is checked by import-linter; see `pyproject.toml`.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

import handshake

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Set

ROOT: Final = Path(handshake.__file__).parent

KNOWN_MODULES: Final = {
    "cli": {
        "command": "one for the program, one for each command with a package",
        "options": "one for each command with a package",
    },
    "prober": {
        "connection": "user-space and kernel connections do the same in different ways",
        "connections": "user-space and kernel connections do the same in different ways",
    },
}
"""Module names used twice in one top-level package, and why."""


def _modules() -> dict[str, Path]:
    """Return all modules of the package by their full name."""
    found: dict[str, Path] = {}
    for path in ROOT.rglob("*.py"):
        parts = path.relative_to(ROOT.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def _imported(tree: ast.AST, modules: Set[str]) -> Iterator[str]:
    """Yield the modules that are imported anywhere in a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module is not None
            assert not node.level, "imports are absolute"
            for each in node.names:
                module = f"{node.module}.{each.name}"
                yield module if module in modules else node.module


def _imports() -> dict[str, set[str]]:
    """Return the modules of the package that each module imports."""
    modules = _modules()
    return {
        name: set(_imported(ast.parse(path.read_text("utf-8")), modules.keys()))
        & modules.keys() - {name}
        for name, path in modules.items()
    }


def _reachable(graph: Mapping[str, Set[str]], start: str) -> set[str]:
    found: set[str] = set()
    waiting = [start]
    while waiting:
        new = graph[waiting.pop()] - found
        found |= new
        waiting += new
    return found


def _cycles(graph: Mapping[str, Set[str]]) -> set[frozenset[str]]:
    """Return the sets of modules that import each other, directly or not."""
    reachable = {name: _reachable(graph, name) for name in graph}
    return {
        frozenset(other for other in reachable[name] if name in reachable[other])
        for name in graph
        if name in reachable[name]
    }


def _twice(names: Mapping[str, list[str]]) -> dict[str, list[str]]:
    return {name: sorted(places) for name, places in names.items() if len(places) > 1}


def test_no_import_cycle() -> None:
    assert _cycles(_imports()) == set()


@pytest.mark.parametrize(
    ("graph", "cycles"),
    [
        ({"a": {"b"}, "b": {"c"}, "c": set()}, set()),
        ({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}, {frozenset("abc")}),
        ({"a": {"b"}, "b": {"a"}, "c": {"d", "a"}, "d": {"c"}}, {frozenset("ab"), frozenset("cd")}),
    ],
)
def test_what_is_a_cycle(graph: dict[str, set[str]], cycles: set[frozenset[str]]) -> None:
    assert _cycles(graph) == cycles


def test_which_imports_count() -> None:
    source = """
import p.a
from p import b, name
from p.c import name
if TYPE_CHECKING:
    from p.d import Name
def f():
    from p import e
"""
    modules = {"p", "p.a", "p.b", "p.c", "p.d", "p.e"}
    assert list(_imported(ast.parse(source), modules)) == [
        *("p.a", "p.b", "p", "p.c", "p.d", "p.e")
    ]


def test_class_names_are_unique() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for module, path in _modules().items():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(module)
    assert _twice(places) == {}


def test_module_names_are_unique_in_each_package() -> None:
    places: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for module in _modules():
        _, package, *rest = f"{module}.".split(".")
        if rest and (name := module.rpartition(".")[2]) != package:
            places[package][name].append(module)
    found = {package: set(_twice(names)) for package, names in places.items() if _twice(names)}
    assert found == {package: set(names) for package, names in KNOWN_MODULES.items()}
