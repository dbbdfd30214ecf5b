"""The contract every implementation meets, and one adaptor for each style of writing.

NumPy arrays go in and NumPy arrays come out, of the dtype that went in; that is all
the suite knows of an implementation. The frameworks are imported when an implementation
is loaded, not before.
"""

import inspect
import re
from collections.abc import Callable, Iterator
from copy import copy
from functools import lru_cache, partial
from importlib import import_module
from types import ModuleType
from typing import Any, Protocol, Self

import numpy as np

from gradparity.parity_tests.processes import compiling

Arrays = dict[str, np.ndarray]


class NotInstalled(Exception):
    """The framework that an implementation needs cannot be imported, and why."""


class Implementation(Protocol):
    """What the suite asks of an implementation.

    Where it does not offer a layer, or has None for a method, there are no rows.
    """

    name: str

    def offers(self, layer: str) -> bool:
        """Whether it has this layer."""

    def judged_as(self, layer: str) -> tuple[str, ...]:
        """Whose arithmetic and whose documented divergences are allowed in this layer:
        its own name, or, of somebody's own, all that it may be written with.
        """

    def run_layer(self, layer: str, inputs: Arrays, dout: np.ndarray) -> Arrays:
        """`out`, and `d...` for every input but the labels `t`, in that order."""

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
    def spelled(self) -> Callable[[Callable[..., Any]], "Implementation"] | None:
        """A function of `spellings.py` -> the same with that for every layer."""


_broken: dict[str, str] = {}  # frameworks that are there and cannot be imported: why


def framework(name: str) -> Any:
    """The module of that name.

    Raises `NotInstalled` if it cannot be imported, whatever it raises: a library that is
    missing below it, for instance, is an OSError. What failed half-way is not tried again,
    for the second time it would fail for another reason.
    """
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


def differentiable(inputs: Arrays) -> list[str]:
    """All inputs but the labels."""
    return [name for name in inputs if name != "t"]


def another_batch(inputs: list[np.ndarray]) -> list[np.ndarray]:
    """Other data of another batch size: the first sample once more at the end; of a
    single sample, two.
    """
    if inputs[0].ndim > 1:
        return [np.concatenate([value, value[:1]]) for value in inputs]
    return [np.stack([value, value]) for value in inputs]


def _check_dout(layer: str, dout: np.ndarray, out: Any) -> None:
    """Refuse, in the reference's words, a dout that the framework would refuse in its
    own.
    """
    shape = tuple(out.shape)
    if dout.shape != shape:
        raise ValueError(f"{layer}: dout must have shape {shape}, got {dout.shape}")


def run_class(kind: type, inputs: Arrays, dout: np.ndarray) -> Arrays:
    """`out` and `d...` of a class with forward and backward.

    The constructor takes the last of a layer's inputs (Affine's W and b), forward the
    others; backward returns the derivatives of forward's inputs, and those of the
    constructor's are attributes (dW, db). A network's layers see one batch after
    another, and so does a layer here: what it keeps of an earlier one must not show.
    """
    held = len(inspect.signature(kind).parameters)
    names, values = list(inputs), list(inputs.values())
    split = len(inputs) - held
    node = kind(*values[split:])
    failed: Exception | None = None
    try:
        earlier = node.forward(*another_batch(values[:split]))
        node.backward(np.ones_like(earlier))
    except Exception as error:  # bad input is refused below, with its own shapes
        failed = error
    results = {"out": node.forward(*values[:split])}
    gradients = node.backward(dout)
    if not isinstance(gradients, tuple):
        gradients = (gradients,)
    forward_names = [n for n in differentiable(inputs) if n in names[:split]]
    for name, gradient in zip(forward_names, gradients, strict=True):
        results["d" + name] = gradient
    for name in names[split:]:
        results["d" + name] = getattr(node, "d" + name)
    if failed is not None:
        raise failed
    return {name: np.asarray(value) for name, value in results.items()}


