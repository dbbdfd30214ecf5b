"""The text of a submission's file, compiled: whole, or without what it does at its top
level.
"""

import ast
import warnings
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from types import CodeType
from typing import Any

from gradparity.parity_tests.grading.notebooks import without_magic

CATCHING = ("ImportError", "ModuleNotFoundError", "Exception", "BaseException")
# Calls that make a constant: of these functions, or of what these modules have.
HARMLESS = ("int", "float", "str", "list", "dict", "tuple", "set", "range", "len")
LIBRARIES = ("np", "numpy", "math", "cp")
HARMFUL = ("load", "loadtxt", "genfromtxt", "fromfile", "memmap", "save", "savez")
ASSIGNMENTS = ast.Assign | ast.AnnAssign
DEFINITIONS = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def compiled(data: bytes, path: Any) -> CodeType:
    """The code of a file, in which lines that only a notebook knows do nothing.

    Raises:
        SyntaxError: it is no Python.
    """
    try:
        return compile(data, path, "exec", dont_inherit=True)
    except SyntaxError:
        without = _plain(data)
        if without == data:
            raise
    return compile(without, path, "exec", dont_inherit=True)


def parsed(content: bytes | str) -> ast.Module | None:
    """The content of a file, or its text, parsed, without what only a notebook knows; None
    where it is no Python.
    """
    for each in (content, _plain(content)):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return ast.parse(each)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
    return None


def is_main(node: ast.stmt) -> bool:
    """Whether it is `if __name__ == "__main__":`, which is not run."""
    return isinstance(node, ast.If) and any(
        isinstance(each, ast.Name) and each.id == "__name__"
        for each in ast.walk(node.test)
    )


def blocks_of(node: ast.If | ast.Try | ast.With) -> list[list[ast.stmt]]:
    """The statements in it, block by block."""
    blocks = [getattr(node, name, []) for name in ("body", "orelse", "finalbody")]
    return blocks + [handler.body for handler in getattr(node, "handlers", [])]


def definitions_alone(data: bytes, path: str) -> CodeType | None:
    """The code of a file's imports, definitions and constants; None where there is
    nothing else in it, or no definition. A constant that cannot be had is left out.
    """
    tree = parsed(data)
    if tree is None:
        return None
    kept = [*_kept(tree.body)]
    whole = kept == tree.body and not any(isinstance(n, ASSIGNMENTS) for n in kept)
    if whole or not any(isinstance(node, DEFINITIONS) for node in kept):
        return None
    tree.body = [_if_it_can_be(n) if isinstance(n, ASSIGNMENTS) else n for n in kept]
    return compile(ast.fix_missing_locations(tree), path, "exec", dont_inherit=True)


def _if_it_can_be(node: ast.stmt) -> ast.stmt:
    passing = ast.ExceptHandler(ast.Name("Exception", ast.Load()), None, [ast.Pass()])
    return ast.copy_location(ast.Try([node], [passing], [], []), node)


def is_guarded(file: Path, line: int) -> bool:
    """Whether what is imported in this line may be lacking: it is in a `try`."""
    return line in _guarded(file)


@cache
def _guarded(file: Path) -> frozenset[int]:
    tree = parsed(file.read_bytes())
    lines: set[int] = set()
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, ast.Try) and any(map(_catches_imports, node.handlers)):
            for part in node.body:
                lines.update(range(part.lineno, (part.end_lineno or part.lineno) + 1))
    return frozenset(lines)


def _catches_imports(handler: ast.ExceptHandler) -> bool:
    """Whether a handler catches what an import raises; one without a type does."""
    return handler.type is None or any(
        isinstance(each, ast.Name) and each.id in CATCHING
        for each in ast.walk(handler.type)
    )


def _plain(content: bytes | str) -> bytes | str:
    """Without what only a notebook knows; whatever the encoding is."""
    if isinstance(content, str):
        return without_magic(content)
    text = content.decode("utf-8", "surrogateescape")
    return without_magic(text).encode("utf-8", "surrogateescape")


def _kept(nodes: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """Imports, definitions and constants; of blocks, what is left of them."""
    for node in nodes:
        match node:
            case (
                ast.Import()
                | ast.ImportFrom()
                | ast.FunctionDef()
                | ast.AsyncFunctionDef()
                | ast.ClassDef()
                | ast.Pass()
                | ast.Expr(value=ast.Constant())
            ):
                yield node
            case ast.Assign(value=value) | ast.AnnAssign(value=value) if (
                value is not None and _is_constant(value)
            ):
                yield node
            case ast.If() | ast.Try() if is_main(node) or _is_of_definitions(node):
                yield node


def _is_of_definitions(node: ast.If | ast.Try) -> bool:
    """Whether all that is in the block, and its condition, is kept."""
    if isinstance(node, ast.If) and not _is_constant(node.test):
        return False
    return all([*_kept(block)] == block for block in blocks_of(node))


def _is_constant(node: ast.AST) -> bool:
    """Whether it is made of literals, names and arithmetic, and of harmless calls."""
    if isinstance(node, ast.Lambda):
        return True
    if isinstance(node, ast.Call) and not _is_harmless(node.func):
        return False
    runs = ast.Await | ast.Yield | ast.YieldFrom | ast.NamedExpr | ast.comprehension
    return not isinstance(node, runs) and all(
        map(_is_constant, ast.iter_child_nodes(node))
    )


def _is_harmless(function: ast.expr) -> bool:
    if isinstance(function, ast.Name):
        return function.id in HARMLESS
    return (
        isinstance(function, ast.Attribute)
        and isinstance(function.value, ast.Name)
        and function.value.id in LIBRARIES
        and function.attr not in HARMFUL
    )
