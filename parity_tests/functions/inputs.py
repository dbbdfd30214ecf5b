"""The numbers that functions are compared on: given as text or files, drawn, or made by an
`example_inputs()` beside the functions.
"""

import json
import re
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from gradparity.parity_tests.catalogue.spec import Generator, generator
from gradparity.parity_tests.functions import UnusableInput
from gradparity.parity_tests.functions.targets import Target, refused
from gradparity.parity_tests.functions.trees import Setting, Tree, ends, mapped, named
from gradparity.reference.data.reading import MIB, read_regular

LARGEST = 256 * MIB  # bytes of a file
MOST = float(np.finfo(np.float64).max) / 4
INDICES = {
    *("idx", "index", "indices", "ids", "labels", "label", "target", "targets"),
    *("t", "y"),
}
SHAPE = re.compile(
    r"\(?(?P<sizes>\d*(,\d+)*),?\)?(:(?P<kind>int<(?P<below>\d+)|bool|positive))?"
)


@dataclass(frozen=True, eq=False)
class Given:
    """An input as it was given.

    Args:
        tree: arrays of float64, integers or booleans, and settings.
        whole: whether it is text of whole numbers only, which may be meant as floats.
    """

    tree: Tree
    whole: bool = False


# --- As text --------------------------------------------------------------------------


def parse(texts: Sequence[str], shapes: Sequence[str] = ()) -> dict[str, Given]:
    """What `--input x=[1,2]` and `--shape x=4,5` give, by name.

    Raises `UnusableInput` with what was expected and what came.
    """
    found: dict[str, Given] = {}
    for option, every, read in (("input", texts, value), ("shape", shapes, drawn)):
        for text in every:
            name, equals, rest = (part.strip() for part in text.partition("="))
            if not (equals and name.isidentifier()):
                example = "x=[1,-2]" if option == "input" else "x=4,5"
                raise UnusableInput(
                    f"--{option} must be NAME=VALUE, as in {example}, got {text!r}"
                )
            if name in found:
                raise UnusableInput(f"the input {name} is given twice, expected once")
            found[name] = read(name, rest)
    return found


def value(name: str, text: str) -> Given:
    """What stands in brackets, or in a .npy or .npz file."""
    if text.endswith((".npy", ".npz")):
        return Given(in_file(name, text))
    try:
        said = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UnusableInput(
            f"--input {name} must be numbers as in JSON, such as [[1, NaN]], or a .npy or "
            f".npz file, got {text[:80]!r}"
        ) from error
    return in_brackets(name, said)


def in_brackets(name: str, said: Any) -> Given:
    """Of what JSON holds: an array, an object of such by name, or a setting."""
    if isinstance(said, dict):
        parts = {key: in_brackets(f"{name}.{key}", part) for key, part in said.items()}
        whole = any(part.whole for part in parts.values())
        return Given({key: part.tree for key, part in parts.items()}, whole)
    if said is None or isinstance(said, str):
        return Given(Setting(said))
    if isinstance(said, list) and any(isinstance(part, dict) for part in said):
        several = [in_brackets(f"{name}[{i}]", part) for i, part in enumerate(said)]
        whole = any(part.whole for part in several)
        return Given([part.tree for part in several], whole)
    try:
        found = np.array(said)
    except (ValueError, OverflowError) as error:
        raise UnusableInput(
            f"--input {name} must have rows of one length, or be an object of arrays by "
            "name"
        ) from error
    if found.dtype.kind != "b" and any(isinstance(part, bool) for part in flat(said)):
        raise UnusableInput(f"--input {name} holds numbers and booleans, expected one")
    return Given(as_kept(name, found), found.dtype.kind in "iu" and found.size > 0)


def flat(said: Any) -> Iterable[Any]:
    """Yield the numbers in brackets."""
    if isinstance(said, list):
        for part in said:
            yield from flat(part)
    else:
        yield said


