"""Jacobian- and Hessian-vector products of layers and the network, as checks.

The inputs move in a random direction. `Rout` is how the output then moves, forward mode;
`Rdx` is how a gradient does, the Hessian of sum(dout * out) times the direction, forward
mode over reverse (R is Pearlmutter's operator, see `reference/second_order/`).
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from gradparity.parity_tests.catalogue.case import Case, NetworkCase, cast
from gradparity.parity_tests.catalogue.cases import LAYER_CASES, NETWORK_CASES
from gradparity.parity_tests.catalogue.layers import LAYERS, settings_of
from gradparity.parity_tests.checking import values
from gradparity.parity_tests.implementations.backends import BACKENDS
from gradparity.parity_tests.implementations.contract import (
    Arrays,
    Implementation,
    NotInstalled,
)
from gradparity.parity_tests.measuring.comparison import compare
from gradparity.parity_tests.measuring.records import Check, Verdict
from gradparity.parity_tests.processes.settings import forget_programs
from gradparity.reference import rounding, second_order

START = NETWORK_CASES[0]  # the lecture's network as it is initialised
EVERY: list[Case | NetworkCase] = [*LAYER_CASES, START]


def has_products(case: Case | NetworkCase) -> bool:
    """Whether there is an R-operator, by hand, for products to be held against."""
    network = isinstance(case, NetworkCase)
    return network or hasattr(second_order, "R" + case.layer)


CASES = [case for case in EVERY if case.kind == "typical" and has_products(case)]


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
        """Of `contract.products`, from the third on."""
        case, direction = self.case, self.direction
        if isinstance(case, NetworkCase):
            return case.params, case.x, case.t, direction
        tangents = {k: v for k, v in direction.items() if k != "dout"}
        return case.inputs, case.dout, tangents, direction["dout"]


def run(moving: Moving, implementation: Implementation) -> Arrays:
    """All products of a moving case."""
    assert implementation.products is not None
    return implementation.products(moving.case.layer, *moving.arguments)


AS_LONG = 50  # steps of a training, as the products of a case
# Whose forms have such products; known before any framework is imported.
NAMES = [name for name, backend in BACKENDS.items() if backend.form == "fused"]


# --- And what that is held against ----------------------------------------------------


def error_bounds(moving: Moving, arithmetic: rounding.Arithmetic) -> rounding.Bounds:
    """What rounding in this arithmetic can do to every product."""
    given = [*moving.arguments, arithmetic]
    if isinstance(moving.case, NetworkCase):
        return rounding.network_tangent_bounds(*given)
    layer = moving.case.layer
    return rounding.tangent_bounds(layer, *given, **settings_of(layer))


class PreparedProducts(values.Standard):
    """A moving case in a dtype, and what its products are held against."""

    @staticmethod
    def by_reference(given: Moving) -> Arrays:
        return run(given, values.REFERENCE)

    @staticmethod
    def bounds(given: Moving, arithmetic: rounding.Arithmetic) -> rounding.Bounds:
        return error_bounds(given, arithmetic)


def check(
    prepared: PreparedProducts, name: str, implementation: values.Loaded
) -> list[Check]:
    """The rows of one case in one dtype for one implementation."""
    case, dtype = prepared.given.case, prepared.dtype
    row = values.heading(case, dtype, name)
    problem: dict[str, Any] = {}
    results: Arrays = {}
    if isinstance(implementation, NotInstalled):
        problem = {"verdict": Verdict.MISSING, "note": str(implementation)}
    else:
        try:
            results = run(prepared.given, implementation)
        except Exception as error:  # whatever it is, the other rows are still wanted
            problem = {"verdict": Verdict.FAIL, "note": values.raised_by(error)}
    allowed = prepared.allowed(BACKENDS[name])
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
        return [name for name in self.implementations if name in NAMES]

    @property
    def total(self) -> int:
        """In steps of trainings that take as long, as all tasks count."""
        return AS_LONG * len(CASES) * len(self.dtypes) * len(self.names)

    def run(self, progress: Callable[[int], object]) -> list[Check]:
        moving = map(Moving.of, CASES)
        prepared = [PreparedProducts.of(m, d) for m in moving for d in self.dtypes]
        serial = [n for n in self.names if BACKENDS[n].framework == "torch"]
        many = self.threads or os.cpu_count()
        with ThreadPoolExecutor(1) as alone, ThreadPoolExecutor(many) as pool:
            loaded = {name: pool.submit(values.try_load, name) for name in self.names}

            def rows_of(each: PreparedProducts, name: str) -> list[Check]:
                return check(each, name, loaded[name].result())

            pending = [
                (alone if name in serial else pool).submit(rows_of, each, name)
                for each in prepared
                for name in self.names
            ]
            rows = []
            for future in pending:
                rows += future.result()
                progress(AS_LONG)
        forget_programs()
        return rows
