"""The cases that follow from a layer's spec.

Each draws from a generator of its own (`spec.generator`): one more case, or one more
layer, changes the numbers of no other.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from gradparity.parity_tests.catalogue import edges
from gradparity.parity_tests.catalogue.case import Case, Kind, case, invalid
from gradparity.parity_tests.catalogue.spec import Layer, Shape, generator
from gradparity.parity_tests.implementations.contract import as_tuple


def cases(layer: Layer) -> Iterator[Case]:
    """Yield what a layer is tried on everywhere: typical cases, its own, refusals and
    edges, in the few shapes of the lecture's network.
    """
    batch = layer.batch or layer.form.batch
    derived = [*_drawn(layer, "batch", batch), *_refusals(layer)]
    if layer.elementwise:
        derived.append(_special_numbers(layer, batch[-1]))
    derived += _layouts(layer, batch)
    yield from (each for each in derived if each.name not in layer.but_for)
    yield from layer.own(generator(f"{layer.name}/own"))


def shape_cases(layer: Layer) -> Iterator[Case]:
    """Yield the layer in more shapes."""
    for size in layer.form.others:
        yield from _drawn(layer, f"shape {size}", size)
    for name, size in layer.form.large.items():
        yield _one(layer, name, size, "edge")
    yield from layer.many(generator(f"{layer.name}/many"))


def small_cases(layer: Layer) -> Iterator[Case]:
    """Yield the layer on few numbers, typical and extreme."""
    yield _one(layer, "small", layer.form.small)
    yield from layer.small(generator(f"{layer.name}/small, own"))


def _one(
    layer: Layer, name: str, size: Shape, kind: Kind = "typical", one_hot: bool = False
) -> Case:
    """A case of drawn numbers."""
    drawn: Any = layer.drawn(size, generator(f"{layer.name}/{name}"), one_hot)
    return case(layer.name, name, kind=kind, **drawn)


def _drawn(layer: Layer, name: str, size: Shape) -> Iterator[Case]:
    """The case of that name; where there are labels, one for each form of them."""
    if any(each.kind == "labels" for each in layer.inputs):
        shape = "" if name == "batch" else f", {name}"
        yield _one(layer, f"labels{shape}", size)
        yield _one(layer, f"one-hot{shape}", size, one_hot=True)
    else:
        yield _one(layer, name, size)


def _refusals(layer: Layer) -> Iterator[Case]:
    """What is wrong with arrays of any layer, of which all but one are right."""
    right: Any = layer.drawn(layer.form.small, generator(f"{layer.name}/refused"))
    first, last = layer.differentiable[0], layer.differentiable[-1]

    def refused(name: str, *refusal: str, **changed: Any) -> Case:
        return invalid(layer.name, name, *refusal, **(right | changed))

    def last_in(dtype: Any) -> Any:
        return {last: np.ones_like(right[last], dtype)}

    floats = (last, "floating-point")
    yield refused("integers", *floats, "int64", **last_in(np.int64))
    yield refused("objects", *floats, "object", **last_in(object))
    if first != last:
        yield refused("mixed dtypes", "one dtype", "float16", **last_in(np.float16))
        if layer.elementwise:
            other: Any = {last: np.ones(layer.form.misfit)}
            parts = ("one shape", f"{last}: {layer.form.misfit}")
            yield refused("mismatched shapes", *parts, **other)
    nothing: Any = layer.drawn(layer.form.empty, generator(f"{layer.name}/empty"))
    shape = str(nothing[first].shape)
    yield refused("empty batch", first, "empty", shape, **nothing)
    misfit, (dout, *others) = np.ones(layer.form.misfit), as_tuple(right["dout"])
    wrong = (misfit, *others) if others else misfit
    shapes = (str(dout.shape), str(misfit.shape))
    yield refused("dout of another shape", "dout", *shapes, dout=wrong)


def _special_numbers(layer: Layer, columns: int) -> Case:
    """All of them in the first input, down the rows; in every other, and from above, what
    may arrive, across the columns, so that each meets each.
    """
    names = [*(each.name for each in layer.inputs[1:]), "dout"]
    arrays = {
        name: edges.across(np.roll(edges.FROM_ABOVE, 3 * i), columns)
        for i, name in enumerate(names)
    }
    first = layer.inputs[0].name
    return edges.edge(
        layer.name,
        "special numbers",
        **{first: edges.down(edges.NUMBERS, columns)},
        **arrays,
    )


def _layouts(layer: Layer, batch: Shape) -> Iterator[Case]:
    for name in edges.LAYOUTS:
        drawn = layer.drawn(batch, generator(f"{layer.name}/{name}"))
        douts = as_tuple(drawn.pop("dout"))
        named = {each.name: drawn[each.name] for each in layer.inputs}
        named |= {f"dout {i}": dout for i, dout in enumerate(douts)}
        inputs: Any = edges.laid_out(name, named)
        laid = tuple(inputs.pop(f"dout {i}") for i in range(len(douts)))
        dout = laid if len(laid) > 1 else laid[0]
        yield edges.edge(layer.name, name, dout, **inputs)