def in_file(name: str, text: str) -> Tree:
    """The array of a .npy file, or those of a .npz file by name."""
    try:
        content = read_regular(Path(text), LARGEST)
        if text.endswith(".npy"):
            found: Any = np.lib.format.read_array(BytesIO(content), allow_pickle=False)
        else:
            with zipfile.ZipFile(BytesIO(content)) as archive:
                size = sum(each.file_size for each in archive.infolist())
            if size > LARGEST:
                raise UnusableInput(
                    f"--input {name}: {text} holds {size:,} bytes, expected at most "
                    f"{LARGEST:,}"
                )
            with np.load(BytesIO(content), allow_pickle=False) as arrays:
                found = dict(arrays)
    except UnusableInput:
        raise
    except OSError as error:
        reason = error.strerror or str(error)
        raise UnusableInput(f"--input {name}: {text}: {reason}") from error
    except Exception as error:  # what comes of a damaged file differs from byte to byte
        raise UnusableInput(
            f"--input {name}: {text} is no {text[-4:]} file of numbers: {error}"
        ) from error
    return named(found, as_kept, name)


def as_kept(name: str, found: Any) -> np.ndarray:
    """Floats in float64; integers and booleans as they are."""
    array = np.asarray(found)
    if array.dtype.name == "bfloat16":  # of ml_dtypes
        array = array.astype(np.float64)
    kind = array.dtype.kind
    if kind == "c":
        raise UnusableInput(f"the input {name} is complex, which is not compared")
    if kind not in "fiub":
        raise UnusableInput(
            f"the input {name} must hold numbers or booleans, got "
            f"{'text' if kind in 'US' else array.dtype}"
        )
    if kind == "u" and array.size and array.max() >= 2**63:
        raise UnusableInput(
            f"the input {name} has integers that need more than 63 bits"
        )
    to = {"f": np.float64, "i": np.int64, "u": np.int64, "b": np.bool_}[kind]
    with np.errstate(over="ignore", invalid="ignore"):
        return np.array(array, to)


def drawn(name: str, text: str) -> Given:
    """Of a shape, normally distributed: `4,5`. Or positive ones, `4,5:positive`; integers
    from 0 on, `3:int<10`; or booleans, `3:bool`.
    """
    found = SHAPE.fullmatch(text.replace(" ", ""))
    if found is None:
        raise UnusableInput(
            f"--shape {name} must be sizes with commas between, as in 4,5, 4:positive, "
            f"4:bool or 3:int<10, got {text!r}"
        )
    sizes = tuple(int(size) for size in found["sizes"].split(",") if size)
    if int(np.prod([float(size) for size in sizes])) > LARGEST // 8:
        raise UnusableInput(f"--shape {name}={text} is too large")
    rng, kind = generator(name), found["kind"] or ""
    if kind.startswith("int"):
        if (below := int(found["below"])) < 1:
            raise UnusableInput(f"--shape {name}: there is no integer in 0 <= n < 0")
        return Given(np.asarray(rng.integers(below, size=sizes), np.int64))
    if kind == "bool":
        return Given(np.asarray(rng.integers(2, size=sizes), np.bool_))
    normal = np.asarray(rng.standard_normal(sizes))
    return Given(np.exp(normal) if kind else normal)


# --- As values ------------------------------------------------------------------------


def of(found: Mapping[str, Any]) -> dict[str, Given]:
    """Of values by name: arrays of NumPy, PyTorch or JAX, numbers, lists of numbers, and
    what holds such.
    """
    return {
        name: each
        if isinstance(each, Given)
        else Given(named(np.asarray(each) if is_list(each) else each, kept, name))
        for name, each in found.items()
    }


def is_list(value: Any) -> bool:
    """Whether it is a list of numbers, or of lists of as many numbers each."""
    if not isinstance(value, list) or not value:
        return False
    if all(isinstance(part, list) for part in value):
        return all(map(is_list, value)) and len({*map(len, value)}) == 1
    return all(isinstance(part, bool | int | float) for part in value)


def kept(name: str, found: Any) -> Any:
    """An array or a setting."""
    if isinstance(found, str | Setting):
        return found if isinstance(found, Setting) else Setting(found)
    if hasattr(found, "detach"):
        found = found.detach().cpu()
        if str(found.dtype) == "torch.bfloat16":
            found = found.double()
        found = found.numpy()
    return as_kept(name, found)


