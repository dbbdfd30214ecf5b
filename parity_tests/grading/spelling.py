"""Names as people write them: of arguments and arrays, of gradients, and of methods.

This is read in the submission's own process, and needs the standard library alone.
"""

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

# What else an argument, or the array that is made of it, is called, in small letters and
# without underscores.
ALSO = {
    "W": ("w", "weight", "weights", "kernel", "kernels", "filter", "filters"),
    "b": ("b", "bias", "biases"),
    "x": ("x", "inputdata", "input", "inputs", "img", "image", "images", "data", "im"),
    "col": ("col", "cols", "column", "columns"),
    "stride": ("stride", "strides", "s"),
    "f": ("f", "func", "function", "fn", "fun"),
    "pad": ("pad", "padding", "p"),
    "filter_h": ("filterh", "fh", "kh", "kernelh", "filterheight", "poolh", "hh"),
    "filter_w": ("filterw", "fw", "kw", "kernelw", "filterwidth", "poolw", "ww"),
    "pool_h": ("poolh", "ph", "poolheight", "h", "height", "kh", "fh"),
    "pool_w": ("poolw", "pw", "poolwidth", "w", "width", "kw", "fw"),
    "size": (
        "size",
        "poolsize",
        "kernelsize",
        "ksize",
        "k",
        "filtersize",
        "windowsize",
    ),
    "input_shape": ("inputshape", "shape", "xshape", "imgshape", "imshape"),
    "dropout_ratio": ("dropoutratio", "ratio", "dropoutrate", "rate", "droprate", "p"),
    "train_flg": (
        "trainflg",
        "trainflag",
        "train",
        "istrain",
        "training",
        "istraining",
    ),
}
AFFIXES = ("d{}", "grad{}", "{}grad", "gradient{}", "{}gradient", "delta{}")
GRADIENTS = ("grads", "grad", "gradients", "gradient", "dparams")
COUNT = r"(size|features?|dims?|num|n|nodes?|units?|neurons?|channels?)?"
# How arguments are called that are how many inputs and outputs there are.
SIZES = tuple(
    re.compile(rf"(n|num|dim|size|fan)?({word}|{word}put|{word}puts){COUNT}")
    for word in ("in", "out")
)
# Methods that are what they are called, however near to another name that is.
METHODS = frozenset(
    ("forward", "backward", "predict", "loss", "accuracy", "gradient", "update")
)
NEAR = 0.65  # the least share of letters in common of what may be misspelt


def small(name: str) -> str:
    """In small letters, without underscores."""
    return name.lower().replace("_", "")


def spellings(name: str) -> tuple[str, ...]:
    """What an argument may be called, as `small` gives it."""
    return ALSO.get(name, (small(name),))


def gradient_names(name: str) -> frozenset[str]:
    """What the gradient by an argument may be called, as `small` gives it."""
    return frozenset(a.format(s) for s in spellings(name) for a in AFFIXES)


def attributes(thing: Any) -> Mapping[str, Any]:
    """What an instance keeps, by name."""
    kept = getattr(thing, "__dict__", {})
    return dict(kept) if isinstance(kept, dict) else {}


def gradient(
    made: Any, name: str, of: tuple[str, ...], shape: tuple[int, ...]
) -> tuple[Any, str] | None:
    """The gradient by one of the arrays `of` a layer, and what it is called there.

    It is looked for under the book's name, then under others, and then in a list or a
    dictionary of gradients.
    """
    right = "d" + name
    if getattr(made, right, None) is not None:
        return getattr(made, right), right
    kept, wanted = attributes(made), gradient_names(name)
    for called, value in kept.items():
        if value is not None and small(called) in wanted and called != right:
            return value, called
    for called, value in kept.items():
        if small(called) in GRADIENTS:
            found = in_container(value, name, of, shape)
            if found is not None:
                return found[0], f"{called}[{found[1]!r}]"
    return (None, right) if hasattr(made, right) else None


def in_container(
    value: Any, name: str, of: tuple[str, ...], shape: tuple[int, ...]
) -> tuple[Any, int | str] | None:
    """A gradient in a dictionary or a list, and its key or place there. In a list that
    which alone has the right shape is taken, or that in the place of the argument.
    """
    if isinstance(value, dict):
        wanted = gradient_names(name) | {*spellings(name)}
        for key in (name, "d" + name, *value):
            if key in value and isinstance(key, str) and small(key) in wanted:
                return value[key], key
    if isinstance(value, list | tuple):
        fitting = [i for i, v in enumerate(value) if getattr(v, "shape", None) == shape]
        place = fitting[0] if len(fitting) == 1 else of.index(name)
        if place < len(value):
            return value[place], place
    return None


def places(made: Any, name: str, of: tuple[str, ...]) -> Iterator[tuple[Any, Any]]:
    """Where a layer keeps one of the arrays `of` it: what it is kept in, and the key or
    name there.
    """
    kept, wanted = attributes(made), spellings(name)
    for called in kept:
        if small(called) in wanted:
            yield made, called
    for called, value in kept.items():
        if small(called) in ("params", "parameters", "param"):
            if isinstance(value, dict):
                for key in value:
                    if isinstance(key, str) and small(key) in wanted:
                        yield value, key
            elif isinstance(value, list) and of.index(name) < len(value):
                yield value, of.index(name)


def is_size(name: str, which: int) -> bool:
    """Whether an argument of this name is how many inputs (0) or outputs (1) there are."""
    return SIZES[which].fullmatch(small(name)) is not None


def misspelt(made: Any, method: str) -> str | None:
    """The method that a class has in the place of another one that it should have."""
    found = {
        small(name): name
        for name in dir(type(made))
        if not name.startswith("__")
        and name not in METHODS
        and callable(getattr(type(made), name, None))
    }
    near = get_close_matches(small(method), list(found), n=1, cutoff=NEAR)
    return found[near[0]] if near else None