class LectureStyle:
    """Classes with forward and backward (`run_class`), in the modules of a package."""

    spelled = None

    def __init__(self, name: str, package: str) -> None:
        self.name = name
        self.layers = import_module(f"gradparity.{package}.layers")
        self.networks = import_module(f"gradparity.{package}.networks")
        self.train = import_module(f"gradparity.{package}.training").train

    def offers(self, layer: str) -> bool:
        return hasattr(self.layers, layer)

    def judged_as(self, layer: str) -> tuple[str, ...]:
        return (self.name,)

    def run_layer(self, layer: str, inputs: Arrays, dout: np.ndarray) -> Arrays:
        return run_class(getattr(self.layers, layer), inputs, dout)

    def run_network(self, params: Arrays, x: np.ndarray, t: np.ndarray) -> Arrays:
        flow = self.networks.TwoLayerNet.from_params(params).trace(x, t)
        return {name: np.asarray(value) for name, value in flow.items()}

    def predict(self, params: Arrays, x: np.ndarray) -> np.ndarray:
        return self.networks.TwoLayerNet.from_params(params).predict(x)


class FunctionStyle:
    """Pure functions of all their inputs; the framework differentiates them."""

    def __init__(
        self, name: str, layers: ModuleType, namespace: Any, form: str = ""
    ) -> None:
        self.name = name
        self.layers = layers
        self.namespace = namespace
        self.form = form
        self.spelling: Callable[..., Any] | None = None

    def offers(self, layer: str) -> bool:
        """Whether the layer has this form."""
        return hasattr(self.layers, function_name(layer) + self.form)

    def judged_as(self, layer: str) -> tuple[str, ...]:
        return (self.name,)

    def function(self, layer: str) -> Callable[..., Any]:
        """The layer in this form, or the spelling that is used for it."""
        if self.spelling is not None:
            return partial(self.spelling, self.namespace)
        return getattr(self.layers, function_name(layer) + self.form)

    def _spelled(self, spelling: Callable[..., Any]) -> Self:
        other = copy(self)
        other.spelling = spelling
        return other


class TorchStyle(FunctionStyle):
    """Functions of tensors, differentiated by autograd."""

    def __init__(self, name: str, form: str = "") -> None:
        torch = framework("torch")
        super().__init__(
            name, import_module("gradparity.torch_impl.layers"), torch, form
        )
        self.torch = torch
        self.spelled = None if form else self._spelled
        self.run_network = None if form else self._run_network
        self.train = (
            None if form else import_module("gradparity.torch_impl.training").train
        )
        self.predict = None if form else self._predict

    def _tensor(self, layer: str, name: str, value: np.ndarray) -> Any:
        # As it lies in memory, but for what a tensor cannot be: read-only, or backwards.
        if not value.flags.writeable or min(value.strides, default=0) < 0:
            value = value.copy()
        try:
            return self.torch.from_numpy(value)
        except TypeError:  # object arrays: refused in the reference's words
            raise TypeError(
                f"{layer}: {name} must be a floating-point array, "
                f"got dtype {value.dtype}"
            ) from None

    def run_layer(self, layer: str, inputs: Arrays, dout: np.ndarray) -> Arrays:
        tensors = {k: self._tensor(layer, k, v) for k, v in inputs.items()}
        sources = [tensors[name] for name in differentiable(inputs)]
        for source in sources:
            if source.is_floating_point():
                source.requires_grad_()
        out = self.function(layer)(**tensors)
        _check_dout(layer, dout, out)
        # The derivative of this sum with respect to out is dout, bit for bit. To be given
        # dout itself, as grad_outputs, would have torch import sympy to check its shape.
        weighted = (out * self._tensor(layer, "dout", dout)).sum()
        gradients = self.torch.autograd.grad(weighted, sources)
        results = {"out": out.detach().numpy()}
        for name, gradient in zip(differentiable(inputs), gradients, strict=True):
            results["d" + name] = gradient.numpy()
        return results

    def _network(self, params: Arrays) -> Any:
        net = import_module("gradparity.torch_impl.networks").TwoLayerNet
        return net.from_params(
            {k: self._tensor("TwoLayerNet", k, v) for k, v in params.items()}
        )

    def _run_network(self, params: Arrays, x: np.ndarray, t: np.ndarray) -> Arrays:
        network = self._network(params)
        flow = network.trace(
            self._tensor("Affine", "x", x), self._tensor("SoftmaxWithLoss", "t", t)
        )
        return {name: value.numpy() for name, value in flow.items()}

    def _predict(self, params: Arrays, x: np.ndarray) -> np.ndarray:
        scores = self._network(params).predict(self._tensor("Affine", "x", x))
        return scores.detach().numpy()


