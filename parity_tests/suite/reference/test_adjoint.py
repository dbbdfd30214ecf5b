"""Adjoint bounds: derivatives are right, bounds hold, and budgets name the right step."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib import import_module
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from gradparity.parity_tests.implementations.backends import BACKENDS, NUMPY
from gradparity.parity_tests.implementations.contract import function_name
from gradparity.parity_tests.measuring.arithmetic import arithmetic
from gradparity.reference.layers import (
    Affine,
    LeakyRelu,
    Relu,
    Sigmoid,
    SoftmaxWithLoss,
    Tanh,
)
from gradparity.reference.networks import TWO_LAYER_NET, Chain, Layer, Network
from gradparity.reference.rounding import (
    Arithmetic,
    Bounded,
    local_bounds,
    network_bounds,
)
from gradparity.reference.rounding.adjoint import Adjoint, Budget, error_budgets
from gradparity.reference.rounding.network_steps import network_steps
from gradparity.reference.rounding.operations import OPERATIONS, Operation
from gradparity.reference.rounding.programs import Step, composed, local, pull_back

FLOAT32 = arithmetic(NUMPY, "float32")
Arrays = dict[str, Any]


def chain(name: str, *activations: Any) -> Chain:
    """Affine layers with these between them."""
    layers = [Layer("Affine1", Affine, ("W1", "b1"))]
    for i, kind in enumerate(activations, 1):
        layers.append(Layer(f"{kind.__name__}{i}", kind))
        layers.append(Layer(f"Affine{i + 1}", Affine, (f"W{i + 1}", f"b{i + 1}")))
    return Chain(name, tuple(layers), SoftmaxWithLoss)


MIXED = chain("Mixed", Relu, Sigmoid, Tanh)


def parameters(rng: np.random.Generator, widths: list[int]) -> Arrays:
    """Weights as large as keep signals alive (He), and biases, in float32."""
    found = {}
    for i, shape in enumerate(pairwise(widths), 1):
        scale = np.sqrt(2 / shape[0])
        found[f"W{i}"] = (rng.standard_normal(shape) * scale).astype(np.float32)
        found[f"b{i}"] = (rng.standard_normal(shape[1]) / 10).astype(np.float32)
    return found


def network_of(chain: Chain, widths: list[int], batch: int, seed: int) -> Arrays:
    """Parameters, a batch and its labels; the truth; and what float32 makes of it."""
    rng = np.random.default_rng(seed)
    params = parameters(rng, widths)
    x = rng.standard_normal((batch, widths[0])).astype(np.float32)
    t = rng.integers(0, widths[-1], batch)
    wide = {name: value.astype(np.float64) for name, value in params.items()}
    truth = Network(chain, wide).trace(x.astype(np.float64), t)
    own = Network(chain, params).trace(x, t)
    return {"params": params, "x": x, "t": t, "truth": truth, "own": own, "rng": rng}


def wide(value: Any) -> Any:
    return np.asarray(value, np.float64)


def off(own: Arrays, truth: Arrays) -> Arrays:
    """By how much each value is."""
    return {name: np.abs(wide(own[name]) - value) for name, value in truth.items()}


def directions(rng: np.random.Generator, truth: Arrays, *names: str) -> Arrays:
    """The loss, and a random direction of each of these."""
    seeds = {name: {name: rng.standard_normal(truth[name].shape)} for name in names}
    return {"loss": {"loss": 1.0}, **seeds}


def along(seed: Arrays, flow: Arrays) -> float:
    return float(sum(np.sum(v * wide(flow[name])) for name, v in seed.items()))


# --- Derivatives ----------------------------------------------------------------------

RNG = np.random.default_rng(0)
X, Y = RNG.uniform(0.3, 2, (2, 3, 4)) * RNG.choice([-1, 1], (2, 3, 4))
LABELS = np.array([1, 0, 3])
SAMPLES: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
    "add": ((X, Y[0]), {}),
    "subtract": ((X[:, :1], Y), {}),
    "multiply": ((X, Y[0]), {}),
    "divide": ((X, Y[:, :1]), {}),
    "negate": ((X,), {}),
    "reciprocal": ((X,), {}),
    "scale": ((X,), {"factor": -0.75}),
    "over": ((X,), {"n": 7}),
    "matmul": ((X, Y.T), {}),
    "affine": ((X, Y.T, Y[:, 0]), {}),
    "sum": ((X,), {"axis": 0}),
    "product": ((X,), {"axis": (0, 1)}),
    "max": ((X,), {"axis": -1, "keepdims": True}),
    "min": ((X,), {"axis": 0}),
    "mean": ((X,), {"axis": 0}),
    "variance": ((X,), {"axis": 1, "keepdims": True, "correction": 1.0}),
    "normal_cdf": ((X,), {}),
    "move": ((X, Y), {"source": np.array([[0, 5, -1], [12, 5, 23]]), "fill": 2.0}),
    "collect": (
        (X,),
        {
            "target": np.array([[0, 0, 1, 5], [-1, 2, 2, 2], [3, 0, 4, -1]]),
            "shape": (2, 3),
        },
    ),
    "cast": ((X,), {"dtype": "float64"}),
    "rounded": ((X,), {}),
    "transpose": ((X,), {}),
    "reshape": ((X,), {"shape": (2, 6)}),
    "broadcast": ((X[:1],), {"shape": (5, 4)}),
    "pick": ((X,), {"labels": LABELS}),
    "select": ((X,), {"mask": Y > 0}),
    "relu": ((X,), {}),
    "gate": ((X, Y), {}),
    "exp": ((X,), {}),
    "log": ((np.abs(X),), {}),
    "log1p": ((np.abs(X),), {}),
    "expm1": ((X,), {}),
    "sin": ((X,), {}),
    "cos": ((X,), {}),
    "sigmoid": ((X,), {}),
    "tanh": ((X,), {}),
    "erf": ((X,), {}),
    "erfc": ((X,), {}),
    "sqrt": ((np.abs(X),), {}),
    "rsqrt": ((np.abs(X),), {}),
    "power": ((np.abs(X),), {"exponent": 1.7}),
    "raised": ((np.abs(X), Y[0]), {}),
    "maximum": ((X, Y[0]), {}),
    "minimum": ((X, Y[0]), {}),
    "abs": ((X,), {}),
}
STEPS_OF_NETWORKS = {
    step.operation.name: step.operation
    for each in (chain("ReluNet", Relu), MIXED)
    for step in network_steps(LABELS, each)
    if step.operation.name not in OPERATIONS
}


FLOAT64 = Arithmetic.of(np.float64)


def exact(value: Any) -> Bounded:
    return Bounded.exact(value, FLOAT64)


def check_pulls(operation: Operation, operands: Any, settings: Any) -> None:
    """A derivative of <g, result> goes back to each operand as differences say."""
    made = Step("result", operation, ("0", "1", "2")[: len(operands)], settings)
    flow = {
        str(i): exact(x).exactly(x, np.ones(x.shape)) for i, x in enumerate(operands)
    }
    flow["result"] = made.bounded([exact(x) for x in operands], FLOAT64)
    g = np.random.default_rng(1).standard_normal(flow["result"].value.shape)
    found = pull_back([made], flow, {"result": g})
    for number, x in enumerate(operands):
        direction = np.random.default_rng(2).standard_normal(x.shape)

        def at(h: float, number: int = number, d: Any = direction) -> float:
            moved = [exact(value) for value in operands]
            moved[number] = exact(operands[number] + h * d)
            return float(np.sum(g * made.bounded(moved, FLOAT64).value))

        h = 1e-5
        expected = (at(h) - at(-h)) / (2 * h)
        came = found[str(number)]
        assert came.shape == x.shape
        assert np.isclose(np.sum(came * direction), expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", OPERATIONS)
def test_derivatives_go_back_through_every_operation(name: str) -> None:
    check_pulls(OPERATIONS[name], *SAMPLES[name])


STACK = np.stack([X, Y, X * Y])


@pytest.mark.parametrize(
    ("x", "y"),
    [
        *((X, X[0]), (X[:, 0], X), (X[0], Y[0])),
        *((STACK, X[0]), (X[:, 0], STACK), (STACK, X.T), (X.T, STACK)),
    ],
    ids=lambda x: "x".join(map(str, x.shape)),
)
def test_derivatives_go_back_through_products_with_vectors(x: Any, y: Any) -> None:
    check_pulls(OPERATIONS["matmul"], (x, y), {})


@pytest.mark.parametrize("name", STEPS_OF_NETWORKS)
def test_derivatives_go_back_through_every_layer(name: str) -> None:
    if name.startswith("SoftmaxWithLoss"):
        check_pulls(STEPS_OF_NETWORKS[name], (X,), {"t": LABELS})
    else:
        operands = (X, Y) if name.endswith("backward") else (X,)
        check_pulls(STEPS_OF_NETWORKS[name], operands, {})


# --- The network as a list of steps ---------------------------------------------------

CHAINS = {
    "two layers": (TWO_LAYER_NET, [6, 5, 4]),
    "mixed": (MIXED, [6, 5, 4, 5, 3]),
    "one layer": (chain("OneLayerNet"), [6, 4]),
}


@pytest.mark.parametrize("name", CHAINS)
def test_the_steps_compute_whatever_the_network_does(name: str) -> None:
    chain, widths = CHAINS[name]
    it = network_of(chain, widths, 7, seed=1)
    given, program = {"x": it["x"], **it["params"]}, network_steps(it["t"], chain)
    flow, truth = local(program, given, FLOAT32, {}), it["truth"]
    rules = local_bounds(it["params"], it["x"], it["t"], truth, FLOAT32, chain)
    whole = network_bounds(it["params"], it["x"], it["t"], FLOAT32, chain=chain)
    followed = composed(program, given, FLOAT32)
    for quantity in chain.quantities:
        np.testing.assert_allclose(flow[quantity].value, truth[quantity], rtol=1e-12)
        for found, expected in ((flow, rules), (followed, whole)):
            np.testing.assert_allclose(
                found[quantity].error, expected[quantity].error, rtol=1e-9, atol=1e-30
            )


def test_a_layer_that_is_not_known_is_refused() -> None:
    with pytest.raises(ValueError, match=r"Leaky: expected Affine, .*, got LeakyRelu"):
        network_steps(LABELS, chain("Leaky", LeakyRelu))


# --- Bounds ---------------------------------------------------------------------------


def check_budgets(
    chain: Chain, it: Arrays, arithmetic: Arithmetic, own: Arrays
) -> dict[str, Budget]:
    """Certain and probable bounds hold of what was computed. Returns the budgets."""
    first, last = chain.params[0], chain.params[-1]
    seeds = directions(it["rng"], it["truth"], "d" + first, "d" + last)
    given, program = {"x": it["x"], **it["params"]}, network_steps(it["t"], chain)
    errors = off(own, it["truth"])
    budgets = error_budgets(program, given, seeds, arithmetic, errors)
    for key, budget in budgets.items():
        value = along(seeds[key], it["truth"])
        assert np.isclose(budget.value, value, rtol=1e-9)
        error = abs(along(seeds[key], own) - value)
        assert error <= budget.probable <= budget.certain, key
    return budgets


@pytest.mark.parametrize("name", CHAINS)
@pytest.mark.parametrize("seed", range(3))
def test_both_bounds_hold(name: str, seed: int) -> None:
    chain, widths = CHAINS[name]
    it = network_of(chain, widths, 20, seed)
    check_budgets(chain, it, FLOAT32, it["own"])


def deep(hidden: int, seed: int, batch: int = 32) -> tuple[Chain, Arrays]:
    """So many hidden layers of 256 ReLUs."""
    net = chain(f"{hidden} x 256", *[Relu] * hidden)
    return net, network_of(net, [256] * (hidden + 1) + [10], batch, seed)


def relative(net: Chain, it: Arrays, budget: Budget, seed: Arrays) -> dict[str, float]:
    """What the bounds and the error of a number come to, relative to it."""
    whole = network_bounds(it["params"], it["x"], it["t"], FLOAT32, chain=net)
    followed = sum(np.sum(np.abs(v) * whole[name].error) for name, v in seed.items())
    found = {
        "composed": followed,
        "certain": budget.certain,
        "probable": budget.probable,
        "actual": abs(along(seed, it["own"]) - budget.value),
    }
    return {name: float(v / abs(budget.value)) for name, v in found.items()}


@pytest.mark.parametrize("hidden", [3, pytest.param(8, marks=pytest.mark.deep)])
def test_where_the_bound_of_the_whole_says_nothing_the_adjoint_one_does(
    hidden: int,
) -> None:
    """In float32, of the largest element of dW1."""
    net, it = deep(hidden, seed=0)
    check_budgets(net, it, FLOAT32, it["own"])
    size = np.abs(it["truth"]["dW1"])
    seed = {"dW1": np.where(size == size.max(), 1.0, 0.0)}
    found = budget_of(net, it, seed)
    came = relative(net, it, found, seed)
    assert came["composed"] > 1
    assert came["actual"] <= came["probable"] < came["certain"] / 10
    assert found.claimed(found.certain) == found.certain


def budget_of(
    net: Chain, it: Arrays, seed: Arrays, errors: Any = "those that were made"
) -> Budget:
    given, program = {"x": it["x"], **it["params"]}, network_steps(it["t"], net)
    if isinstance(errors, str):
        errors = off(it["own"], it["truth"])
    return error_budgets(program, given, {0: seed}, FLOAT32, errors)[0]


@pytest.mark.deep
@pytest.mark.parametrize("hidden", [1, 3, 8])
@pytest.mark.parametrize("name", ["reference", "torch", "jax", "jax-jit"])
def test_both_bounds_hold_at_any_depth(hidden: int, name: str) -> None:
    own_arithmetic = arithmetic(BACKENDS[name], "float32")
    for seed in range(4):
        net, it = deep(hidden, seed)
        own = traced(name, net, it)
        budgets = check_budgets(net, it, own_arithmetic, own)
        assert budgets["loss"].claimed(budgets["loss"].certain)


@pytest.mark.parametrize("name", ["torch", "jax"])
def test_both_bounds_hold_of_frameworks(name: str) -> None:
    own_arithmetic = arithmetic(BACKENDS[name], "float32")
    for seed in range(3):
        it = network_of(MIXED, [6, 5, 4, 5, 3], 20, seed)
        check_budgets(MIXED, it, own_arithmetic, traced(name, MIXED, it))


def traced(name: str, net: Chain, it: Arrays) -> Arrays:
    """What a framework makes of the network."""
    if name == "reference":
        return dict(it["own"])
    room = pytest.importorskip(name.removesuffix("-jit")) and BACKENDS[name].framework
    networks, layers = (
        import_module(f"gradparity.{room}_impl.{part}")
        for part in ("networks", "layers")
    )
    theirs = networks.Chain(
        net.name,
        tuple(
            networks.Layer(
                each.name,
                getattr(layers, function_name(each.kind.__name__)),
                each.params,
            )
            for each in net.layers
        ),
        layers.softmax_with_loss,
    )
    if room == "torch":
        import torch

        tensors = {k: torch.from_numpy(v.copy()) for k, v in it["params"].items()}
        x, t = torch.from_numpy(it["x"].copy()), torch.from_numpy(it["t"])
        flow = networks.Network(theirs, tensors).trace(x, t)
        return {k: v.numpy() for k, v in flow.items()}
    import jax

    trace = networks.Network(theirs).trace
    trace = jax.jit(trace) if name == "jax-jit" else trace
    given = jax.tree.map(jax.numpy.asarray, (it["params"], it["x"], it["t"]))
    flow = trace(*given)
    return {k: np.asarray(v) for k, v in flow.items()}


# --- A function from anywhere ---------------------------------------------------------


def softmax_by_hand(labels: Any) -> list[Step]:
    """The mean cross entropy of scores "x", from primitive operations."""

    def step(name: str, operation: str, *operands: str, **settings: Any) -> Step:
        return Step(name, OPERATIONS[operation], operands, settings)

    return [
        step("largest", "max", "x", axis=-1, keepdims=True),
        step("z", "subtract", "x", "largest"),
        step("e", "exp", "z"),
        step("total", "sum", "e", axis=-1, keepdims=True),
        step("log", "log", "total"),
        step("z_t", "pick", "z", labels=labels),
        step("each", "subtract", "log", "z_t"),
        step("all", "sum", "each"),
        step("loss", "over", "all", n=len(labels)),
        step("y", "divide", "e", "total"),
        step("difference", "subtract", "y", "one-hot"),
        step("dx", "over", "difference", n=len(labels)),
    ]


def test_a_function_of_primitive_operations_has_a_budget_too() -> None:
    rng = np.random.default_rng(3)
    x = rng.standard_normal((50, 10)).astype(np.float32)
    t = rng.integers(0, 10, 50)
    last = SoftmaxWithLoss()
    own = {"loss": last.forward(x, t), "dx": last.backward()}
    truth = {"loss": last.forward(wide(x), t), "dx": last.backward()}
    seeds = directions(rng, truth, "dx")
    given = {"x": x, "one-hot": np.eye(10)[t]}
    budgets = error_budgets(softmax_by_hand(t), given, seeds, FLOAT32)
    for key, budget in budgets.items():
        value = along(seeds[key], truth)
        assert np.isclose(budget.value, value, rtol=1e-12)
        assert abs(along(seeds[key], own) - value) <= budget.probable < budget.certain
        assert budget.claimed(budget.certain)
    # What is subtracted from all scores of a row does not matter, and makes no term.
    steps = {term.step for term in budgets["dx"].terms}
    assert steps == {"z", "e", "total", "y", "difference", "dx"}


@pytest.mark.parametrize("planted", ["Affine1", "Affine2", "dAffine2", "dRelu1", "dW1"])
def test_an_error_of_one_step_is_that_steps_term(planted: str) -> None:
    """And no other term knows of it."""
    it = network_of(TWO_LAYER_NET, [6, 5, 4], 7, seed=2)
    given, program = {"x": it["x"], **it["params"]}, network_steps(it["t"])
    at = next(i for i, step in enumerate(program) if step.name == planted)
    own = program[at].operation

    def worse(*operands: Any, **settings: Any) -> Bounded:
        made = own.bounded(*operands, **settings)
        return made.exactly(made.value, made.error + 1e-3)

    program[at] = replace(program[at], operation=replace(own, bounded=worse))
    seeds = {0: {"dW1": it["rng"].standard_normal((6, 5))}}
    before, after = (
        error_budgets(each, given, seeds, FLOAT32, {})[0]
        for each in (network_steps(it["t"]), program)
    )
    assert after.terms[0].step == planted
    expected = 1e-3 * np.abs(before.adjoints[planted]).sum()
    was = {term.step: term.certain for term in before.terms}
    now = {term.step: term.certain for term in after.terms}
    assert np.isclose(now.pop(planted) - was.pop(planted), expected)
    assert now == was


def test_what_steps_are_known_to_have_lost_adds_up_to_the_error() -> None:
    """To first order: their errors, weighted with the derivatives."""
    for chain_, widths in CHAINS.values():
        it = network_of(chain_, widths, 20, seed=4)
        program, given = network_steps(it["t"], chain_), {"x": it["x"], **it["params"]}
        made: Arrays = {}
        flow: Arrays = {name: exact(value) for name, value in given.items()}
        for step in program:
            right = step.bounded([flow[name].given for name in step.operands], FLOAT64)
            flow[step.name] = exact(it["own"].get(step.name, right.value))
            made[step.name] = flow[step.name].value - right.value
        for seed in directions(it["rng"], it["truth"], "dW1", "db1").values():
            budget = budget_of(chain_, it, seed)
            error = along(seed, it["own"]) - along(seed, it["truth"])
            added = sum(budget.share(made).values())
            assert abs(added - error) <= 1e-4 * budget.certain
            assert abs(error) > 0


# --- Where there is no claim ----------------------------------------------------------


def kinked(nearest: float) -> tuple[Arrays, Callable[..., Budget]]:
    """A network of which one pre-activation is as near to 0 as that."""
    it = network_of(TWO_LAYER_NET, [6, 5, 4], 7, seed=5)
    before = it["x"][2].astype(np.float64) @ it["params"]["W1"][:, 3]
    it["params"]["b1"][3] = np.float32(nearest - before)
    seed = {"db1": np.eye(5)[3]}
    return it, partial(budget_of, TWO_LAYER_NET, it, seed)


def test_a_relu_that_may_be_open_or_shut_adds_its_jump() -> None:
    it, budget = kinked(0.0)
    certain, told = budget(errors=None), budget(errors={})
    params = {name: wide(value) for name, value in it["params"].items()}
    truth = Network(TWO_LAYER_NET, params).trace(wide(it["x"]), it["t"])
    jump = abs(float(truth["dRelu1"][2, 3]))
    terms = {term.step: term.certain for term in certain.terms}
    assert np.isclose(terms["dAffine1"], jump)
    assert "dAffine1" not in {term.step for term in told.terms}
    assert certain.probable >= jump  # a jump is no rounding
    assert (certain.claimed(certain.certain) is None) == (jump > 0.1 * abs(told.value))


def test_one_that_is_far_enough_from_its_kink_does_not() -> None:
    _, budget = kinked(1e-4)
    assert budget(errors=None).certain == budget(errors={}).certain


def test_a_mask_that_is_wrong_is_within_the_bound() -> None:
    """An implementation whose ReLU is open where it should be shut."""
    it, budget = kinked(-1e-8)
    params = {k: wide(v) for k, v in it["params"].items()}
    truth = Network(TWO_LAYER_NET, params).trace(wide(it["x"]), it["t"])
    params["b1"][3] += 1e-7
    own = Network(TWO_LAYER_NET, params).trace(wide(it["x"]), it["t"])
    assert (truth["Affine1"] > 0).sum() != (own["Affine1"] > 0).sum()
    error = abs(own["db1"][3] - truth["db1"][3])
    found = budget(errors=off(own, truth))
    assert budget(errors={}).certain < error <= found.probable


def test_nothing_is_claimed_beyond_a_tenth_of_the_value() -> None:
    it = network_of(TWO_LAYER_NET, [6, 5, 4], 7, seed=6)
    gradient = it["truth"]["dW1"]
    across = it["rng"].standard_normal(gradient.shape)
    across -= gradient * np.sum(across * gradient) / np.sum(gradient**2)  # s = 0
    none, some = (budget_of(TWO_LAYER_NET, it, {"dW1": v}) for v in (across, gradient))
    assert none.certain > 0
    assert none.claimed(none.certain) is None
    assert none.claimed(none.probable) is None
    assert some.claimed(some.certain) == some.certain
    assert some.claimed(np.inf) is None
    assert some.claimed(np.nan) is None


def test_what_may_overflow_is_no_claim() -> None:
    """Nor is a number that only a bound which is infinite could bound."""
    steps = [Step("y", OPERATIONS["multiply"], ("x", "x"))]
    huge = {"x": np.array([1e30])}
    budget = error_budgets(steps, huge, {0: {"y": np.ones(1)}}, FLOAT32)[0]
    assert budget.claimed(budget.certain) is None
    assert budget.claimed(budget.probable) is None


def test_the_largest_of_a_row_may_be_another() -> None:
    steps = [Step("y", OPERATIONS["max"], ("x",), {"axis": -1})]
    given, seed = {"x": np.array([[1.0, 1.0 + 1e-8, 0.5]])}, {0: {"y": np.ones(1)}}
    near = error_budgets(steps, given, seed, FLOAT32, {"x": np.full((1, 3), 1e-7)})
    far = error_budgets(steps, given, seed, FLOAT32, {"x": np.full((1, 3), 1e-9)})
    assert near[0].certain == 1e-7
    assert far[0].certain == 0


def test_rounded_factors_are_no_independent_errors() -> None:
    """As in TF32: an error in a factor is in all that it is multiplied with."""
    it = network_of(TWO_LAYER_NET, [6, 5, 4], 7, seed=7)
    given, seeds = {"x": it["x"], **it["params"]}, {0: {"dW1": it["truth"]["dW1"]}}
    tf32 = replace(FLOAT32, factor_u=2.0**-11)
    budget = error_budgets(network_steps(it["t"]), given, seeds, tf32, {})[0]
    assert budget.probable == budget.certain


def test_where_the_derivative_vanishes_derivatives_are_taken_near_by() -> None:
    """(w - c)**2 at w = c, off by the square of what w is off by."""
    steps = [
        Step("w", OPERATIONS["sum"], ("x",)),
        Step("d", OPERATIONS["subtract"], ("w", "c")),
        Step("y", OPERATIONS["multiply"], ("d", "d")),
    ]
    x = np.array([1e6, 3.0, 7.0, 11.0])
    given = {"x": x, "c": x.sum()}
    adjoint = Adjoint.of(steps, given, FLOAT32)
    off = float(adjoint.flow["w"].error)
    seed = {"y": np.ones(())}
    assert adjoint.budget(seed).certain < 1e-30
    assert off**2 <= adjoint.farther(seed) <= 2.1 * off**2


def test_where_nothing_vanishes_it_is_the_first_order() -> None:
    it = network_of(TWO_LAYER_NET, [6, 5, 4], 7, seed=2)
    given, program = {"x": it["x"], **it["params"]}, network_steps(it["t"])
    adjoint = Adjoint.of(program, given, FLOAT32)
    seed = {"dW1": it["rng"].standard_normal((6, 5))}
    certain = adjoint.budget(seed).certain
    assert certain <= adjoint.farther(seed) <= 1.01 * certain
