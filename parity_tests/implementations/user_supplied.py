"""Implementations of somebody's own: a module or a file that offers some of the layers.

For each layer it may have, under the layer's name,

- a class of the lecture's style, `Relu`, with `forward` and `backward`;
- a function that returns its gradients itself: `relu(x, dout)` -> `out, dx`, or a dict
  with these names;
- a plain function, `relu(x)`, to be differentiated: by a `vjp` that stands beside it, and
  otherwise by PyTorch or JAX, whichever its module imports.

Arguments are passed by position, in the catalogue's order: `affine(x, W, b)`,
`softmax_with_loss(x, t)`. A network, and its training, is put together from the layers;
a class `TwoLayerNet` takes its place if there is one. What is not there is missing.
"""

import importlib
import importlib.util
import inspect
import os
import signal
import sys
import traceback
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache, partial
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

from gradparity.parity_tests.catalogue.layers import LAYERS
from gradparity.parity_tests.catalogue.spec import Layer
from gradparity.parity_tests.implementations.backends import (
    NUMPY,
    UNKNOWN,
    Backend,
    of_framework,
)
from gradparity.parity_tests.implementations.built_in import IMPLEMENTATIONS, OUTSIDERS
from gradparity.parity_tests.implementations.contract import (
    Arrays,
    NotInstalled,
    as_tuple,
    function_name,
)
from gradparity.parity_tests.implementations.contract import (
    framework as import_framework,
)
from gradparity.parity_tests.implementations.inside import listen, parts
from gradparity.parity_tests.implementations.jax_adaptor import JaxStyle
from gradparity.parity_tests.implementations.loop import NumpyLoop
from gradparity.parity_tests.implementations.loop import run as run_loop
from gradparity.parity_tests.implementations.numpy_adaptor import run_class
from gradparity.parity_tests.implementations.torch_adaptor import TorchStyle
from gradparity.reference.data import guard
from gradparity.reference.data.reading import MIB, check_regular
from gradparity.reference.networks import TWO_LAYER_NET, chain

GROUP = "gradparity.implementations"  # of entry points
FRAMEWORKS = ("torch", "jax")
Ways = tuple[Backend, ...]  # whose arithmetic and divergences a layer may have
WAYS: dict[str | None, Ways] = {  # by the framework that differentiates it, if one does
    None: (UNKNOWN, replace(UNKNOWN, form="composed"), NUMPY),
    **{name: of_framework(name) for name in FRAMEWORKS},
}
CHAIN = TWO_LAYER_NET
NETWORK = CHAIN.name
PARTS = (*(layer.kind.__name__ for layer in CHAIN.layers), CHAIN.last.__name__)
# (inputs to differentiate with respect to, dout) -> (out, their gradients)
Vjp = Callable[[Callable[..., Any], tuple[Any, ...], Any], tuple[Any, Sequence[Any]]]
Run = Callable[[Arrays, np.ndarray], Arrays]


class UnusableImplementation(ValueError):
    """What was named is no implementation, or cannot be imported."""


class Left(UnusableImplementation):
    """Code of somebody's own raised what is no error, such as SystemExit, and would have
    ended the program.
    """

    @classmethod
    def by(cls, raised: BaseException, what: str) -> "Left":
        """`Relu of mine.py raised SystemExit: 0 (mine.py, line 3)`."""
        return cls(f"{what} raised {sentence_of(raised)}")


@contextmanager
def code_of(what: str) -> Iterator[None]:
    """The block runs code of somebody's own. If that ends the process or takes long, the
    guard says that it was in `what`; if it forks, the child does not get out of here.

    Raises `Left` if what is raised in the block is no error.
    """
    process = os.getpid()
    with guard.noted(guard.CODE, what):
        try:
            yield
        except BaseException as error:
            if os.getpid() != process and isinstance(error, SystemExit):
                os._exit(0)  # so a child may end
            if isinstance(error, Exception) or is_interrupt(error):
                raise
            raise Left.by(error, what) from error
        finally:
            if os.getpid() != process:
                guard.child_came_back(what)


def is_interrupt(error: BaseException) -> bool:
    """Whether it is Ctrl-C, and not raised by somebody's code. A program that obeys
    signals (`cleanup.py`) has another handler for that.
    """
    default = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    return isinstance(error, KeyboardInterrupt) and default