class JaxStyle(FunctionStyle):
    """Pure functions of JAX arrays, differentiated by jax.vjp, jitted or not."""

    def __init__(self, name: str, form: str = "", jit: bool = False) -> None:
        jax = framework("jax")
        super().__init__(
            name, import_module("gradparity.jax_impl.layers"), jax.numpy, form
        )
        self.jax = jax
        self.networks = import_module("gradparity.jax_impl.networks")
        self.jit = jit
        # One function for each layer, so that a shape is compiled once, not for each case;
        # and of the last layers only, since every compiled program takes a megabyte.
        self._vjp = lru_cache(maxsize=2)(self._make_vjp)
        self._trace = jax.jit(self.networks.trace) if jit else self.networks.trace
        self.run_network = None if form else self._run_network
        self.train = (
            None if form or jit else import_module("gradparity.jax_impl.training").train
        )
        self.predict = None if form else self._predict
        self.spelled = None if form or jit else self._spelled

    def _array(self, layer: str, name: str, value: np.ndarray) -> Any:
        if value.dtype == object:
            raise TypeError(
                f"{layer}: {name} must be a floating-point array, "
                f"got dtype {value.dtype}"
            )
        return self.jax.device_put(value)

    def _make_vjp(self, layer: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """(inputs to differentiate, labels, dout) -> (out, gradients), jitted or not."""
        vjp = self.jax.vjp

        def forward_and_backward(primals: Any, labels: Any, dout: Any) -> Any:
            out, back = vjp(lambda primals: function(**primals, **labels), primals)
            _check_dout(layer, dout, out)
            return out, back(dout)[0]

        return self.jax.jit(forward_and_backward) if self.jit else forward_and_backward

    def run_layer(self, layer: str, inputs: Arrays, dout: np.ndarray) -> Arrays:
        names = differentiable(inputs)
        with self.jax.enable_x64(True):
            arrays = {k: self._array(layer, k, v) for k, v in inputs.items()}
            primals = {name: arrays.pop(name) for name in names}
            if self.jit and arrays:
                # Labels have values only outside jit: this is where they are checked.
                self.jax.eval_shape(
                    lambda primals: self.function(layer)(**primals, **arrays), primals
                )
            out, gradients = self._vjp(layer, self.function(layer))(
                primals, arrays, self._array(layer, "dout", dout)
            )
            results = {"out": out, **{"d" + name: gradients[name] for name in names}}
            return {name: np.asarray(value) for name, value in results.items()}

    def _params(self, params: Arrays) -> Any:
        return self.networks.from_params(
            {k: self._array("TwoLayerNet", k, v) for k, v in params.items()}
        )

    def _run_network(self, params: Arrays, x: np.ndarray, t: np.ndarray) -> Arrays:
        with self.jax.enable_x64(True):
            arrays = self._params(params)
            labels = self._array("SoftmaxWithLoss", "t", t)
            x = self._array("Affine", "x", x)
            self.jax.eval_shape(
                lambda p, x: self.networks.loss(p, x, labels), arrays, x
            )
            flow = self._trace(arrays, x, labels)
            return {name: np.asarray(value) for name, value in flow.items()}

    def _predict(self, params: Arrays, x: np.ndarray) -> np.ndarray:
        with self.jax.enable_x64(True):
            predict = self.jax.jit(self.networks.predict)
            return np.asarray(predict(self._params(params), x))


IMPLEMENTATIONS: dict[str, Callable[[], Implementation]] = {
    "reference": lambda: LectureStyle("reference", "reference"),
    "torch": lambda: TorchStyle("torch"),
    "torch-composed": lambda: TorchStyle("torch-composed", form="_composed"),
    "jax": lambda: JaxStyle("jax"),
    "jax-composed": lambda: JaxStyle("jax-composed", form="_composed", jit=True),
    "jax-jit": lambda: JaxStyle("jax-jit", jit=True),
}

# Trainings by the frameworks' own means, of which no layer can be seen.
OUTSIDERS: dict[str, Callable[[], Implementation]] = {
    "sklearn": lambda: _outsider("ScikitLearn"),
    "optax": lambda: _outsider("Optax"),
    "torch-sgd": lambda: _outsider("TorchSgd"),
}


def _outsider(kind: str) -> Implementation:
    return getattr(
        import_module("gradparity.parity_tests.implementations.outsiders"), kind
    )()


def load(name: str) -> Implementation:
    """The implementation or the outsider of that name, or somebody's own (`own.py`).

    Raises:
        NotInstalled: its framework cannot be imported.
        UnusableImplementation: there is none.
    """
    built_in = IMPLEMENTATIONS | OUTSIDERS
    if name in built_in:
        return built_in[name]()
    from gradparity.parity_tests.implementations import user_supplied

    return user_supplied.load(name)
