"""Jacobian- and Hessian-vector products of every layer and the network, as checks.

The inputs move in a random direction. `Rout` is how the output then moves, forward mode;
`Rdx` is how a gradient does, the Hessian of sum(dout * out) times the direction, forward
mode over reverse (R is Pearlmutter's operator, see `reference/second_order/`).
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache, partial
from importlib import import_module
from typing import Any, Self

import numpy as np

from gradparity.parity_tests.catalogue.case import Case, NetworkCase, cast
from gradparity.parity_tests.catalogue.cases import LAYER_CASES, NETWORK_CASES
from gradparity.parity_tests.catalogue.layers import LAYERS, settings_of
from gradparity.parity_tests.checking.values import raised_by, trusted, try_load
from gradparity.parity_tests.implementations.contract import (
    Arrays,
    NotInstalled,
    function_name,
)
from gradparity.parity_tests.measuring.arithmetic import arithmetic
from gradparity.parity_tests.measuring.comparison import Allowed, compare, truth_dtype
from gradparity.parity_tests.measuring.records import Check, Verdict
from gradparity.parity_tests.processes.settings import forget_programs
from gradparity.reference.rounding import (
    Arithmetic,
    Bounds,
    network_tangent_bounds,
    tangent_bounds,
)

START = NETWORK_CASES[0]  # the lecture's network as it is initialised
EVERY: list[Case | NetworkCase] = [*LAYER_CASES, START]
CASES = [case for case in EVERY if case.kind == "typical"]


@dataclass(frozen=True, eq=False)
class Moving:
    """A case whose inputs (of the network: the parameters) and dout move."""

    case: Case | NetworkCase
    direction: Arrays

    @classmethod
    def of(cls, case: Case | NetworkCase, seed: int = 0) -> Self:
        """In a direction drawn from a normal distribution."""
        if isinstance(case, NetworkCase):
            moving = case.params
        else:
            names = LAYERS[case.layer].differentiable
            moving = {name: case.inputs[name] for name in names}
            moving |= {"dout": case.dout}
        rng = np.random.default_rng(seed)
        return cls(
            case,
            {k: np.asarray(rng.standard_normal(v.shape)) for k, v in moving.items()},
        )

    def to(self, dtype: Any) -> "Moving":
        direction = {name: cast(value, dtype) for name, value in self.direction.items()}
        return Moving(self.case.to(dtype), direction)

    def moved(self, step: complex, dtype: Any) -> Case | NetworkCase:
        """The case that many times the direction further on, in a dtype."""
        case, direction = self.case.to(dtype), self.to(dtype).direction

        def move(name: str, value: np.ndarray) -> np.ndarray:
            return value + step * direction[name] if name in direction else value

        if isinstance(case, NetworkCase):
            params = {name: move(name, value) for name, value in case.params.items()}
            return replace(case, params=params)
        inputs = {name: move(name, value) for name, value in case.inputs.items()}
        return replace(case, inputs=inputs, dout=move("dout", case.dout))

    @property
    def arguments(self) -> tuple[Any, ...]:
        """Of `products`, from the third on."""
        case, direction = self.case, self.direction
        if isinstance(case, NetworkCase):
            return case.params, case.x, case.t, direction
        tangents = {k: v for k, v in direction.items() if k != "dout"}
        return case.inputs, case.dout, tangents, direction["dout"]


# --- What is computed, in the names that the three rooms share ------------------------


def products(room: Any, layer: Any, *arguments: Any, **settings: Any) -> dict[str, Any]:
    """All products of a layer; of the network, where that is None."""
    if layer is None:
        found = {"Rloss": room.loss_jvp(*arguments)}
        moved = room.loss_hvp(*arguments)
    else:
        inputs, dout, tangents, Rdout = arguments
        found = {"Rout": room.jvp(layer, inputs, tangents, **settings)}
        moved = room.hvp(layer, inputs, dout, tangents, Rdout, **settings)
    return found | {"Rd" + name: value for name, value in moved.items()}


def by_reference(moving: Moving) -> Arrays:
    room = import_module("gradparity.reference.second_order")
    layer = getattr(room, "R" + moving.case.layer, None)  # there is no RTwoLayerNet
    settings = settings_of(moving.case.layer)
    found = products(room, layer, *moving.arguments, **settings)
    return {name: np.asarray(value) for name, value in found.items()}


def by_torch(moving: Moving) -> Arrays:
    torch, room = (
        import_module("torch"),
        import_module("gradparity.torch_impl.second_order"),
    )
    given = converted(moving.arguments, lambda array: torch.from_numpy(np.array(array)))
    layer = moving.case.layer
    of, settings = function("torch_impl", layer), settings_of(layer)
    found = products(room, of, *given, **settings)
    return {name: value.numpy() for name, value in found.items()}


def by_jax(moving: Moving) -> Arrays:
    jax = import_module("jax")
    with jax.enable_x64(True):
        given = converted(moving.arguments, jax.device_put)
        found = compiled(moving.case.layer)(*given)
        return {name: np.asarray(value) for name, value in found.items()}


@cache
def compiled(layer: str) -> Callable[..., Any]:
    """Whole: to compile the operations of a layer's products one by one takes longer."""
    room, of = (
        import_module("gradparity.jax_impl.second_order"),
        function("jax_impl", layer),
    )
    whole: Callable[..., Any] = partial(products, room, of, **settings_of(layer))
    compiled: Callable[..., Any] = import_module("jax").jit(whole)
    return compiled


