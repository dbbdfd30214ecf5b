"""What the suite asks of an implementation.

NumPy arrays go in and NumPy arrays come out, of the dtype that went in; that is all the
suite knows of one. This module imports nothing of the suite but data, so that all of it may
import this.
"""

import re
from collections.abc import Callable, Iterator
from importlib import import_module
from threading import RLock
from typing import Any, Protocol

import numpy as np

from gradparity.parity_tests.implementations.backends import Backend
from gradparity.parity_tests.processes import compiling

Arrays = dict[str, np.ndarray]


class NotInstalled(Exception):
    """The framework that an implementation needs cannot be imported, and why."""


class Implementation(Protocol):
    """What the suite asks of an implementation.

    Where it does not offer a layer, or has None for a method, there are no rows.
    """

    name: str
    backend: Backend

    def offers(self, layer: str) -> bool:
        """Whether it has this layer."""

    def judged_as(self, layer: str) -> tuple[Backend, ...]:
        """Whose arithmetic and whose documented divergences are allowed in this layer:
        its own, or, of user-supplied code, all that it may be written with.
        """

    def run_layer(self, layer: str, inputs: Arrays, dout: Any) -> Arrays:
        """Every output by its name, then `d...` for every input that is differentiated.

        `dout` is an array; where there are several outputs, a tuple of one for each.
        """

    @property
    def run_network(self) -> Callable[[Arrays, np.ndarray, np.ndarray], Arrays] | None:
        """(params, x, t) -> every value and gradient on the way."""

    @property
    def train(self) -> Callable[..., Iterator[Any]] | None:
        """As `reference.training.train`."""

    @property
    def predict(self) -> Callable[[Arrays, np.ndarray], np.ndarray] | None:
        """(params, x) -> the scores of every class."""

    @property
    def products(self) -> Callable[..., Arrays] | None:
        """(layer, *arguments) -> Jacobian- and Hessian-vector products, with the arguments
        of `products` from its third on.
        """

    @property
    def spelled(self) -> Callable[[Callable[..., Any]], "Implementation"] | None:
        """A function of `spellings.py` -> the same with that for every layer."""


_broken: dict[str, str] = {}  # frameworks that are there and cannot be imported: why
_importing = RLock()  # of two threads, the second is told what the first was


def framework(name: str) -> Any:
    """The module of that name.

    Raises `NotInstalled` if it cannot be imported, whatever it raises: a library that is
    missing below it, for instance, is an OSError. What failed half-way is not tried again,
    for the second time it would fail for another reason.
    """
    with _importing:
        if name in _broken:
            raise NotInstalled(_broken[name])
        try:
            module = import_module(name)
        except ModuleNotFoundError as error:
            raise NotInstalled(f"{name} cannot be imported: {error}") from error
        except (Exception, SystemExit) as error:
            said = f"{type(error).__name__}: {error}".rstrip(": ")
            _broken[name] = f"{name} cannot be imported: {said}"
            raise NotInstalled(_broken[name]) from error
    if name == "jax":
        compiling.watch(module)
    return module


def function_name(layer: str) -> str:
    """`SoftmaxWithLoss` -> `softmax_with_loss`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", layer).lower()


def as_tuple(value: Any) -> tuple[Any, ...]:
    """Return several of a thing as they are, and a single one as a tuple of one."""
    return value if isinstance(value, tuple) else (value,)


def another_batch(inputs: list[np.ndarray]) -> list[np.ndarray]:
    """Other data of another batch size: the first sample once more at the end; of a
    single sample, two.
    """
    if inputs[0].ndim > 1:
        return [np.concatenate([value, value[:1]]) for value in inputs]
    return [np.stack([value, value]) for value in inputs]


def no_floats(layer: str, name: str, value: np.ndarray) -> TypeError:
    """The reference's refusal of an array that no framework takes."""
    return TypeError(
        f"{layer}: {name} must be a floating-point array, got dtype {value.dtype}"
    )


def check_dout(layer: str, dout: Any, out: Any) -> None:
    """Refuse, in the reference's words, a dout that the framework would refuse in its
    own. Of several outputs, both are tuples.
    """
    for each, of in zip(as_tuple(dout), as_tuple(out), strict=True):
        shape = tuple(of.shape)
        if each.shape != shape:
            raise ValueError(f"{layer}: dout must have shape {shape}, got {each.shape}")


def products(room: Any, layer: Any, *arguments: Any, **settings: Any) -> dict[str, Any]:
    """Return all Jacobian- and Hessian-vector products of a layer; of the network, where
    that is None. `room` is the `second_order` of one of the three, which share its names.
    """
    if layer is None:
        found = {"Rloss": room.loss_jvp(*arguments)}
        moved = room.loss_hvp(*arguments)
    else:
        inputs, dout, tangents, Rdout = arguments
        found = {"Rout": room.jvp(layer, inputs, tangents, **settings)}
        moved = room.hvp(layer, inputs, dout, tangents, Rdout, **settings)
    return found | {"Rd" + name: value for name, value in moved.items()}
