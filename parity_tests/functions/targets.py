"""The functions that are compared: what was named, which framework it may be written in,
what it takes, and how its gradients are come by.
"""

import inspect
import os
import sys
import sysconfig
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import numpy as np

from gradparity.parity_tests.functions import UnusableFunction, UnusableInput
from gradparity.parity_tests.functions.surroundings import frameworks, own_vjp
from gradparity.parity_tests.implementations.user_supplied import (
    Left,
    UnusableImplementation,
    code_of,
    import_target,
    told,
)

# How the gradients are come by: the framework differentiates; a module does, with respect
# to its parameters too; a NumPy function returns them; a `vjp` beside it finds them; a
# class has `backward`; or not at all.
Kind = Literal["differentiated", "module", "returned", "vjp", "class", "none"]
# What records, beside the layers, which may be compared like anybody's.
RECORDER = (
    "calls",
    "contractions",
    "layouts",
    "meanings",
    "program",
    "recorded",
    "tape",
)
LONGEST = 300  # characters of what an exception says
Forbidden = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


@dataclass(frozen=True)
class Parameter:
    """A parameter of a function.

    Args:
        name: its own.
        default: what it is where nothing is given; `Parameter.empty` where it has none.
        whole: whether it is annotated as integers.
        plain: whether it is annotated as a number or a word, and no array.
        positional: whether it can be given by position.
        held: whether the constructor of a class takes it.
    """

    name: str
    default: Any = inspect.Parameter.empty
    whole: bool = False
    plain: bool = False
    positional: bool = True
    held: bool = False

    @property
    def required(self) -> bool:
        return self.default is inspect.Parameter.empty

    @property
    def setting(self) -> bool:
        """Whether it takes a number, a word or a tuple, and no array."""
        default = self.default
        parts = default if isinstance(default, tuple) and default else (default,)
        return self.plain or all(isinstance(p, bool | int | float | str) for p in parts)


@dataclass(frozen=True, eq=False)
class Target:
    """A function to be compared.

    Args:
        name: as it was named.
        kind: how its gradients are come by.
        frameworks: those that it may be written in, the likeliest first.
        function: what is called; of a class, what makes an object of it.
        parameters: those that it has; None where nobody can tell, as of what is written
            in C.
        takes_more: whether it also takes any number of arrays by position, or by name.
        held: a module's own parameters, by name, which are differentiated too.
        beside: the names of the module that it stands in.
        file: the module's, or "".
        notes: sentences about how it was taken.
        heard: the lines that it has printed, of which nothing is shown again.
        likely: the shapes of what another function returns on the same inputs, which it
            probably returns, too.
    """

    name: str
    kind: Kind
    frameworks: tuple[str, ...]
    function: Any
    parameters: tuple[Parameter, ...] | None
    takes_more: tuple[bool, bool] = (False, False)
    held: Mapping[str, np.ndarray] = field(default_factory=dict)
    beside: Mapping[str, Any] = field(default_factory=dict, repr=False)
    file: str = ""
    notes: tuple[str, ...] = ()
    heard: list[str] = field(default_factory=list, repr=False)
    likely: tuple[tuple[int, ...], ...] = ()

    @property
    def framework(self) -> str:
        """The likeliest one; the only one after `calling.prepare`."""
        return self.frameworks[0]

    @property
    def signature(self) -> str:
        """`x, w, b`, for sentences."""
        return ", ".join(p.name for p in self.parameters or ()) or "nothing"

    def written_in(self, name: str) -> "Target":
        """The same, taken as written in this framework."""
        kind, parameters = self.kind, self.parameters
        if kind == "differentiated":
            kind = kind_of(self, name)
        if kind == "returned" and parameters is not None:
            parameters = tuple(p for p in parameters if p.name != "dout")
        return replace(self, kind=kind, frameworks=(name,), parameters=parameters)


def kind_of(target: Target, name: str) -> Kind:
    """How the gradients of a function are come by in a framework."""
    if name != "numpy":
        return "differentiated"
    if any(p.name == "dout" for p in target.parameters or ()):
        return "returned"
    if own_vjp(target.beside) is not None:
        return "vjp"
    return "none"


# --- By what name ---------------------------------------------------------------------