# --- By what name ---------------------------------------------------------------------


@cache
def announced() -> dict[str, str]:
    """What installed packages announce: a name, and the module that it stands for.

    None of them can take the place of an implementation that is built in.
    """
    built_in = {*IMPLEMENTATIONS, *OUTSIDERS}
    found = entry_points(group=GROUP)
    return {each.name: each.value for each in found if each.name not in built_in}


def is_own(name: str) -> bool:
    """Whether the name is that of a module or a file; or one that is announced."""
    if name in IMPLEMENTATIONS or name in OUTSIDERS:
        return False
    return name in announced() or name.endswith(".py") or "." in name


@cache
def load(name: str) -> "Own":
    """The implementation in this module or file, or of this announced name.

    Raises:
        NotInstalled: it is announced and cannot be imported.
        UnusableImplementation: it was named and cannot be, or offers nothing.
    """
    target = announced().get(name)
    if target is None:
        return Own(name, vars(import_target(name)))
    try:
        return Own(name, vars(import_target(target)))
    except UnusableImplementation as error:
        raise NotInstalled(str(error)) from error


def import_target(target: str) -> ModuleType:
    """The module, or that in the file; modules of the current folder count.

    Raises `UnusableImplementation`.
    """
    try:
        with code_of(f"the import of {target}"):
            if target.endswith(".py"):
                return _import_file(Path(target))
            with _importable(Path.cwd()):
                return importlib.import_module(target)
    except Exception as raised:  # whatever it raises when it is imported
        error = raised.__cause__ if isinstance(raised, Left) else raised
        assert error is not None
        raise UnusableImplementation(
            f"{target} cannot be imported: {sentence_of(error)}"
        ) from error


def sentence_of(error: BaseException) -> str:
    """`ValueError: what it says (mine.py, line 3)`."""
    return told(error).removesuffix(": ") + line(error)


def told(error: BaseException) -> str:
    """`ValueError: what it says`, as far as an exception of somebody's own lets itself be
    told.
    """
    try:
        return f"{type(error).__name__}: {error}"
    except BaseException:
        return f"{type.__repr__(type(error))} that cannot be told as text"


def line(error: BaseException) -> str:
    """Where somebody's module raised it, if it did; a SyntaxError says so itself."""
    *_, last = traceback.extract_tb(error.__traceback__)
    if last.filename.startswith("<") or last.filename == importlib.util.__file__:
        return ""
    if isinstance(error, OSError) or last.filename in (__file__, importlib.__file__):
        return ""
    return f" ({Path(last.filename).name}, line {last.lineno})"