def function(package: str, layer: str) -> Callable[..., Any] | None:
    """The layer in a framework; None for the network."""
    layers = import_module(f"gradparity.{package}.layers")
    found: Callable[..., Any] | None = getattr(layers, function_name(layer), None)
    return found


def converted(tree: Any, convert: Callable[[np.ndarray], Any]) -> Any:
    """The same tuple or dictionary, of a framework's arrays."""
    if isinstance(tree, dict):
        return {name: converted(value, convert) for name, value in tree.items()}
    if isinstance(tree, tuple):
        return tuple(converted(value, convert) for value in tree)
    return convert(tree)


AS_LONG = 50  # steps of a training, as the products of a case
RUN = {"reference": by_reference, "torch": by_torch, "jax": by_jax}


# --- And what that is held against ----------------------------------------------------


def error_bounds(moving: Moving, arithmetic: Arithmetic) -> Bounds:
    """What rounding in this arithmetic can do to every product."""
    given = [*moving.arguments, arithmetic]
    if isinstance(moving.case, NetworkCase):
        return network_tangent_bounds(*given)
    layer = moving.case.layer
    return tangent_bounds(layer, *given, **settings_of(layer))


@dataclass(frozen=True, eq=False)
class Prepared:
    """A moving case in a dtype, and what its results are held against."""

    moving: Moving
    dtype: str
    truth: Arrays
    reference: Arrays
    truth_bounds: Bounds

    @classmethod
    def of(cls, moving: Moving, dtype: str) -> Self:
        moving, wide = moving.to(dtype), truth_dtype(dtype)
        bounded = error_bounds(moving, arithmetic("reference", dtype))
        truth = {
            quantity: trusted(value, bounded[quantity])
            for quantity, value in by_reference(moving.to(wide)).items()
        }
        of_truth = error_bounds(moving, arithmetic("reference", wide))
        return cls(moving, dtype, truth, by_reference(moving), of_truth)

    def allowed(self, implementation: str) -> dict[str, Allowed]:
        """How far an implementation's results may be from the truth."""
        own = arithmetic(implementation, self.dtype)
        certain, probable = (error_bounds(self.moving, a) for a in (own, own.likely))
        return {
            q: Allowed.of(certain[q], probable[q], self.truth_bounds[q])
            for q in self.truth
        }


def check(prepared: Prepared, name: str) -> list[Check]:
    """The rows of one case in one dtype for one implementation."""
    case, dtype = prepared.moving.case, prepared.dtype
    row: dict[str, Any] = {
        "scope": "network" if isinstance(case, NetworkCase) else "layer",
        "case": case.id,
        "kind": case.kind,
        "layer": case.layer,
        "dtype": dtype,
        "implementation": name,
    }
    problem: dict[str, Any] = {}
    results: Arrays = {}
    loaded = try_load(name)
    if isinstance(loaded, NotInstalled):
        problem = {"verdict": Verdict.MISSING, "note": str(loaded)}
    else:
        try:
            results = RUN[name](prepared.moving)
        except Exception as error:  # whatever it is, the other rows are still wanted
            problem = {"verdict": Verdict.FAIL, "note": raised_by(error)}
    allowed = prepared.allowed(name)
    found = []
    for q, truth in prepared.truth.items():
        reference = None if name == "reference" else prepared.reference[q]
        outcome = problem or compare(results[q], truth, allowed[q], dtype, reference)
        found.append(Check(**row, quantity=q, **outcome))
    return found


@dataclass(frozen=True)
class EveryProduct:
    """All rows, of those of the implementations that compute such products, as a task
    (`parallel.py`).

    Side by side in threads, since most of the time goes into compiling and importing; but
    torch in one thread alone, for torch.func.jvp cannot run twice at once.
    """

    dtypes: Sequence[str]
    implementations: Sequence[str]
    threads: int | None = None

    @property
    def names(self) -> list[str]:
        return [name for name in self.implementations if name in RUN]

    @property
    def total(self) -> int:
        """In steps of trainings that take as long, as all tasks count."""
        return AS_LONG * len(CASES) * len(self.dtypes) * len(self.names)

    def run(self, progress: Callable[[int], object]) -> list[Check]:
        prepared = [Prepared.of(Moving.of(c), d) for c in CASES for d in self.dtypes]
        many = self.threads or os.cpu_count()
        with ThreadPoolExecutor(1) as alone, ThreadPoolExecutor(many) as pool:
            pending = [
                (alone if name == "torch" else pool).submit(check, each, name)
                for each in prepared
                for name in self.names
            ]
            rows = []
            for future in pending:
                rows += future.result()
                progress(AS_LONG)
        compiled.cache_clear()
        forget_programs()
        return rows
