"""Runs an example in the three rooms and looks under each hood.

Everything that a page shows is found here, by running: nothing is kept from one run to
the next. The rooms' `hood` modules do the looking; a framework that is not installed
becomes the sentence that says so.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property, partial
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import numpy as np

from gradparity.parity_tests.implementations.contract import NotInstalled, framework
from gradparity.reports.explain.topics import Example

Arrays = dict[str, np.ndarray]
ROOMS = {"reference": "reference", "torch": "torch_impl", "jax": "jax_impl"}


Steps = dict[str, list[dict[str, Any]]]  # by phase


@dataclass(frozen=True, eq=False)
class Seen:
    """What was seen of one implementation on one example.

    `graph`, `steps`, `kept` and `scaled` are what the room's `hood.graph`, `hood.steps`
    and `hood.remembered` return, `scaled` at MNIST's size; `more` is what only this room
    has to show. `generic` are the steps on other numbers, none of which is equal to
    another by chance: by them, steps are told apart; `numbers` are these.
    """

    name: str
    find_graph: Callable[[], dict[str, list[dict[str, Any]]]]
    steps: dict[str, list[dict[str, Any]]]
    kept: list[dict[str, Any]]
    generic: dict[str, list[dict[str, Any]]]
    generic_kept: list[dict[str, Any]]
    numbers: Arrays
    scaled: list[dict[str, Any]] | None = None
    more: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def graph(self) -> dict[str, list[dict[str, Any]]]:
        """Found when it is first asked for: not every page draws it."""
        return self.find_graph()

    @property
    def out(self) -> np.ndarray:
        return self.graph["edges"][-1]["value"]

    @property
    def gradients(self) -> Arrays:
        """Of every input that has one, under `d` and its name."""
        made = {node["output"] for node in self.graph["nodes"]}
        return {
            "d" + edge["name"]: edge["gradient"]
            for index, edge in enumerate(self.graph["edges"])
            if index not in made and edge["gradient"] is not None
        }

    def facts(self) -> dict[str, Any]:
        """All of it but what was only needed to tell steps apart."""
        return {
            "out": self.out,
            "gradients": self.gradients,
            "graph": self.graph,
            "steps": self.steps,
            "remembered": self.kept,
            **self.more,
        }


Missing = str
Look = dict[str, Seen | Missing]
Given = tuple[Example, Arrays, np.ndarray]  # an example, its inputs and dout


def there(look: Look) -> list[Seen]:
    """Those that were seen."""
    return [seen for seen in look.values() if isinstance(seen, Seen)]


def facts(look: Look) -> dict[str, Any]:
    """What was seen of each, for machines; or the reason why not."""
    return {
        name: seen.facts() if isinstance(seen, Seen) else seen
        for name, seen in look.items()
    }


def look(
    given: Sequence[Given],
    large: Sequence[Given] = (),
    beside: Callable[[], object] = lambda: None,
) -> list[Look]:
    """The three implementations of each example, each seen or the reason why not; and
    after them those that are `large`, of which only the steps are seen.

    The frameworks run side by side, and `beside` with them: most of the time is spent
    compiling. They are imported one after the other, which takes half as long as at the
    same time. The reference comes before them, since it reads source, and Python's parser
    of that does not like company (python/cpython#106905).
    """

    def seen(name: str) -> list[Seen | Missing]:
        whole = [see_example(name, *example) for example in given]
        return whole + [see_example(name, *example, whole=False) for example in large]

    first, *frameworks = ROOMS
    found = {first: seen(first)}
    for name in frameworks:
        with suppress(NotInstalled):
            framework(name)
    with ThreadPoolExecutor(len(ROOMS)) as pool:
        other = pool.submit(beside)
        found |= zip(frameworks, pool.map(seen, frameworks), strict=True)
        other.result()
    return [
        {name: each[index] for name, each in found.items()}
        for index in range(len(given) + len(large))
    ]


def see_example(
    name: str, example: Example, inputs: Arrays, dout: np.ndarray, *, whole: bool = True
) -> Seen | Missing:
    """One implementation of an example, if it is there; the whole of it, or its steps."""
    dtype = next(v.dtype.name for v in inputs.values() if v.dtype.kind == "f")
    # A network ends in its loss: there, dout is 1 and nothing else.
    others = generic(inputs if example.function == "loss" else {**inputs, "dout": dout})
    try:
        if name == "reference":
            function = reference_class(example.reference)
        else:
            framework(name)
            find = torch_function if name == "torch" else jax_function
            function = find(example.function)
    except NotInstalled as reason:
        return str(reason)
    if whole:
        return see(name, function, inputs, dout, others, example.at_scale(dtype))
    hood = import_module(f"gradparity.{ROOMS[name]}.hood")
    steps, kept = see_generic(hood, function, others, dout, {})
    return Seen(name, dict, steps, kept, steps, kept, others)


def drawn(example: Example, inputs: Arrays, dout: np.ndarray) -> dict[str, Any]:
    """The graph of the picture."""
    kind = reference_class(example.drawn)
    return import_module("gradparity.reference.hood").graph(kind, inputs, dout)


def see(
    name: str,
    function: Any,
    inputs: Arrays,
    dout: np.ndarray,
    others: Arrays,
    scaled: Mapping[str, np.ndarray] | None = None,
) -> Seen:
    """Look under the hood of one implementation; `others` are generic numbers."""
    hood = import_module(f"gradparity.{ROOMS[name]}.hood")
    more: dict[str, Any] = {}
    if name == "reference":
        more["listing"] = hood.listing(function)
    elif name == "torch":
        more["nodes"] = hood.autograd_nodes(function, inputs, dout)
    else:
        more["jaxprs"] = hood.jaxprs(function, inputs, dout)
        more["compiled"] = hood.compiled(function, inputs, dout)
    steps = hood.steps(function, inputs, dout)
    return Seen(
        name,
        partial(hood.graph, function, inputs, dout),
        steps,
        hood.remembered(function, inputs),
        *see_generic(hood, function, others, dout, steps),
        others,
        hood.remembered(function, scaled) if scaled else None,
        more,
    )


def see_generic(
    hood: Any, function: Any, others: Arrays, dout: np.ndarray, like: Steps
) -> tuple[Steps, list[dict[str, Any]]]:
    """Steps and what is remembered, on generic numbers.

    Where numbers have 64 bits, JAX converts labels of 32, or of 64, depending on its
    version: they are those with which the steps are as many as in `like`.
    """
    inputs = dict(others)
    dother = inputs.pop("dout", np.ones_like(dout, np.float64))
    labels = {n: v for n, v in inputs.items() if v.dtype.kind == "i"}
    for bits in (np.int32, np.int64) if labels else (np.int64,):
        inputs |= {name: value.astype(bits) for name, value in labels.items()}
        steps = hood.steps(function, inputs, dother)
        if all(len(steps[phase]) == len(like[phase]) for phase in like):
            break
    return steps, hood.remembered(function, inputs)


def generic(inputs: Mapping[str, np.ndarray]) -> Arrays:
    """The same to within a tenth, in float64, but no two numbers equal and none zero."""
    rng = np.random.default_rng(0)
    found = {}
    for name, value in inputs.items():
        if value.dtype.kind != "f":
            found[name] = value
            continue
        wide = np.asarray(value, np.float64)
        moved = wide * (1 + rng.uniform(0.01, 0.1, wide.shape))
        found[name] = np.where(wide == 0, rng.uniform(0.01, 0.1, wide.shape), moved)
    return found


def reference_class(path: str) -> Any:
    """`layers.Relu` of the reference."""
    module, _, name = path.rpartition(".")
    return getattr(import_module(f"gradparity.reference.{module}"), name)


def torch_function(name: str) -> Any:
    """A layer of `torch_impl.layers`, or the network's loss as a function of all."""
    if name == "loss":
        return _torch_loss
    return getattr(import_module("gradparity.torch_impl.layers"), name)


def _torch_loss(x: Any, t: Any, W1: Any, b1: Any, W2: Any, b2: Any) -> Any:
    """The methods of `torch_impl.networks.TwoLayerNet`, on tensors that are inputs."""
    networks = import_module("gradparity.torch_impl.networks")
    kind = networks.TwoLayerNet
    params = {"W1": W1, "b1": b1, "W2": W2, "b2": b2}
    network = SimpleNamespace(chain=networks.TWO_LAYER_NET, **params)
    network.predict = partial(kind.predict, network)
    return kind.loss(network, x, t)


def jax_function(name: str) -> Any:
    """A layer of `jax_impl.layers`, or the network's loss as a function of all."""
    if name == "loss":
        return _jax_loss
    return getattr(import_module("gradparity.jax_impl.layers"), name)


def _jax_loss(x: Any, t: Any, W1: Any, b1: Any, W2: Any, b2: Any) -> Any:
    params = {"W1": W1, "b1": b1, "W2": W2, "b2": b2}
    return import_module("gradparity.jax_impl.networks").loss(params, x, t)
