"""Functions of NumPy arrays with gradients by hand, flat for the room's `record`."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from inspect import signature
from itertools import product
from typing import Any

import numpy as np

from gradparity.parity_tests.functions import UnusableFunction
from gradparity.parity_tests.functions.arguments import (
    Arguments,
    Call,
    Outputs,
    outputs,
)
from gradparity.parity_tests.functions.arguments import seed as seed_generators
from gradparity.parity_tests.functions.holding import bindings, handed_over, note
from gradparity.parity_tests.functions.targets import Target
from gradparity.parity_tests.functions.trees import Setting, ends
from gradparity.parity_tests.implementations.user_supplied import code_of

Leaves = Sequence[Any]
Found = tuple[list[Any], list[Any] | None]


def call(arguments: Arguments, seeds: Sequence[np.ndarray] | None) -> Call:
    """The function, after it has been run forward and backward."""
    function = Function(arguments)
    with np.errstate(all="ignore"):
        found = function.tried(seeds)
    return Call(
        arguments.target,
        arguments.names,
        arguments.leaves,
        function,
        [*found.arrays],
        [np.shape(each) for each in found.arrays.values()],
        None if seeds is None else [*seeds],
        notes=found.notes
        + function.notes
        + note(function.bindings, arguments.target.name, arguments.dtype),
    )


def numbers(call: Call) -> list[np.ndarray]:
    """What the function returns on its leaves."""
    dtype = next((v.dtype for v in call.leaves if v.dtype.kind == "f"), np.float64)
    ones = [np.ones(shape, dtype) for shape in call.shapes]
    found, _ = call.function(copied(call.leaves), ones)
    return [np.array(each) for each in found]


def ignored(call: Call) -> list[str]:
    """The gradients, by name, that stay the same when all that arrives is tripled, and are
    not 0.
    """
    rng = np.random.default_rng(0)
    seeds = [np.asarray(1 + rng.random(shape)) for shape in call.shapes]
    with np.errstate(all="ignore"):
        _, one = call.function(copied(call.leaves), seeds)
        _, other = call.function(copied(call.leaves), [3 * seed for seed in seeds])
    return [
        name
        for name, a, b in zip(call.gradient_names, one or (), other or (), strict=True)
        if name and a is not None and np.any(a) and np.array_equal(a, b, equal_nan=True)
    ]


def has_default(target: Target) -> bool:
    """Whether what arrives at the output need not be given: `backward(dout=1)`."""
    taken = target.function
    if target.kind == "class":
        taken = getattr(target.function, "backward", None)
    try:
        found = [*signature(taken).parameters.values()]
    except (TypeError, ValueError):
        return False
    if target.kind == "class":
        found = found[1:2]
    else:
        found = [each for each in found if each.name == "dout"]
    return any(each.default is not each.empty for each in found)


def copied(leaves: Leaves) -> list[Any]:
    """Others with the same numbers: some functions write into their inputs."""
    return [leaf.copy() for leaf in leaves]


def is_array(end: Any) -> bool:
    """Whether it counts as an output."""
    return isinstance(end, np.ndarray | np.generic | float) and not isinstance(
        end, np.str_ | np.bytes_
    )


class Function:
    """Of a list of leaves and a list of seeds to outputs and gradients by leaf."""

    def __init__(self, arguments: Arguments) -> None:
        self.arguments = arguments
        self.target = arguments.target
        self.bindings = bindings(self.target.function)
        self.names: list[str] = []  # of the outputs, after a run
        self.notes: list[str] = []
        # The parameters that have gradients, in the order in which they are handed over.
        self.moving: dict[str, list[str]] = {}
        self.others: list[str] = []  # and those that have none
        for parameter in self.target.parameters or ():
            name = arguments.match.taken.get(parameter.name)
            if name is None or parameter.held or parameter.setting:
                continue
            floats = [
                path
                for path, end in ends(arguments.inputs[name], name)
                if not isinstance(end, Setting) and end.dtype.kind == "f"
            ]
            if floats:
                self.moving[parameter.name] = floats
            else:
                self.others.append(parameter.name)

    def __call__(self, leaves: Leaves, seeds: Leaves) -> Found:
        own = handed_over(self.bindings, self.arguments.dtype)
        with own, code_of(self.target.name):
            seed_generators()
            found, gradients = getattr(self, f"run_{self.target.kind}")(leaves, seeds)
        if gradients is None:
            return [*found.arrays.values()], None
        return [*found.arrays.values()], [
            gradients.get(name) for name in self.arguments.names
        ]

    # --- The first run ---

    def tried(self, seeds: Leaves | None) -> Outputs:
        """What it returns; its gradients are computed once, since that may raise too."""
        leaves = self.arguments.leaves
        if self.target.kind == "none":
            self.notes.append(
                f"{self.target.name} has no gradients: only what it returns is compared"
            )
        if self.target.kind == "returned":
            found = self.tried_seeds(seeds)
        else:
            with code_of(self.target.name):
                seed_generators()
                found = self.forward(copied(leaves))
        ones = [
            np.ones(np.shape(e), self.arguments.dtype) for e in found.arrays.values()
        ]
        _, gradients = self(copied(leaves), ones if seeds is None else seeds)
        self.look_at(gradients)
        return found

    def tried_seeds(self, seeds: Leaves | None) -> Outputs:
        """Of a function that is handed dout together with its inputs, whose shape is that
        of what it returns: one that it takes.
        """
        first: Exception | None = None
        dtype = self.arguments.dtype
        lots = (
            [np.ones(shape, dtype) for shape in shapes]
            for shapes in self.likely_shapes()
        )
        for tried in [seeds] if seeds is not None else lots:
            try:
                with code_of(self.target.name):
                    seed_generators()
                    found, _ = self.run_returned(copied(self.arguments.leaves), tried)
            except Exception as error:
                first = first or error
                continue
            return found
        assert first is not None
        raise first

    def likely_shapes(self) -> Iterator[tuple[tuple[int, ...], ...]]:
        """Yield those of what another function returns; and for a single output those of
        the inputs, a number's, and those of their products.
        """
        if self.target.likely:
            yield self.target.likely
        shapes = [np.shape(leaf) for leaf in self.arguments.leaves]
        yield from ((shape,) for shape in dict.fromkeys([*shapes, ()]))
        for a, b in product(shapes, shapes):
            with suppress(ValueError):
                yield (np.broadcast_shapes(a, b),)
            if a and b:
                yield ((*a[:-1], *b[1:]),)
                yield ((*a[:-1], *b[:-1]),)

    def look_at(self, gradients: list[Any] | None) -> None:
        """Note which gradients there are none of."""
        if gradients is None:
            return
        named = zip(self.arguments.names, self.arguments.leaves, gradients, strict=True)
        for name, leaf, gradient in named:
            if gradient is None and leaf.dtype.kind == "f":
                self.notes.append(f"{self.target.name} has no gradient of {name}")

    # --- By what it is ---

    def forward(self, leaves: Leaves) -> Outputs:
        """What comes out of it."""
        if self.target.kind == "class":
            by_position, by_name = self.arguments.build(leaves)
            return self.read(self.node(leaves).forward(*by_position, **by_name))
        return self.run_none(leaves, [])[0]

    def run_none(
        self, leaves: Leaves, seeds: Leaves
    ) -> tuple[Outputs, dict[str, Any] | None]:
        """A function that has no gradients."""
        by_position, by_name = self.arguments.build(leaves)
        return self.read(self.target.function(*by_position, **by_name)), None

    def run_vjp(
        self, leaves: Leaves, seeds: Leaves
    ) -> tuple[Outputs, dict[str, Any] | None]:
        """A function that a vjp beside it differentiates."""
        names = [n for floats in self.moving.values() for n in floats]
        places = [self.arguments.names.index(name) for name in names]

        def of_primals(*primals: Any) -> Any:
            every = [*leaves]
            for place, primal in zip(places, primals, strict=True):
                every[place] = primal
            by_position, by_name = self.arguments.build(every)
            return self.target.function(*by_position, **by_name)

        primals = tuple(leaves[place] for place in places)
        found = self.target.beside["vjp"](of_primals, primals, one_or_all(seeds))
        if not isinstance(found, tuple | list) or len(found) != 2:
            raise UnusableFunction(
                f"vjp beside {self.target.name} must return out and the gradients"
            )
        out, gradients = found
        if len(gradients) != len(names):
            raise UnusableFunction(
                f"vjp beside {self.target.name} returned {len(gradients)} gradients, "
                f"expected those of {', '.join(names)}"
            )
        return self.read(out), dict(zip(names, gradients, strict=True))

    def node(self, leaves: Leaves) -> Any:
        """An object of the class."""
        by_position, by_name = self.arguments.build(leaves, held=True)
        return self.target.function(*by_position, **by_name)

    def run_class(
        self, leaves: Leaves, seeds: Leaves
    ) -> tuple[Outputs, dict[str, Any] | None]:
        """An object's forward and backward, and what backward leaves in it."""
        node = self.node(leaves)
        by_position, by_name = self.arguments.build(leaves)
        found = self.read(node.forward(*by_position, **by_name))
        returned = node.backward(*seeds)
        parts = list(returned) if isinstance(returned, tuple | list) else [returned]
        if isinstance(returned, Mapping):
            gradients = self.by_name(returned)
        else:
            gradients = self.by_place(parts, "backward of ")
        kept = getattr(node, "grads", None)
        kept = kept if isinstance(kept, Mapping) else {}
        for parameter in self.target.parameters or ():
            name = self.arguments.match.taken.get(parameter.name)
            if name is None or not parameter.held:
                continue
            own = parameter.name
            for key in ("d" + own, "d" + own.lower()):
                if (value := getattr(node, key, None)) is not None:
                    break
            else:
                value = kept.get(own, kept.get("d" + own))
            if value is not None:
                gradients[name] = value
        return found, gradients

    def run_returned(
        self, leaves: Leaves, seeds: Leaves
    ) -> tuple[Outputs, dict[str, Any] | None]:
        """A function that is handed dout, and returns its gradients after its outputs, or
        all by name.
        """
        by_position, by_name = self.arguments.build(leaves)
        found = self.target.function(*by_position, **by_name, dout=one_or_all(seeds))
        if isinstance(found, Mapping):
            keys = {f"d{own}".lower() for own in self.moving}
            outs = {k: v for k, v in found.items() if str(k).lower() not in keys}
            only = next(iter(outs.values())) if len(outs) == 1 else outs
            return self.read(only), self.by_name(found)
        if not isinstance(found, tuple | list):
            raise self.expected("one thing")
        if len(found) == 2 and isinstance(found[1], Mapping):
            return self.read(found[0]), self.by_name(found[1])
        if len(found) == 2 and isinstance(found[1], tuple | list):
            return self.read(found[0]), self.by_place([*found[1]], "")
        some, every = len(self.moving), len(self.moving) + len(self.others)
        nothing = [part is None for part in found[len(found) - every :]]
        count = every if len(found) > every and sum(nothing) == every - some else some
        if len(found) <= count:
            raise self.expected(str(len(found)))
        first = found[: len(found) - count]
        gradients = self.by_place([*found[len(found) - count :]], "")
        return self.read(first[0] if len(first) == 1 else tuple(first)), gradients

    def expected(self, came: str) -> UnusableFunction:
        """The refusal of what has too few parts."""
        wanted = ", ".join(["out", *("d" + own for own in self.moving)])
        return UnusableFunction(
            f"{self.target.name} takes dout and must return {wanted}, got {came}"
        )

    # --- What it returns ---

    def read(self, returned: Any) -> Outputs:
        found = outputs(self.target, returned, is_array)
        self.names = [*found.arrays]
        return found

    def by_place(self, parts: list[Any], whose: str) -> dict[str, Any]:
        """Gradients in the order of what has one, or of all, with None for the others."""
        if len(parts) == len(self.moving) + len(self.others):
            every = [
                p.name
                for p in self.target.parameters or ()
                if p.name in self.moving or p.name in self.others
            ]
            pairs = dict(zip(every, parts, strict=True))
            parts = [pairs[own] for own in self.moving]
        if len(parts) != len(self.moving):
            wanted = ", ".join("d" + own for own in self.moving) or "nothing"
            raise UnusableFunction(
                f"{whose}{self.target.name} returned {len(parts)} gradients, expected "
                f"{wanted}"
            )
        found: dict[str, Any] = {}
        for (own, names), part in zip(self.moving.items(), parts, strict=True):
            found |= self.spread(own, names, part)
        return found

    def by_name(self, found: Mapping[Any, Any]) -> dict[str, Any]:
        """Gradients under `dx`, `dw`; or under the parameters' own names."""
        keys = {str(key).lower(): value for key, value in found.items()}
        gradients: dict[str, Any] = {}
        for own, names in self.moving.items():
            for key in (f"d{own}".lower(), own.lower()):
                if key in keys:
                    gradients |= self.spread(own, names, keys[key])
                    break
        return gradients

    def spread(self, own: str, names: list[str], gradient: Any) -> dict[str, Any]:
        """The gradients of one parameter, which may hold several arrays."""
        if names == [self.arguments.match.taken[own]]:
            return {names[0]: gradient}
        name = self.arguments.match.taken[own]
        parts = {
            name + (path if path.startswith("[") else f".{path}"): end
            for path, end in ends(gradient)
        }
        return {each: parts[each] for each in names if each in parts}


def one_or_all(seeds: Leaves) -> Any:
    """A dout as functions take it: one, or a tuple of several."""
    return seeds[0] if len(seeds) == 1 else tuple(seeds)
