"""The ratios that the benchmark is held to, as data, and how they come from the repeats.

Each is one thing's repeats divided by another's, or a cost as it stands, and has a limit.
It is apart from what measures: whoever wants to know what is promised reads this table.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from gradparity.parity_tests.benchmarks import costs, whole
from gradparity.parity_tests.benchmarks.series import Series, quartiles, ratio
from gradparity.parity_tests.measuring.records import BenchRatio
from gradparity.parity_tests.training.plan import TRAINABLE


class Named(NamedTuple):
    """The series of this name; of several, that with the most threads."""

    part: str
    name: str
    dtype: str | None = None


@dataclass(frozen=True)
class Limit:
    """`above` divided by the sum of `below`, or `above` as it is, is to be `at_most`."""

    name: str
    what: str
    at_most: float
    above: Named
    below: tuple[Named, ...] = ()


def step(name: str, dtype: str = "float32") -> Named:
    """A loop with mini-batches of 100 and 50 hidden units."""
    return Named("step", name, dtype)


LIMITS = (
    *(
        Limit(
            f"reference_over_floor_{dtype}",
            f"a training step of the reference ÷ its floor in NumPy, {dtype}",
            at_most,
            step("reference", dtype),
            (step("numpy floor", dtype),),
        )
        for dtype, at_most in (("float32", 1.6), ("float64", 1.4))
    ),
    Limit(
        "reference_over_lecture",
        "a training step of the reference ÷ the lecture's style of loop",
        0.5,
        step("reference"),
        (step("lecture"),),
    ),
    Limit(
        "torch_over_idiomatic",
        "a training step of ours in PyTorch ÷ nn.Module and optim.SGD, no DataLoader",
        0.8,
        step("torch"),
        (step("torch nn + SGD"),),
    ),
    Limit(
        "jax_over_percall",
        "a training step of ours in JAX ÷ one jitted call for each step",
        0.55,
        step("jax"),
        (step("jax a call a step"),),
    ),
    Limit(
        "jax_compile_seconds",
        "seconds in which JAX compiles during gradparity report --dataset mnist",
        3,
        Named("report", whole.COMPILING),
    ),
    Limit(
        "help_over_python",
        "gradparity --help ÷ python -c pass, whole processes",
        10,
        Named("suite", costs.HELP),
        (Named("suite", costs.PYTHON),),
    ),
    Limit(
        "help_imports",
        "how many of torch, jax, matplotlib and sklearn gradparity --help imports",
        0,
        Named("suite", costs.HELP_IMPORTS),
    ),
    Limit(
        "report_over_trainings",
        "gradparity report --dataset mnist ÷ the sum of its six trainings alone",
        1.5,
        Named("report", whole.REPORT),
        tuple(
            Named("report", whole.training_name(name), dtype)
            for dtype in whole.DTYPES
            for name in TRAINABLE
        ),
    ),
    Limit(
        "report_over_lecture_script",
        "gradparity report --dataset mnist ÷ the lecture's style of training script",
        4,
        Named("report", whole.REPORT),
        (Named("report", whole.LECTURE),),
    ),
    Limit(
        "report_peak_gib",
        "peak memory of gradparity report --dataset mnist in GiB",
        2.5,
        Named("report", whole.PEAK),
    ),
)


def ratios(
    series: Sequence[Series], missing: Mapping[str, str] | None = None
) -> list[BenchRatio]:
    """Every limit with what was measured for it; or with a note why nothing was.

    Args:
        series: what was measured.
        missing: by name or part, why something was not.
    """
    return [held_against(limit, series, missing or {}) for limit in LIMITS]


def held_against(
    limit: Limit, series: Sequence[Series], missing: Mapping[str, str]
) -> BenchRatio:
    """One of them."""
    row = BenchRatio(name=limit.name, what=limit.what, at_most=limit.at_most)
    wanted = (limit.above, *limit.below)
    found = {named: choose(named, series) for named in wanted}
    reasons = [*lacking(found, series, missing)]
    if reasons:
        return row.model_copy(update={"note": reasons[0]})
    above, *below = (one for one in found.values() if one is not None)
    value, low, high = ratio(above, total(below)) if below else quartiles(above.values)
    if len(above.values) == 1:  # which has no spread
        return row.model_copy(update={"value": value})
    return row.model_copy(update={"value": value, "low": low, "high": high})


def choose(named: Named, series: Sequence[Series]) -> Series | None:
    """The series that is meant, if it was measured."""
    meant = [one for one in series if (one.part, one.name, one.dtype) == named]
    return max(meant, key=lambda one: one.threads or 0, default=None)


def lacking(
    found: Mapping[Named, Series | None],
    series: Sequence[Series],
    missing: Mapping[str, str],
) -> Iterator[str]:
    """A sentence for whatever is not there, or not as often as the rest."""
    parts = {one.part for one in series}
    for (part, name, _), one in found.items():
        if name in missing or one is None:
            known = missing.get(name) or missing.get(part)
            never = f"the part {part} was not measured"
            yield known or (f"{name} was not measured" if part in parts else never)
    repeats = {len(one.values) for one in found.values() if one is not None}
    if len(repeats) > 1:
        yield "what is divided was not measured equally often"


def total(series: Sequence[Series]) -> Series:
    """Their sums, repeat by repeat."""
    values = zip(*(one.values for one in series), strict=True)
    return replace(series[0], values=tuple(map(sum, values)))
