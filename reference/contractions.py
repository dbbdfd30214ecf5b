"""What sums of products mean, of `np.einsum` and its kin: moves and matrix products."""

from collections.abc import Sequence
from string import ascii_letters
from typing import Any

import numpy as np

from gradparity.reference.meanings import (
    MOST,
    Meaning,
    Name,
    Operand,
    Writer,
    is_data,
    numbers,
)


def contraction(
    operands: Sequence[Operand],
    labels: Sequence[str],
    out: str,
    result: int,
    dtype: Any,
) -> Meaning:
    """A sum of products. Every axis of every operand has a letter; those that `out` has
    not are summed over.
    """
    if is_data(dtype):
        return []
    sizes: dict[str, int] = {}
    for operand, axes in zip(operands, labels, strict=True):
        for letter, size in zip(axes, np.shape(operand.array), strict=True):
            known = sizes.setdefault(letter, size)
            if known == 1:
                sizes[letter] = size
            elif size not in (1, known):
                return None
    w = Writer()
    names = w.widened(operands, dtype)
    if not all(isinstance(name, int | str) for name in names):
        return None
    terms = []
    for name, operand, axes in zip(names, operands, labels, strict=True):
        sized = list(zip(axes, np.shape(operand.array), strict=True))
        kept = "".join(a for a, size in sized if size == sizes[a])
        if kept != axes:  # a single one stands for as many as the others have
            name = _move(w, name, numbers(_shape(kept, sizes)))
        terms.append(_distinct(w, name, kept, sizes))
    if len(terms) == 2:
        _two(w, terms, out, sizes)
        return w.finished(result)
    every = out + "".join(sorted(set(sizes) - set(out)))
    if np.prod([sizes[a] for a in every], dtype=int) > MOST:
        return None
    factors = [_laid(w, *term, every, sizes) for term in terms]
    so_far = factors[0]
    for factor in factors[1:]:
        so_far = w("multiply", so_far, factor)
    if every != out:
        w("sum", so_far, axis=tuple(range(len(out), len(every))), keepdims=False)
    return w.finished(result)


Term = tuple[Name, str]


def _shape(axes: str, sizes: dict[str, int]) -> tuple[int, ...]:
    return tuple(sizes[axis] for axis in axes)


def _move(w: Writer, name: Name, source: np.ndarray) -> Name:
    return w("move", name, source=source, fill=0.0)


def _distinct(w: Writer, name: Name, axes: str, sizes: dict[str, int]) -> Term:
    """A diagonal, where a letter stands twice."""
    once = "".join(dict.fromkeys(axes))
    if once == axes:
        return name, axes
    source = np.einsum(f"{axes}->{once}", numbers(_shape(axes, sizes)))
    return _move(w, name, source), once


def _laid(w: Writer, name: Name, axes: str, out: str, sizes: dict[str, int]) -> Name:
    """Broadcast to the axes of `out`, in their order."""
    order = [axes.index(axis) for axis in out if axis in axes]
    places = numbers(_shape(axes, sizes)).transpose(order)
    missing = [i for i, axis in enumerate(out) if axis not in axes]
    source = np.broadcast_to(np.expand_dims(places, missing), _shape(out, sizes))
    return _move(w, name, source)


def _two(w: Writer, terms: list[Term], out: str, sizes: dict[str, int]) -> None:
    """The product of two, as one of matrices: (shared, left, summed) by the other."""
    reduced = []
    for (name, axes), (_, others) in zip(terms, reversed(terms), strict=True):
        alone = tuple(i for i, a in enumerate(axes) if a not in others and a not in out)
        if alone:
            name = w("sum", name, axis=alone, keepdims=False)
            axes = "".join(a for i, a in enumerate(axes) if i not in alone)
        reduced.append((name, axes))
    (x, left), (y, right) = reduced
    shared = "".join(a for a in left if a in right and a in out)
    summed = "".join(a for a in left if a in right and a not in out)
    rows = "".join(a for a in left if a not in right)
    columns = "".join(a for a in right if a not in left)

    def matrices(name: Name, axes: str, *groups: str) -> Name:
        order = [axes.index(a) for a in "".join(groups)]
        shape = [np.prod(_shape(group, sizes), dtype=int) for group in groups]
        return _move(
            w, name, numbers(_shape(axes, sizes)).transpose(order).reshape(shape)
        )

    x = matrices(x, left, shared, rows, summed)
    y = matrices(y, right, shared, summed, columns)
    made = shared + rows + columns
    order = [made.index(a) for a in out]
    _move(w, w("matmul", x, y), numbers(_shape(made, sizes)).transpose(order))


def einsum_labels(
    subscripts: str, ranks: Sequence[int]
) -> tuple[list[str], str] | None:
    """The letters of every operand and of the result; None where they do not fit."""
    inputs, arrow, out = subscripts.replace(" ", "").partition("->")
    terms = inputs.split(",")
    if len(terms) != len(ranks):
        return None
    unused = [a for a in ascii_letters if a not in subscripts]
    hidden = max(
        [n - len(t) + 3 for t, n in zip(terms, ranks, strict=True) if "..." in t],
        default=0,
    )
    dots = "".join(unused[:hidden])
    labels = []
    for term, rank in zip(terms, ranks, strict=True):
        count = rank - len(term) + 3 if "..." in term else 0
        labels.append(term.replace("...", dots[hidden - count :]))
    if not arrow:
        plain = inputs.replace("...", "").replace(",", "")
        out = dots + "".join(sorted(a for a in plain if plain.count(a) == 1))
    return labels, out.replace("...", dots)


def tensordot_labels(
    ranks: Sequence[int], axes: int | Sequence[Any]
) -> tuple[list[str], str]:
    """The letters of the two operands of `np.tensordot` and of its result."""
    if isinstance(axes, int | np.integer):
        pairs = (range(ranks[0] - axes, ranks[0]), range(axes))
    else:
        first, second = (np.atleast_1d(part).tolist() for part in axes)
        pairs = (first, second)
    left = list(ascii_letters[: ranks[0]])
    right = list(ascii_letters[ranks[0] : ranks[0] + ranks[1]])
    for i, j in zip(*pairs, strict=True):
        right[j] = left[i]
    out = [a for a in left if a not in right] + [a for a in right if a not in left]
    return ["".join(left), "".join(right)], "".join(out)


def dot_labels(ranks: Sequence[int]) -> tuple[list[str], str]:
    """The letters of the two operands of `np.dot`, neither of them a number."""
    return tensordot_labels(ranks, ([-1], [-2 if ranks[1] > 1 else -1]))