def _import_file(path: Path) -> ModuleType:
    """Its neighbours can be imported from it, as when it is run as a script; and another
    file may have neighbours of the same names.
    """
    check_regular(path, MIB)
    path = path.resolve(strict=True)
    spec = importlib.util.spec_from_file_location(f"{path.stem} of {path.parent}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses and pickle look there
    before = {*sys.modules}
    with _importable(path.parent):
        spec.loader.exec_module(module)
    for name in {*sys.modules} - before:
        file = getattr(sys.modules[name], "__file__", None)
        if file and Path(file).is_relative_to(path.parent):
            del sys.modules[name]
    return module


@contextmanager
def _importable(folder: Path) -> Iterator[None]:
    """What lies in a folder can be imported: first of all in the block, as by a script in
    it; and last of all from then on, by functions that import when they are called.

    Were it to stay first, its `reference/` would take the place of ours: in this process
    where ours is imported later, and in those that are started with the same `sys.path`.
    """
    first = str(folder)
    sys.path.insert(0, first)
    try:
        yield
    finally:
        sys.path.remove(first)  # the first of that name: where it was before, it stays
        if first not in sys.path:
            sys.path.append(first)


# --- A layer, in whichever style ------------------------------------------------------


class Own:
    """An `Implementation` over the names of somebody's module.

    Functions that nobody can differentiate are helpers, and no layers.

    Raises `UnusableImplementation` if there is no layer among them.
    """

    backend = UNKNOWN
    products = spelled = None
    changed = ""  # a sentence, if its import has changed the floating-point mode

    def __init__(self, name: str, names: Mapping[str, Any]) -> None:

        self.name = name
        self.network = names.get(NETWORK)
        self.layers: dict[str, tuple[Ways, Run]] = {}
        self.helpers: list[str] = []  # what might have been layers
        self.lacking: dict[str, str] = {}  # by layer, a setting that it has no name for
        for layer in LAYERS:
            for called in (layer, function_name(layer)):
                offered = names.get(called)
                if layer in self.layers or not callable(offered):
                    continue
                found = styled(name, layer, offered, names.get("vjp"))
                if found is None:
                    self.helpers.append(called)
                else:
                    self.layers[layer] = found
                    for setting in not_taken(offered, LAYERS[layer].settings):
                        self.lacking[layer] = setting
        if not self.layers and self.network is None:
            first, why = next(iter(LAYERS)), ""
            if self.helpers:
                why = (
                    f"; nobody can tell how to differentiate {', '.join(self.helpers)}"
                )
            raise UnusableImplementation(
                f"{name} offers no layer{why}: expected a class such as {first}, with "
                f"forward and backward; a function such as {function_name(first)} "
                "that uses torch or jax, or has a vjp beside it; or one with a parameter "
                "dout, that returns its gradients too"
            )
        whole = self.network is not None or all(part in self.layers for part in PARTS)
        self.run_network = self._run_network if whole else None
        self.predict = self._predict if whole else None
        self.train = partial(run_loop, partial(OwnLoop, self)) if whole else None

    def offers(self, layer: str) -> bool:
        return layer in self.layers

    def judged_as(self, layer: str) -> Ways:
        """Nobody knows how it is spelled, nor by whom its exp and log are computed."""
        if layer == NETWORK:
            layer = PARTS[-1]
        ways, _ = self.layers.get(layer, (WAYS[None], None))
        return ways

    def run_layer(self, layer: str, inputs: Arrays, dout: np.ndarray) -> Arrays:
        _, run = self.layers[layer]
        if layer in self.lacking:
            raise TypeError(
                f"{layer} is given {self.lacking[layer]} by keyword: expected a parameter "
                "of that name"
            )
        with code_of(f"{layer} of {self.name}"), np.errstate(all="ignore"):
            return run(inputs, dout)

    def _run_network(self, params: Arrays, x: np.ndarray, t: np.ndarray) -> Arrays:
        if self.network is not None:
            with code_of(f"{NETWORK} of {self.name}"):
                return run_network_class(self.network, params, x, t)
        return self._run_parts(params, x, t)

    def _run_parts(self, params: Arrays, x: np.ndarray, t: np.ndarray) -> Arrays:
        """Forward once for what comes out of each layer, with any `dout`; and again on
        the way back, with the right one.
        """
        flow: Arrays = {"x": x}
        for before, layer in CHAIN.links:
            given = inputs_of(layer, flow[before], params)
            flow[layer.name] = self._forward(layer.kind.__name__, given)
        scores = layer.name
        inputs = {"x": flow[scores], "t": t}
        last = self.run_layer(CHAIN.last.__name__, inputs, np.ones((), x.dtype))
        flow["loss"], flow["d" + scores] = last["out"], last["dx"]
        for before, layer in reversed(CHAIN.links):
            given = inputs_of(layer, flow[before], params)
            back = self.run_layer(layer.kind.__name__, given, flow["d" + layer.name])
            flow["d" + before] = back["dx"]
            flow |= {"d" + name: back["d" + own] for own, name in chain.held(layer)}
        del flow["x"]
        return flow

    def _forward(self, layer: str, inputs: Arrays) -> np.ndarray:
        x = inputs["x"]
        shape = (len(x), *inputs["W"].shape[1:]) if "W" in inputs else x.shape
        return self.run_layer(layer, inputs, np.ones(shape, x.dtype))["out"]

    def _predict(self, params: Arrays, x: np.ndarray) -> np.ndarray:
        if self.network is not None:
            with code_of(f"{NETWORK} of {self.name}"):
                return np.asarray(network_of(self.network, params).predict(x))
        for layer in CHAIN.layers:
            given = inputs_of(layer, x, params)
            x = self._forward(layer.kind.__name__, given)
        return x


def inputs_of(layer: chain.Layer, x: np.ndarray, params: Arrays) -> Arrays:
    """What a layer of the network is given: x, and its parameters by its own names."""
    return {"x": x} | {own: params[name] for own, name in chain.held(layer)}


class OwnLoop(NumpyLoop):
    """Gradient descent with somebody's own gradients."""

    def __init__(self, own: Own, params: Arrays, rate: float) -> None:
        self.own = own
        super().__init__(params, rate)

    def build(self, params: Arrays) -> Any:
        return SimpleNamespace(params=params)

    def step(self, x: np.ndarray, t: np.ndarray) -> float:
        assert self.own.run_network is not None
        flow = self.own.run_network(self.network.params, x, t)
        self.update({name: flow["d" + name] for name in self.network.params})
        return float(flow["loss"])

    def accuracy(self, x: np.ndarray, t: np.ndarray) -> float:
        assert self.own.predict is not None
        scores = self.own.predict(self.network.params, x)
        return float(np.mean(scores.argmax(axis=-1) == t))


def styled(
    name: str, layer: str, offered: Any, vjp: Vjp | None
) -> tuple[Ways, Run] | None:
    """What a layer is judged by, and how it is run. None if it has no gradients and nobody
    can tell how to come by them.

    Raises `NotInstalled` if its framework is missing.
    """
    spec = LAYERS[layer]
    if inspect.isclass(offered):
        if not hasattr(offered, "backward"):
            return None
        return in_arrays(offered, partial(run_class, offered, spec))
    if "dout" in parameters(offered):
        return in_arrays(offered, partial(run_with_gradients, offered, spec))
    if vjp is not None:
        return in_arrays(offered, partial(run_with_vjp, offered, vjp, spec))
    framework = framework_of(offered) or framework_around(offered)
    if framework is None:
        return None
    style: Any = {"torch": TorchStyle, "jax": JaxStyle}[framework](
        name, Backend(framework)
    )
    names = [each.name for each in spec.inputs]

    def by_position(_: Any, **given: Any) -> Any:
        """What a user calls the inputs is their own affair. And JAX hands on dictionaries
        in the order of the alphabet.
        """
        values = [given.pop(name) for name in names]
        return offered(*values, **given)

    return WAYS[framework], partial(style.spelled(by_position).run_layer, layer)


def in_arrays(offered: Any, run: Run) -> tuple[Ways, Run]:
    """Of what is given NumPy arrays, whatever it does with them. JAX makes float32 of
    float64, unless it is told not to.
    """
    framework = framework_of(offered)
    ways = WAYS[None] + (WAYS[framework] if framework else ())
    if framework != "jax":
        return ways, run
    jax = import_framework("jax")

    def in_64_bits(inputs: Arrays, dout: np.ndarray) -> Arrays:
        with jax.enable_x64(True):
            return run(inputs, dout)

    return ways, in_64_bits


def parameters(function: Any) -> Mapping[str, inspect.Parameter]:
    """Its parameters by name; none of what is written in C and does not tell."""
    try:
        return inspect.signature(function).parameters
    except (TypeError, ValueError):
        return {}


def framework_of(function: Any) -> str | None:
    """The one that a function or class uses, PyTorch or JAX."""
    while isinstance(function, partial):
        function = function.func
    used_by_it = [function, getattr(function, "__self__", None), *used_by(function)]
    return first_of(packages(used_by_it))


def framework_around(function: Any) -> str | None:
    """That of its module: what uses none itself, x * y, runs on the arrays of any."""
    return first_of(packages(names_around(function).values()))


def first_of(found: Collection[str]) -> str | None:
    return next((each for each in FRAMEWORKS if each in found), None)


def used_by(function: Any) -> Iterator[Any]:
    """What the code of a function names, and that of the functions that it calls."""
    waiting, seen = [function], set[int]()
    while waiting:
        each = inspect.unwrap(waiting.pop())
        if inspect.isclass(each) and id(each) not in seen:
            seen.add(id(each))
            waiting += filter(inspect.isfunction, vars(each).values())
        code = getattr(each, "__code__", None)
        if code is None or id(code) in seen:
            continue
        seen.add(id(code))
        around = {**sys.modules, **names_around(each)}  # some import where they use it
        names = (*code.co_names, *code.co_freevars)
        named = [around[name] for name in names if name in around]
        yield from named
        waiting += named


def names_around(function: Any) -> Mapping[str, Any]:
    """The names of the module that a function stands in, and those that it closes over."""
    function = inspect.unwrap(function)
    module = inspect.getmodule(function)
    known = getattr(function, "__globals__", vars(module) if module else {})
    if not inspect.isfunction(function):
        return known
    return {**known, **inspect.getclosurevars(function).nonlocals}


def packages(values: Iterable[Any]) -> set[str]:
    """From which packages these modules, classes and functions are."""
    places = (
        value.__name__
        if isinstance(value, ModuleType)
        else getattr(value, "__module__", None) or type(value).__module__
        for value in values
    )
    return {str(place).partition(".")[0] for place in places}


def not_taken(offered: Any, settings: Mapping[str, Any]) -> Iterator[str]:
    """Yield those of a layer's settings, as `name=value`, for which a class or function has
    no parameter.
    """
    taken = parameters(offered) if settings else {}
    if not any(p.kind is p.VAR_KEYWORD for p in taken.values()):
        yield from (f"{k}={v}" for k, v in settings.items() if k not in taken)


def run_with_gradients(
    function: Callable[..., Any], layer: Layer, inputs: Arrays, dout: Any
) -> Arrays:
    """Of a function that returns the outputs and the gradients in their order, or by
    name.
    """
    found = function(*inputs.values(), dout=dout, **layer.settings)
    if not isinstance(found, Mapping):
        names = [*layer.outputs, *layer.gradients]
        if not isinstance(found, tuple | list) or len(found) != len(names):
            came = len(found) if isinstance(found, tuple | list) else "one thing"
            raise TypeError(f"expected a tuple of {', '.join(names)}, got {came}")
        found = dict(zip(names, found, strict=True))
    return {name: np.asarray(value) for name, value in found.items()}


def run_with_vjp(
    function: Callable[..., Any], vjp: Vjp, layer: Layer, inputs: Arrays, dout: Any
) -> Arrays:
    """Of a plain function, which somebody's own `vjp` differentiates."""
    moving = layer.differentiable

    def of_primals(*primals: Any) -> Any:
        given = inputs | dict(zip(moving, primals, strict=True))
        return function(*given.values(), **layer.settings)

    primals = tuple(inputs[name] for name in moving)
    out, gradients = vjp(of_primals, primals, dout)
    names = [*layer.outputs, *layer.gradients]
    results = zip(names, [*as_tuple(out), *gradients], strict=True)
    return {name: np.asarray(value) for name, value in results}


def network_of(kind: Any, params: Arrays) -> Any:
    """A network of the lecture's style on copies of these parameters. Its layers, too, are
    handed them: they may have been given others when it was made.
    """
    params = {name: value.copy() for name, value in params.items()}
    if hasattr(kind, "from_params"):
        return kind.from_params(params)
    (inputs, hidden), classes = params["W1"].shape, len(params["b2"])
    network = kind(inputs, hidden, classes)
    network.params.update(params)
    affine = [
        part for part in parts(network) if hasattr(part, "W") and hasattr(part, "b")
    ]
    for part, names in zip(affine, (("W1", "b1"), ("W2", "b2")), strict=False):
        part.W, part.b = (params[name] for name in names)
    return network


def run_network_class(
    kind: Any, params: Arrays, x: np.ndarray, t: np.ndarray
) -> Arrays:
    """What can be seen of a `TwoLayerNet` from outside, and what its layers hand on."""
    network = network_of(kind, params)
    inside = listen(network)
    gradients = network.gradient(x, t)
    inside = dict(inside)  # as it was then: there may be other passes
    flow = {"Affine2": network.predict(x), "loss": network.loss(x, t)}
    flow |= {"d" + name: gradients[name] for name in params}
    return inside | {name: np.asarray(value) for name, value in flow.items()}


def its_own_affair(implementation: Any, quantity: str) -> bool:
    """Whether a quantity of a network is seen only where it is handed on inside somebody's
    class, which may have another way of computing.
    """
    if not isinstance(implementation, Own) or implementation.network is None:
        return False
    seen = {"Affine2", "loss", *("d" + name for name in CHAIN.params)}
    return quantity not in seen