def with_examples(
    targets: Sequence[Target], given: Mapping[str, Given]
) -> dict[str, Given]:
    """What was given, and where an input is missing, what the first `example_inputs()`
    beside one of the functions has for it.

    Raises `UnusableInput` if it returns neither a dict nor a tuple, or as many values as
    no function takes.
    """
    needed = {p.name for t in targets for p in t.parameters or () if p.required}
    held = {name.replace(".", "_") for each in targets for name in each.held}
    if given and not needed - held - {*given, "dout"}:
        return dict(given)
    for target in targets:
        make = target.beside.get("example_inputs")
        if not callable(make):
            continue
        name = f"example_inputs of {target.name.rpartition(':')[0] or target.name}"
        with refused(name, "raised"):
            found = make()
        if isinstance(found, Mapping):
            return {**of(found), **given}
        values = list(found) if isinstance(found, tuple | list) else [found]
        names = [p.name for p in target.parameters or () if p.name != "dout"]
        if target.parameters is None:
            names = [f"x{number}" for number in range(1, len(values) + 1)]
        if len(values) > len(names):
            raise UnusableInput(
                f"{name} returned {len(values)} values: {target.name} takes "
                f"{target.signature}"
            )
        return {**of(dict(zip(names, values, strict=False))), **given}
    return dict(given)


# --- Integers or floats -----------------------------------------------------------------


def is_index(path: str) -> bool:
    """Whether an input of this name is an index or a label, to go by its name."""
    return re.split(r"[.\[]", path.rstrip("0123456789[]"))[-1] in INDICES


def as_integers(path: str, given: Given, annotated: bool) -> Tree:
    """Whole numbers as integers where they are called or annotated as such, and otherwise
    as floats.
    """
    if not given.whole:
        return given.tree
    return named(
        given.tree,
        lambda name, part: part if annotated or is_index(name) else in_floats(part),
        path,
    )


def in_floats(part: Any) -> Any:
    """The same array in float64; booleans and settings as they are."""
    if isinstance(part, np.ndarray) and part.dtype.kind == "i":
        return part.astype(np.float64)
    return part


def turned(given: Given, tree: Tree) -> Tree:
    """Integers for floats, or floats for integers, where whole numbers were given."""
    integers = any(
        isinstance(part, np.ndarray) and part.dtype.kind == "i"
        for _, part in ends(tree)
    )
    return mapped(given.tree, in_floats) if integers else given.tree


def cast(tree: Tree, dtype: str) -> Tree:
    """Floats in this dtype; integers, booleans and settings as they are."""

    def convert(part: Any) -> Any:
        if isinstance(part, np.ndarray) and part.dtype.kind == "f":
            with np.errstate(over="ignore", invalid="ignore"):
                return part.astype(dtype)
        return part.copy() if isinstance(part, np.ndarray) else part

    return mapped(tree, convert)


# --- Other numbers ----------------------------------------------------------------------


def generic(
    inputs: Mapping[str, Tree], seed: int = 0, spread: float = 0.3
) -> dict[str, Tree]:
    """Other numbers of the same shapes and signs, no two of which are equal by chance.

    Every float is moved by up to `spread` of itself, within -1..1 where all lie there;
    zeros become small, and NaN and infinities ordinary numbers. Integers, booleans,
    settings and one-hot rows of labels stay.
    """

    def convert(path: str, part: Any) -> Any:
        if not isinstance(part, np.ndarray) or part.dtype.kind != "f":
            return part
        if is_index(path) and is_one_hot(part):
            return part
        return moved(part, generator(f"{seed} {path}"), spread)

    return {name: named(tree, convert, name) for name, tree in inputs.items()}


def is_one_hot(array: np.ndarray) -> bool:
    """Whether every row has a single 1, and zeros."""
    zeros_and_ones = np.isin(array, (0, 1)).all()
    return array.ndim > 1 and bool(zeros_and_ones and (array.sum(-1) == 1).all())


def moved(array: np.ndarray, rng: Generator, spread: float) -> np.ndarray:
    """The numbers of one array."""
    finite = np.isfinite(array)
    sizes = np.abs(array[finite & (array != 0)])
    scale = float(np.median(sizes)) if sizes.size else 1.0
    negative = bool((array < 0).any())
    ordinary = scale * np.asarray(rng.uniform(0.5, 1.5, array.shape))
    ordinary = np.where(np.sign(array) < 0, -ordinary, ordinary)
    small = scale * np.asarray(rng.uniform(spread / 10, spread, array.shape))
    if negative:
        small = small * rng.choice([-1.0, 1.0], array.shape)
    inside = sizes.size > 0 and sizes.max() <= 1
    share = np.asarray(rng.uniform(-spread, 0 if inside else spread, array.shape))
    with np.errstate(over="ignore", invalid="ignore"):
        near = array * (1 + share)
    found = np.where(array == 0, small, np.where(finite, near, ordinary))
    return np.asarray(np.clip(found, -MOST, MOST), array.dtype)