def load_all(texts: Sequence[str]) -> list[Target]:
    """The functions of these names; a file that several stand in is imported once."""
    imported: dict[str, ModuleType] = {}
    return [load(text, imported) for text in texts]


def load(text: str, imported: dict[str, ModuleType] | None = None) -> Target:
    """The function that `file.py:name`, `module:name` or `module:Class.attribute` names;
    modules of the current folder count. What was imported already may be handed in.

    Raises `UnusableFunction` if there is none, or what is there cannot be taken.
    """
    place, _, name = text.rpartition(":")
    if not place or not all(part.isidentifier() for part in name.split(".")):
        raise UnusableFunction(
            f"{text}: expected a function as file.py:name or module:name"
        )
    imported = {} if imported is None else imported
    if place not in imported:
        try:
            imported[place] = import_target(place)
        except UnusableImplementation as error:
            raise UnusableFunction(shortened(str(error))) from error
    module = imported[place]
    found: Any = module
    inside = place
    for part in name.split("."):
        try:
            with code_of(text):
                found, holder = getattr(found, part), found
        except AttributeError:
            names = getattr(found, "__dict__", {})
            raise UnusableFunction(
                f"{text}: there is no {part} in {inside}{like(part, names)}"
            ) from None
        inside = f"{inside}.{part}" if holder is not module else f"{place}:{part}"
    return of(found, text, vars(module))


def like(name: str, names: Mapping[str, Any]) -> str:
    """`: did you mean layer_norm?`, or what there is."""
    from difflib import get_close_matches

    offered = [
        each
        for each, value in names.items()
        if callable(value) and not each.startswith("_")
    ]
    close = get_close_matches(name, offered, 1)
    return f": did you mean {close[0]}?" if close else ""


def of(
    function: Any,
    name: str | None = None,
    beside: Mapping[str, Any] | None = None,
    framework: str | None = None,
) -> Target:
    """What is to be compared, of a function, a module, a class or whatever can be called;
    written in a framework, where that is known.

    Raises `UnusableFunction`.
    """
    if isinstance(function, Target):
        return function
    name = name or str(getattr(function, "__qualname__", type(function).__name__))
    if beside is None:
        inner = inspect.unwrap(function) if callable(function) else function
        beside = getattr(inner, "__globals__", {})
    notes: tuple[str, ...] = ()
    for original in ("_orig_mod", "_torchdynamo_orig_callable"):
        if (inner := getattr(function, original, None)) is not None:
            function = inner
            notes = (f"{name} is compared as it was before torch.compile",)
    made = made_of(function, name)
    target = taken(made, name, beside)
    file = str(beside.get("__file__") or "")
    target = replace(target, file=file, notes=notes)
    return target if framework is None else target.written_in(framework)


def made_of(function: Any, name: str) -> Any:
    """The module that a class of modules, or a function without parameters, makes; any
    other as it is.
    """
    torch = sys.modules.get("torch")
    if torch is None:
        return function
    is_class = inspect.isclass(function)
    if is_class and issubclass(function, torch.autograd.Function):
        return function.apply
    if is_class and not issubclass(function, torch.nn.Module):
        return function
    if not is_class and (isinstance(function, torch.nn.Module) or not makes(function)):
        return function
    if needed := [p.name for p in parameters_of(function)[0] or () if p.required]:
        raise UnusableFunction(
            f"{name} is a class that is made of {', '.join(needed)}: expected a module, "
            f"as in model = {name.rpartition(':')[2]}(...)"
        )
    with refused(name, "cannot be made"), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        made = function()
    return made if is_class or isinstance(made, torch.nn.Module) else function


def makes(function: Any) -> bool:
    """Whether it is a function without any parameter, which may make a module."""
    found, more = parameters_of(function)
    return inspect.isfunction(function) and found == () and more == (False, False)


def taken(function: Any, name: str, beside: Mapping[str, Any]) -> Target:
    """By what it is."""
    torch = sys.modules.get("torch")
    if torch and isinstance(function, torch.nn.Module):
        parameters, more = parameters_of(function.forward)
        held = held_by(function, name)
        return Target(
            name, "module", ("torch",), function, parameters, more, held, beside
        )
    if hasattr(function, "forward") and hasattr(function, "backward"):
        return of_class(function, name, beside)
    if inspect.isclass(function):
        raise UnusableFunction(
            f"{name} is a class without forward and backward: expected a function"
        )
    if not callable(function):
        kind = type(function).__name__
        raise UnusableFunction(f"{name} is of type {kind}: expected a function")
    parameters, more = parameters_of(function)
    if parameters == () and not any(more):
        raise UnusableFunction(f"{name} takes nothing that it could be compared on")
    possible = tuple(
        each for each in frameworks(function, beside) if find_spec(each) is not None
    )
    return Target(
        name, "differentiated", possible, function, parameters, more, beside=beside
    )


