"""What a documented divergence is: one rule, and what was seen of it."""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib import metadata
from typing import Any

import numpy as np
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from gradparity.parity_tests import DTYPES
from gradparity.parity_tests.catalogue.case import Case
from gradparity.parity_tests.implementations.backends import BACKENDS, Backend
from gradparity.parity_tests.implementations.contract import Arrays
from gradparity.parity_tests.measuring.comparison import alike

Value = float | Callable[..., Any]

NAN, INF = float("nan"), float("inf")
NUMPY = ("reference",)
TORCH = ("torch", "torch-composed")
JAX = ("jax", "jax-composed", "jax-jit")
ALL = (*NUMPY, *TORCH, *JAX)
FUSED = ("torch", "jax", "jax-jit")
COMPOSED = ("torch-composed", "jax-composed")
GONE = "this divergence is gone"


@dataclass(frozen=True, eq=False)
class Documented:
    """One divergence `of` a quantity of a layer, as of `Relu.dx`.

    `when` tells its elements, and `returns` what the implementations have there, a value
    or how it comes about. Both are functions of the layer's inputs, of `dout` and of the
    `out` and the `result` (of this quantity) that the implementation itself came to,
    whichever they name. `spelled`, where it is not the layer itself that they compute, is
    one of `spellings.py`. `versions` gives the versions of a framework that behave so,
    where not all do: of the implementations in any other version the entry says nothing.
    """

    id: str
    of: str
    where: str
    when: Callable[..., Any]
    returns: dict[tuple[str, ...], Value]
    why: str
    source: str = "measured"
    dtypes: tuple[str, ...] = DTYPES
    spelled: str = ""
    versions: dict[str, str] = field(default_factory=dict)

    @cached_property
    def layer(self) -> str:
        return self.of.partition(".")[0]

    @cached_property
    def quantity(self) -> str:
        return self.of.partition(".")[2]

    @cached_property
    def by_backend(self) -> dict[Backend, Value]:
        return {BACKENDS[n]: v for names, v in self.returns.items() for n in names}

    def speaks_of(self, case: Any, quantity: str, dtype: str, backend: Backend) -> bool:
        """Whether it says anything of this quantity of this implementation."""
        return self.knows(case, quantity, dtype, backend) and self.applies_to(backend)

    def knows(self, case: Any, quantity: str, dtype: str, backend: Backend) -> bool:
        """Whether it does in some version of the framework."""
        return (
            (self.layer, self.quantity) == (case.layer, quantity)
            and self.spelled == case.spelled
            and dtype in self.dtypes
            and backend in self.by_backend
        )

    def applies_to(self, backend: Backend) -> bool:
        """Whether the installed version of its framework is one of `versions`."""
        return all(
            installed(framework) in SpecifierSet(versions)
            for framework, versions in self.versions.items()
            if framework == backend.framework
        )

    def at(self, case: Any, results: Arrays, backend: Backend) -> tuple[Any, Any]:
        """Which elements it speaks of, and what all of them would be."""
        like = results[self.quantity]
        value = self.by_backend[backend]
        with np.errstate(all="ignore"):
            given = self.given(case, results)
            here = _call(self.when, given)
            values = _call(value, given) if callable(value) else value
        values = np.asarray(values, like.dtype)
        return np.broadcast_to(here, like.shape), np.broadcast_to(values, like.shape)

    def holds(self, case: Any, results: Arrays, backend: Backend) -> Any:
        """Which of its elements are what it says, bit for bit."""
        here, expected = self.at(case, results, backend)
        return here & alike(results[self.quantity], expected)

    def given(self, case: Case, results: Arrays) -> Arrays:
        """What `when` and `returns` may name."""
        own = {"out": results["out"], "result": results[self.quantity]}
        return {**case.inputs, "dout": case.dout, **own}

    def gone(self, case: Any, at: tuple[int, ...], was: Any, now: Any, is_: Any) -> str:
        """The sentence for an element that has come to be right, as the truth `is_`."""
        but = "" if now == is_ or is_ != is_ else f" {is_}, but for rounding"
        return (
            f"{GONE}: {self.where}, was {was}, now {now}, which is the truth{but}, "
            f"at {place(case, at)}"
        )

    def example(self, seen: "Seen") -> tuple[int, ...] | None:
        """The first of its elements that differs from the truth, if it has any. Somebody's
        own, which may be judged as several, has it where it returns the same.
        """
        for backend in seen.judged_as if seen.results else ():
            if self.speaks_of(seen.case, self.quantity, seen.dtype, backend):
                given = seen.case, seen.results, backend
                own = len(seen.judged_as) > 1
                here = self.holds(*given) if own else self.at(*given)[0]
                with np.errstate(over="ignore"):
                    right = seen.truth[self.quantity].astype(seen.dtype)
                found = np.argwhere(here & ~alike(seen.results[self.quantity], right))
                if len(found):
                    return tuple(map(int, found[0]))
        return None


@cache
def installed(framework: str) -> Version:
    """Its version. A preview counts as the release that it leads to."""
    return Version(Version(metadata.version(framework)).base_version)


def _call(function: Callable[..., Any], given: Arrays) -> Any:
    """With the arguments that it names."""
    return function(
        **{name: given[name] for name in inspect.signature(function).parameters}
    )


@dataclass(frozen=True, eq=False)
class Seen:
    """What an implementation returned for a case, and what it should have; and what it may
    be: one of these if it is built in, several if it is somebody's own.
    """

    case: Case
    dtype: str
    name: str
    results: Arrays
    truth: Arrays
    judged_as: Sequence[Backend]


def place(case: Case, index: tuple[int, ...]) -> str:
    """The numbers that go into an element, or the case where it is more than these."""
    given = {**case.inputs, "dout": case.dout}
    shapes = {value.shape for value in given.values()}
    if len(shapes) > 1 or case.layer == "Softmax":
        return case.id
    return ", ".join(f"{name} = {value[index]!s}" for name, value in given.items())


def gone_in(note: str | None) -> str:
    """The sentence of a divergence that is gone, at the end of a note; empty if none is."""
    _, gone, sentence = (note or "").partition(GONE)
    return gone + sentence
