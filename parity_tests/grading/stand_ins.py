"""Modules that a submission imports and that are not there, or not as it knows them.

What only Colab has does nothing. There are no data. CuPy is NumPy. Of a third party that
is not installed, the module is there, and what is used of it fails in a sentence.
"""

import warnings
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import numpy as np

# What NumPy had once, and what is written for it now.
NUMPY_WAS: dict[str, Any] = {
    **{kind.__name__: kind for kind in (int, float, bool, complex, object, str)},
    **dict.fromkeys(("Inf", "Infinity", "infty", "PINF"), np.inf),
    **{"NINF": -np.inf, "NaN": np.nan, "NAN": np.nan, "float_": np.float64},
    **{"product": np.prod, "cumproduct": np.cumprod, "round_": np.round},
    **{"alltrue": np.all, "sometrue": np.any, "mat": np.asmatrix},
}
Fill = Callable[[ModuleType], None]


class Nothing:
    """Does nothing, whatever is asked of it."""

    def __call__(self, *arguments: object, **named: object) -> "Nothing":
        return self

    def __getattr__(self, name: str) -> "Nothing":
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __getitem__(self, key: object) -> "Nothing":
        return self

    def __iter__(self) -> Iterator[object]:
        return iter(())

    def __bool__(self) -> bool:
        return False

    def __enter__(self) -> "Nothing":
        return self

    def __exit__(self, *exception: object) -> None:
        pass


class NotInstalled(ImportError):
    """Something is used of a module that is not there."""


class Missing:
    """Something of a module that is not there: it may be named, and not be used."""

    def __init__(self, module: str, name: str) -> None:
        self._module, self._name = module, name

    def __getattr__(self, name: str) -> "Missing":
        if name.startswith("__"):
            raise AttributeError(name)
        return Missing(self._module, f"{self._name}.{name}")

    def __mro_entries__(self, bases: object) -> tuple[type, ...]:
        """A class may be derived from it, and is then no use either."""
        missing = self

        class Base:
            def __init__(self, *arguments: object, **named: object) -> None:
                missing._fail()

        return (Base,)

    def __call__(self, *arguments: object, **named: object) -> Any:
        self._fail()

    def __getitem__(self, key: object) -> Any:
        self._fail()

    def __iter__(self) -> Any:
        self._fail()

    def __instancecheck__(self, instance: object) -> bool:
        return False

    def __array__(self, *arguments: object, **named: object) -> Any:
        self._fail()

    def _fail(self) -> None:
        raise NotInstalled(
            f"`{self._module}` is neither handed in nor installed here, and so "
            f"`{self._name}` cannot be used"
        )


def stand_in(name: str) -> Fill | None:
    """What fills the module of this name, if it is one that is stood in for whoever has it
    installed, and whoever has not.
    """
    top = name.partition(".")[0]
    if name == "google":
        return _with_no_more
    if top == "IPython" or name.startswith("google.colab"):
        return _with_nothing
    if name in ("dataset", "dataset.mnist", "mnist"):
        return _without_data
    return _with_numpy if top in ("cupy", "cupyx") else None


def as_numpy_was() -> None:
    """Give NumPy what it had when the book was written, and has no more."""
    for name, value in NUMPY_WAS.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if not hasattr(np, name):
                setattr(np, name, value)


def missing(name: str) -> Fill:
    """What fills the module of this name of a third party, which is not installed."""
    return lambda module: _with_what_is_missing(module, name)


def _with_no_more(module: ModuleType) -> None:
    """The package is there, for the modules in it."""


def _with_nothing(module: ModuleType) -> None:
    def nothing(name: str) -> Nothing:
        return getattr(Nothing(), name)

    module.__getattr__ = nothing  # type: ignore[method-assign]


def _with_numpy(module: ModuleType) -> None:
    public = {name: value for name, value in vars(np).items() if name[:1] != "_"}
    vars(module).update(public, asnumpy=np.asarray, get_array_module=lambda *a: np)

    def more(name: str) -> Any:
        if name in ("cuda", "fuse", "get_default_memory_pool"):
            return Nothing()
        return getattr(np, name)

    module.__getattr__ = more  # type: ignore[method-assign]


def _with_what_is_missing(module: ModuleType, whole: str) -> None:
    def attribute(name: str) -> Missing:
        if name == "__all__":  # `from ... import *` cannot be done
            raise ModuleNotFoundError(f"No module named {whole!r}", name=whole)
        if name.startswith("__"):
            raise AttributeError(name)
        return Missing(whole, f"{whole}.{name}")

    module.__getattr__ = attribute  # type: ignore[method-assign]


def _without_data(module: ModuleType) -> None:
    def load_mnist(*arguments: object, **named: object) -> None:
        raise RuntimeError(
            "there are no data where a submission is graded: what needs them belongs "
            'into a function, or under if __name__ == "__main__":'
        )

    module.load_mnist = load_mnist  # type: ignore[attr-defined]
