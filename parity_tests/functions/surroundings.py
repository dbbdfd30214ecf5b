"""What a function's code names: from which frameworks that is, and the arrays among it."""

import inspect
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from types import CodeType, MethodType, ModuleType
from typing import Any

from gradparity.parity_tests.implementations.user_supplied import packages

ORDER = ("torch", "jax", "numpy")  # in which frameworks are tried
FRAMEWORK = {  # by the package that is imported
    **dict.fromkeys(("torch", "torchvision", "torchaudio"), "torch"),
    **dict.fromkeys(("jax", "jaxlib", "flax", "equinox", "haiku", "optax"), "jax"),
    **dict.fromkeys(("numpy", "scipy", "autograd"), "numpy"),
}
LIBRARIES = {*FRAMEWORK, *sys.stdlib_module_names}


def frameworks(function: Any, beside: Mapping[str, Any]) -> tuple[str, ...]:
    """The frameworks that a function may be written in, the likeliest first: those that
    its code names, or else those that its module does. All, if there is none of them.
    Whose gradients are found by hand is NumPy's, unless its code says otherwise.
    """
    used = of_values(reached(function))
    if used - {"numpy"}:
        return tuple(name for name in ORDER if name in used)
    around = of_values(beside.values())
    if "numpy" in used or by_hand(function, beside):
        return ("numpy", *(name for name in ORDER[:2] if name in around))
    return tuple(name for name in ORDER if name in around) or ORDER


def by_hand(function: Any, beside: Mapping[str, Any]) -> bool:
    """Whether it takes `dout`, or a `vjp` of the user's stands beside it."""
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return False
    return "dout" in parameters or own_vjp(beside) is not None


def own_vjp(beside: Mapping[str, Any]) -> Any:
    """The function of this name, unless it is a library's."""
    found = beside.get("vjp")
    return found if callable(found) and not packages([found]) & LIBRARIES else None


def of_values(values: Iterable[Any]) -> set[str]:
    """The frameworks that these values come from."""
    every = [*values]
    found = packages(every) | packages([type(value) for value in every])
    torch = sys.modules.get("torch")
    if torch and any(isinstance(value, torch.nn.Module) for value in every):
        found.add("torch")
    return {FRAMEWORK[name] for name in found if name in FRAMEWORK}


def reached(function: Any) -> Iterator[Any]:
    """Yield a function and all that its code names, and the code of the user's that it
    calls; libraries are not entered.
    """
    waiting, seen = [function], set[int]()
    kept = []  # so that no two of them have the same id
    while waiting:
        each = waiting.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        kept.append(each)
        yield each
        waiting += inside(each)


def inside(value: Any) -> list[Any]:
    """What a value leads to."""
    if isinstance(value, partial):
        return [value.func, *value.args, *value.keywords.values()]
    if isinstance(value, MethodType):
        return [value.__func__, value.__self__]
    if isinstance(value, Mapping):
        return [*value.values()]
    if isinstance(value, list | tuple | set):
        return [*value]
    if isinstance(value, ModuleType):
        return []
    if (bound := getattr(value, "__self__", None)) is not None and not hasattr(
        value, "__wrapped__"
    ):
        return [bound]
    if getattr(value, "__wrapped__", None) is not None:
        return [value.__wrapped__, *named_by(value)]
    if inspect.isfunction(value):
        return named_by(value)
    if packages([value]) & LIBRARIES or packages([type(value)]) & (
        LIBRARIES - {"builtins"}
    ):
        return []
    if inspect.isclass(value):
        return [*vars(value).values(), *value.__bases__]
    return [type(value), *getattr(value, "__dict__", {}).values()]


def named_by(function: Any) -> list[Any]:
    """What the code of a function names, of its module and of what it closes over; and
    its defaults. Nothing of a library's function.
    """
    code = getattr(function, "__code__", None)
    if code is None or packages([function]) & LIBRARIES:
        return []
    around = function.__globals__
    found = [around[name] for name in names(code) if name in around]
    found += [sys.modules[n] for n in imported(code) if n in sys.modules]
    for cell in function.__closure__ or ():
        try:
            found.append(cell.cell_contents)
        except ValueError:  # not filled yet
            continue
    return [*found, *(function.__defaults__ or ())]


def names(code: CodeType) -> Iterator[str]:
    """Yield every name of a function's code, and of the functions that stand in it."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from names(constant)


def imported(code: CodeType) -> Iterator[str]:
    """Yield the frameworks that a function imports where it uses them."""
    import dis

    for each in dis.get_instructions(code):
        if each.opname == "IMPORT_NAME":
            package = str(each.argval).partition(".")[0]
            if package in FRAMEWORK:
                yield package
