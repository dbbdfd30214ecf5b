"""How long each layer takes, forward and backward, in every implementation.

`make bench-layers` runs it under pytest-benchmark; its name keeps it out of the suite,
which must not wait for it. The layers are called themselves, without the adaptors of
`implementations`, and without the run-time checking of shapes. What is timed must also
compute what the reference does, or its time says nothing.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np
import pytest

from gradparity.parity_tests.catalogue.case import Case, case
from gradparity.parity_tests.catalogue.cases import LAYER_CASES, NETWORK_CASES
from gradparity.parity_tests.catalogue.layers import LAYERS
from gradparity.parity_tests.implementations import contract
from gradparity.parity_tests.implementations.numpy_adaptor import run_class
from gradparity.reference import layers as reference_layers
from gradparity.reference.signatures import build

# "forward" returns the output, "backward" the gradients (one, or a tuple of them), "both"
# the output and the gradients.
Passes = dict[str, Callable[[], Any]]
Layer = Callable[[Case], AbstractContextManager[Passes]]

BATCH, HIDDEN = 100, 50
NAMES = ("batch", "labels", "lecture")  # the catalogue's cases, the first that there is

# Of the largest value, in units of the dtype's eps: no sum here has so many terms.
TOLERANCE = 1000


def bench_cases() -> list[Case]:
    """Every layer of the catalogue with the shapes of the lecture's training: Affine as
    the first layer and as the second, batches of element-wise layers as wide as the
    hidden layer.
    """
    by_id = {found.id: found for found in LAYER_CASES}
    start = NETWORK_CASES[0]
    W, b = start.params["W1"], start.params["b1"]
    first = case("Affine", "first", by_id["Relu/batch"].dout, x=start.x, W=W, b=b)
    cases = []
    for name, layer in LAYERS.items():
        if name == "Affine":
            cases.append(first)
        ids = (f"{name}/{of_case}" for of_case in NAMES)
        found = next(by_id[each] for each in ids if each in by_id)
        widens = layer.elementwise and found.name == "batch"
        cases.append(_widened(found) if widens else found)
    return cases


def _widened(found: Case) -> Case:
    """The same numbers over and over, for as many columns as the hidden layer has."""
    wide = {k: np.resize(v, (BATCH, HIDDEN)) for k, v in found.arguments.items()}
    return replace(found, dout=wide.pop("dout"), inputs=wide)


@contextmanager
def in_numpy(given: Case) -> Iterator[Passes]:
    """The classes with forward and backward."""
    kind, layer = getattr(reference_layers, given.layer), LAYERS[given.layer]
    node, rest = build(kind, given.inputs, **layer.settings)
    held = ["d" + name for name in layer.held]
    forward, backward = partial(node.forward, *rest.values()), node.backward
    if held:  # Affine's W and b: their gradients are attributes

        def backward(dout: Any) -> Any:
            return node.backward(dout), *(getattr(node, name) for name in held)

    forward()
    yield {
        "forward": forward,
        "backward": partial(backward, given.dout),
        "both": lambda: (forward(), backward(given.dout)),
    }


@contextmanager
def in_torch(given: Case) -> Iterator[Passes]:
    """The functions of tensors, which record the graph that autograd goes back."""
    torch = contract.framework("torch")
    function, layer = _function("torch", given.layer), LAYERS[given.layer]
    tensors = {name: torch.tensor(value) for name, value in given.inputs.items()}
    sources = [tensors[n].requires_grad_() for n in layer.differentiable]
    dout, grad = torch.tensor(given.dout), torch.autograd.grad
    forward = partial(function, *tensors.values(), **layer.settings)
    kept = forward()

    def both() -> Any:
        out = forward()
        return out, grad(out, sources, dout)

    yield {
        "forward": forward,
        "backward": partial(grad, kept, sources, dout, retain_graph=True),
        "both": both,
    }


@contextmanager
def in_jax(given: Case, jit: bool = False) -> Iterator[Passes]:
    """The functions of JAX arrays and their jax.vjp; jitted, or operation by operation."""
    jax = contract.framework("jax")
    spec = LAYERS[given.layer]
    layer = partial(_function("jax", given.layer), **spec.settings)
    with jax.enable_x64(True):
        arrays = {name: jax.device_put(v) for name, v in given.inputs.items()}
        primals = tuple(arrays.pop(name) for name in spec.differentiable)
        labels, dout = tuple(arrays.values()), jax.device_put(given.dout)

        def pullback(primals: Any, labels: Any) -> Any:
            return jax.vjp(lambda *primals: layer(*primals, *labels), *primals)

        def forward(primals: Any, labels: Any) -> Any:
            return layer(*primals, *labels)

        def backward(back: Any, dout: Any) -> Any:
            return back(dout)

        def both(primals: Any, labels: Any, dout: Any) -> Any:
            out, back = pullback(primals, labels)
            return out, back(dout)

        compiled = jax.jit if jit else lambda function: function
        ready = jax.block_until_ready  # JAX returns before it has computed anything

        def waiting(function: Callable[..., Any], *arguments: Any) -> Callable[[], Any]:
            made = compiled(function)
            return lambda: ready(made(*arguments))

        _, back = pullback(primals, labels)
        yield {
            "forward": waiting(forward, primals, labels),
            "backward": waiting(backward, back, dout),
            "both": waiting(both, primals, labels, dout),
        }


def _function(name: str, layer: str) -> Callable[..., Any]:
    return getattr(
        import_module(f"gradparity.{name}_impl.layers"), contract.function_name(layer)
    )


CASES = bench_cases()
CONTENDERS: dict[str, Layer] = {
    "reference": in_numpy,
    "torch": in_torch,
    "jax": in_jax,
    "jax-jit": partial(in_jax, jit=True),
}
PASSES = ("forward", "backward", "both")


def check(given: Case, dtype: str, which: str, found: Any) -> None:
    """Fail unless a pass has returned what the reference computes in float64.

    Raises:
        AssertionError: a value is another, or of another shape or dtype.
    """
    kind = getattr(reference_layers, given.layer)
    expected = run_class(kind, LAYERS[given.layer], given.inputs, given.dout)
    out, *gradients = expected
    names = {"forward": [out], "backward": gradients, "both": [out, *gradients]}[which]
    for name, value in zip(names, _arrays(found), strict=True):
        right = expected[name]
        assert (value.shape, value.dtype) == (right.shape, dtype), name
        tolerance = TOLERANCE * float(np.finfo(dtype).eps * np.abs(right).max())
        np.testing.assert_allclose(value, right, rtol=0, atol=tolerance, err_msg=name)


def _arrays(found: Any) -> list[np.ndarray]:
    """All that a pass has returned, in its order."""
    if isinstance(found, tuple | list):
        return [array for part in found for array in _arrays(part)]
    return [np.asarray(found.detach() if hasattr(found, "detach") else found)]


@pytest.mark.parametrize("name", CONTENDERS)
@pytest.mark.parametrize("given", CASES, ids=lambda given: given.id)
@pytest.mark.parametrize("which", PASSES)
def test_layer(benchmark: Any, given: Case, dtype: str, which: str, name: str) -> None:
    shapes = ", ".join(str(value.shape) for value in given.inputs.values())
    benchmark.group = f"{given.layer} of {shapes}, {dtype}: {which}"
    try:
        with CONTENDERS[name](given.to(dtype)) as passes:
            passes[which]()  # compiles, where there is a compiler
            check(given, dtype, which, benchmark(passes[which]))
    except contract.NotInstalled as missing:
        pytest.skip(str(missing))
