"""The structure of the house, read off its imports.

As a program, `python -m gradparity.parity_tests.suite.structure` prints which folder
imports which: the table in CONTRIBUTING.md.
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from gradparity.parity_tests.suite.support import ROOT

PACKAGE = "gradparity"
ROOMS = ("reference", "torch_impl", "jax_impl", "parity_tests", "reports")


def modules(room: str) -> list[Path]:
    """The room's own modules; the tests that stand among them look into all rooms."""
    found = sorted((ROOT / room).rglob("*.py"))
    return [
        path
        for path in found
        if not path.name.startswith(("test_", "conftest"))
        and not {"suite", "submissions", "handed_out"} & set(path.parts)
    ]


def name_of(path: Path) -> str:
    """`reference/layers/__init__.py` -> `gradparity.reference.layers`."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    if parts[-1] == "__init__":
        parts = parts[:-1]
    return ".".join([PACKAGE, *parts])


def imports(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Every import, wherever it stands: the module, and what is taken from it, or ""."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, ""
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            for alias in node.names:
                yield node.module or "", alias.name


@cache
def tree_of(path: Path) -> ast.Module:
    """The syntax tree, without what only type checkers import."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    tree.body = [
        node
        for node in tree.body
        if not (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test))
    ]
    return tree


@cache
def graph() -> dict[str, set[str]]:
    """Every module of the house, with those of the house that it imports."""
    paths = {name_of(path): path for room in ROOMS for path in modules(room)}
    found: dict[str, set[str]] = {}
    for name, path in paths.items():
        pairs = [(m, f"{m}.{taken}") for m, taken in imports(tree_of(path))]
        found[name] = {
            submodule if submodule in paths else module
            for module, submodule in pairs
            if submodule in paths or module in paths
        } - {name}
    return found


def folder_of(module: str) -> str:
    """The room's folder that a module lies in: `parity_tests/catalogue`."""
    _, *parts = module.split(".")
    inside = (ROOT / parts[0] / parts[1]).is_dir() if len(parts) > 1 else False
    return "/".join(parts[: 2 if inside else 1])


def between_folders() -> dict[str, set[str]]:
    """Every folder, with those that its modules import from."""
    found: dict[str, set[str]] = {}
    for module, others in graph().items():
        here = found.setdefault(folder_of(module), set())
        here |= {folder_of(other) for other in others} - {folder_of(module)}
    return dict(sorted(found.items()))


def table() -> str:
    """The folders and what they import, a line each: of their own room the folders, of
    the others the room.
    """
    lines = []
    for folder, others in between_folders().items():
        room = folder.partition("/")[0]
        near = {o.removeprefix(f"{room}/") for o in others if o.startswith(f"{room}/")}
        far = {other.partition("/")[0] for other in others} - {room}
        named = "; ".join(", ".join(sorted(each)) for each in (near, far) if each)
        lines.append(f"| `{folder}` | {named or 'nothing'} |")
    return "\n".join(["| folder | imports from |", "|---|---|", *lines])


if __name__ == "__main__":
    print(table())
