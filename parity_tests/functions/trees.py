"""Values that hold values: dicts, lists, tuples, named tuples and data classes, with
arrays at their ends.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

Tree = Any


@dataclass(frozen=True)
class Setting:
    """A value that is no array: a number, a word or a tuple that steers a function."""

    value: Any


def ends(tree: Tree, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield what stands at the ends, each under its path: `params.w`, `params.layers[0]`.

    Nothing is yielded of None.
    """
    if tree is None:
        return
    if (inside := parts(tree)) is None:
        yield path, tree
        return
    for step, part in inside:
        yield from ends(part, path + step if path else step.lstrip("."))


def parts(tree: Tree) -> list[tuple[str, Any]] | None:
    """What it holds, each under the step that leads there; None if it holds nothing of
    the kind.
    """
    if isinstance(tree, Mapping):
        return [(f".{key}", part) for key, part in tree.items()]
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return [(f".{n}", v) for n, v in zip(tree._fields, tree, strict=True)]
    if isinstance(tree, list | tuple):
        return [(f"[{index}]", part) for index, part in enumerate(tree)]
    if is_dataclass(tree) and not isinstance(tree, type | Setting):
        return [(f".{each.name}", getattr(tree, each.name)) for each in fields(tree)]
    return None


def mapped(tree: Tree, convert: Callable[[Any], Any]) -> Tree:
    """The same with other things at its ends."""
    return named(tree, lambda path, value: convert(value))


def named(tree: Tree, convert: Callable[[str, Any], Any], path: str = "") -> Tree:
    """The same with other things at its ends; the function is told the path of each."""
    if tree is None:
        return None
    inside = parts(tree)
    if inside is None:
        return convert(path, tree)
    made = [
        named(part, convert, path + step if path else step.lstrip("."))
        for step, part in inside
    ]
    if isinstance(tree, Mapping):
        return dict(zip(tree, made, strict=True))
    if isinstance(tree, list):
        return made
    if isinstance(tree, tuple):
        return type(tree)(*made) if hasattr(tree, "_fields") else tuple(made)
    return type(tree)(**dict(zip((f.name for f in fields(tree)), made, strict=True)))
