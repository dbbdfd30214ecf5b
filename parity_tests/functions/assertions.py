"""Anybody's functions in somebody's own tests: the same, or an `AssertionError` that says
where they part; and gradients that are the derivatives of what a function computes.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

from gradparity.parity_tests import DTYPES, as_list
from gradparity.parity_tests.functions import UnusableFunction, UnusableInput
from gradparity.parity_tests.functions.calling import prepare
from gradparity.parity_tests.functions.comparison import (
    GENERIC,
    YOURS,
    compare_functions,
)
from gradparity.parity_tests.functions.inputs import Given, generic, of, with_examples
from gradparity.parity_tests.functions.judging import MARGIN
from gradparity.parity_tests.functions.models import Underived, underived
from gradparity.parity_tests.functions.running import (
    Ran,
    ignored_by,
    ran,
    takes_one,
    with_seeds,
)
from gradparity.parity_tests.functions.targets import Target
from gradparity.parity_tests.functions.targets import of as target_of
from gradparity.parity_tests.functions.wording import place, report, told_apart
from gradparity.parity_tests.measuring.wording import listed

Inputs = Mapping[str, Any] | Sequence[Any] | None
STEP = 6e-6  # of central differences: about the third root of the unit roundoff
NUMERICAL = 1e-6  # what they are good for, of the largest that they could be


@contextmanager
def in_a_sentence() -> Iterator[None]:
    """What cannot be run on these inputs is said without the ways that lead there, which
    are not the user's: the sentence names the line that is.
    """
    try:
        yield
    except (UnusableFunction, UnusableInput) as error:
        raise type(error)(str(error)) from None


@in_a_sentence()
def assert_same(
    f: Callable[..., Any],
    g: Callable[..., Any],
    inputs: Inputs = None,
    *,
    dtypes: str | Sequence[str] = DTYPES,
) -> None:
    """Assert that two functions are the same, gradients included.

        def test_my_layer_norm():
            assert_same(mine, theirs, {"x": x, "w": w, "b": b})

    Args:
        f, g: functions of NumPy (which return out and gradients, or have a `vjp` beside
            them), PyTorch or JAX, in any mix; modules, jitted and partial functions, and
            classes in the lecture's style as well.
        inputs: by name; or in a list or tuple, in the order of f's parameters; by default
            what `example_inputs()` beside one of them returns.
        dtypes: in which they are tried, besides float64.

    Raises:
        AssertionError: they differ, or an operator is further off than its rounding can
            be. The message is what `gradparity compare` says: in which quantity, by how
            much, at which element; the first step that differs; the mistake, if known.
        UnusableFunction, UnusableInput: they cannot be run on these inputs.
    """
    targets = [target_of(f), target_of(g)]
    given = with_examples(targets, named(targets[0], inputs))
    found = compare_functions(targets, given, as_list(dtypes))
    if not found.same:
        raise AssertionError("\n".join(report(found)))


@in_a_sentence()
def assert_gradients(f: Callable[..., Any], inputs: Inputs = None) -> None:
    """Assert that the gradients of a function are the derivatives of what it computes, in
    float64, on the inputs and on generic numbers.

    The derivatives are found by the reference's rules from what was recorded of the
    forward pass; where a step has no rule, by central differences along a direction, which
    see only mistakes of more than a millionth.

    Args:
        f: as for `assert_same`.
        inputs: as for `assert_same`.

    Raises:
        AssertionError: one is not. The message names it and its worst element.
        UnusableFunction, UnusableInput: it cannot be run on these inputs.
    """
    target = target_of(f)
    prepared = prepare([target], with_examples([target], named(target, inputs)))
    (target,) = prepared.targets
    yours = ran(target, prepared.inputs, "float64", prepared.dout)
    drawn = ran(target, generic(prepared.inputs), "float64", prepared.dout)
    if not yours.call.differentiated:
        raise UnusableInput(f"{target.name} has no gradients to check")
    ignored, is_loss = ignored_by(drawn), takes_one(drawn.call)
    if ignored and not is_loss:
        raise AssertionError(
            f"{listed(ignored)} of {target.name} would be the same whatever arrives "
            "at its output: dout is ignored"
        )
    drawn = with_seeds(drawn, ones=bool(ignored) and is_loss)
    # What is cast has no derivative, and is taken for none.
    for on, run in ((YOURS, yours.uncast), (GENERIC, drawn.uncast)):
        wrong = underived(run.judged("float64"))
        said = by_differences(run) if wrong is None else "; ".join(map(by_rules, wrong))
        if said:
            raise AssertionError(f"{said}, on {on}")


def named(target: Target, inputs: Inputs) -> dict[str, Given]:
    """The inputs by name."""
    if inputs is None:
        return {}
    if isinstance(inputs, Mapping):
        return of(inputs)
    names = [p.name for p in target.parameters or () if p.name != "dout"]
    if target.parameters is None:
        names = [f"x{number}" for number in range(1, len(inputs) + 1)]
    if len(inputs) > len(names):
        raise UnusableInput(
            f"{target.name} takes {target.signature}, got {len(inputs)} inputs"
        )
    return of(dict(zip(names, inputs, strict=False)))


def by_rules(wrong: Underived) -> str:
    """That a gradient is not the derivative, and at which element."""
    name = wrong.quantity
    said = f"{name} is not the derivative of what the function computes"
    if wrong.at is None:
        return f"{said}: it has another shape"
    value, derivative = told_apart([wrong.value, wrong.derivative])
    return f"{said}: {name}{place(wrong.at)} is {value}, the derivative is {derivative}"


def by_differences(run: Ran) -> str:
    """The same by central differences, along a direction for each gradient."""
    values, noise = run.values, run.judged("float64").noise
    rng = np.random.default_rng(0)
    for position, name in enumerate(run.call.gradient_names):
        if name is None or name not in values:
            continue
        direction = rng.standard_normal(run.call.leaves[position].shape)
        near, far = (slope(run, position, h * direction, h) for h in (STEP, 2 * STEP))
        came = float(np.sum(values[name] * direction))
        size = float(np.sum(np.abs(values[name] * direction))) + abs(near)
        # What the differences are off by grows with h**2: by a third of what those of
        # twice the step are further off. And all is off by as much as noise shows.
        room = NUMERICAL * size + abs(far - near)
        room += lost(run, noise) / STEP
        room += MARGIN * float(np.sum(np.abs(noise.get(name, 0.0) * direction)))
        if not abs(came - near) <= room:
            return (
                f"{name} is not the derivative of what the function computes: along a "
                "direction it is {}, central differences give {}".format(
                    *told_apart([came, near])
                )
            )
    return ""


def slope(run: Ran, position: int, step: np.ndarray, h: float) -> float:
    """The central difference of what arrives times what comes out, with this step of a
    leaf.
    """
    sums = []
    for moved in (step, -step):
        leaves = [*run.call.leaves]
        leaves[position] = leaves[position] + moved
        there = replace(run, call=replace(run.call, leaves=leaves)).recording
        outputs = [there.values[n] for n in there.outputs]
        pairs = zip(run.seeds, outputs, strict=True)
        sums.append(sum(float(np.sum(seed * out)) for seed, out in pairs))
    return (sums[0] - sums[1]) / (2 * h)


def lost(run: Ran, noise: Mapping[str, np.ndarray]) -> float:
    """How far rounding takes what arrives times what comes out: as far as noise of one
    rounding in every step did, and as adding it up may.
    """
    found = 0.0
    for name, seed in zip(run.call.output_names, run.seeds, strict=True):
        out = run.values[name]
        if seed is None or out.dtype.kind != "f":
            continue
        u = float(np.finfo(np.float64).eps) / 2
        found += float(np.sum(np.abs(seed) * MARGIN * noise.get(name, 0.0)))
        found += out.size * u * float(np.sum(np.abs(seed * out)))
    return found