def of_class(kind: Any, name: str, beside: Mapping[str, Any]) -> Target:
    """A class with forward and backward, or an object of one."""
    own, more = parameters_of(kind.forward)
    if not inspect.isclass(kind):
        made = partial(deepcopy, kind)
        return Target(name, "class", ("numpy",), made, own, more, beside=beside)
    held, _ = parameters_of(kind)
    own = (own or ())[1:]  # without self
    parameters = (*own, *(replace(p, held=True) for p in held or ()))
    return Target(name, "class", ("numpy",), kind, parameters, more, beside=beside)


def held_by(module: Any, name: str) -> dict[str, np.ndarray]:
    """The parameters of a module that are differentiated, by name."""
    found = {}
    with refused(name, "has parameters that have no values"):
        for key, value in module.named_parameters():
            if value.requires_grad and value.is_floating_point():
                found[key] = value.detach().cpu().double().numpy().copy()
    return found


def parameters_of(
    function: Any,
) -> tuple[tuple[Parameter, ...] | None, tuple[bool, bool]]:
    """The parameters, None if it does not tell; and whether it takes more than these, by
    position and by name.
    """
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return None, (True, False)
    every = signature.parameters.values()
    more = tuple(any(p.kind is kind for p in every) for kind in Forbidden)
    found = tuple(parameter(p) for p in every if p.kind not in Forbidden)
    return found, (more[0], more[1])


def parameter(found: inspect.Parameter) -> Parameter:
    """What is to be known of it."""
    annotation = found.annotation
    text = annotation if isinstance(annotation, str) else str(annotation)
    kind = (
        text if isinstance(annotation, str) else getattr(annotation, "__name__", text)
    )
    return Parameter(
        found.name,
        found.default,
        whole=kind == "int" or "Labels" in text or kind.startswith("Int"),
        plain=kind in ("int", "float", "bool", "str"),
        positional=found.kind is not found.KEYWORD_ONLY,
    )


# --- What is said of code that raises ---------------------------------------------------


@contextmanager
def refused(name: str, what: str = "cannot take these inputs") -> Iterator[None]:
    """The block runs somebody's function; whatever it raises becomes one sentence, of an
    `UnusableFunction`.
    """
    try:
        with code_of(name):
            yield
    except (Left, UnusableFunction, UnusableInput):
        raise
    except Exception as error:
        raise UnusableFunction(f"{name} {what}: {sentence(error)}") from error


def sentence(error: BaseException) -> str:
    """`ValueError: what it says (mine.py, line 3)`: the last line of the user's own."""
    said = shortened(told(error)).removesuffix(":")
    for each in filter(None, (error, error.__cause__)):
        for frame in reversed(traceback.extract_tb(each.__traceback__)):
            if is_users(frame.filename):
                return f"{said} ({Path(frame.filename).name}, line {frame.lineno})"
    return said


def shortened(text: str) -> str:
    """On one line, and not too long."""
    text = " ".join(text.split())
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def is_users(file: str) -> bool:
    """Whether it is neither a library's, nor Python's own, nor of those of ours that run
    functions.
    """
    place = os.path.realpath(file)
    return not file.startswith("<") and not place.startswith(tuple(NOT_USERS))


def folders() -> Iterator[str]:
    """Yield those in which no user's code lies, and such files."""
    rooms = Path(__file__).resolve().parents[2]
    for own in ("parity_tests/functions", "parity_tests/implementations"):
        yield str(rooms / own) + os.sep
    for room in ("torch_impl", "jax_impl"):
        yield str(rooms / room) + os.sep
    for recorder in RECORDER:
        yield str(rooms / "reference" / f"{recorder}.py")
    for name in ("stdlib", "purelib", "platlib"):
        yield os.path.realpath(sysconfig.get_path(name)) + os.sep


NOT_USERS = [*folders()]
