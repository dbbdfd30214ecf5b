"""Runs the suite for the commands, with a progress bar for every long part."""

import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime

from parity_tests import (
    checking,
    exhaustive,
    parallel,
    second_order,
    seeds,
    training,
    truth,
)
from parity_tests.catalogue import LAYERS_AND_NETWORK, SMALL_CASES
from parity_tests.elementary import measured
from parity_tests.implementations import Implementation, NotInstalled
from parity_tests.records import (
    Check,
    Divergence,
    Exhaustive,
    MutantResult,
    Summary,
    Training,
    TruthCheck,
)
from reports.console import bar
from reports.environment import describe
from reports.results import DatasetInfo, Results


def check(
    layers: Sequence[str],
    dtypes: Sequence[str],
    implementations: Sequence[str],
    edges_only: bool = False,
) -> tuple[list[Check], list[Divergence]]:
    """All checks of these layers, and the divergences documented for them."""
    checks: list[Check] = []
    run = checking.Run(layers, dtypes, implementations, edges_only)
    with bar("Comparing layers", len(run.cases)) as advance:
        for found in run:
            checks += found
            advance()
    return checks, run.divergences()


def sensitivity(
    layers: Sequence[str], implementations: Sequence[str]
) -> list[MutantResult]:
    """What the suite says of every mistake planted in these."""
    from parity_tests.sensitivity import chosen, examine

    mutants = chosen(layers, implementations)
    found: list[MutantResult] = []
    with bar("Planting mistakes", len(mutants)) as advance:
        for mutant in mutants:
            found.append(examine(mutant))
            advance()
    return found


def differentiate_twice(
    dtypes: Sequence[str], implementations: Sequence[str]
) -> list[Check]:
    """Jacobian- and Hessian-vector products of all layers and the network."""
    total = second_order.count(dtypes, implementations)
    with bar("Differentiating twice", total) as advance:
        return second_order.run(dtypes, implementations, advance)


def train(
    plan: training.Plan, dtypes: Sequence[str], implementations: Sequence[str]
) -> tuple[list[Training], list[str]]:
    """All trainings, the reference always first; and why any of them is missing."""
    present, missing = load_trained(implementations)
    total = plan.steps * len(present) * len(dtypes)
    with bar("Training", total) as advance:
        found = training.run_trainings(
            plan, dtypes, present, lambda name, dtype, steps: advance(steps)
        )
    return found, missing


def train_seeds(
    plan: training.Plan,
    count: int,
    dtypes: Sequence[str],
    implementations: Sequence[str],
) -> tuple[list[Training], list[str]]:
    """The same from so many seeds, side by side."""
    present, missing = load_trained(implementations)
    tasks = seeds.tasks(plan, count, dtypes, [each.name for each in present])
    total = sum(task.total for task in tasks)
    with (
        bar(f"Training from {count} seeds", total) as advance,
        parallel.started(tasks) as running,
    ):
        found = running.wait(advance)
    return [training for trainings in found for training in trainings], missing


def load_trained(
    implementations: Sequence[str],
) -> tuple[list[Implementation], list[str]]:
    """The reference and those of these that train; and why any of them is missing."""
    wanted = dict.fromkeys(["reference", *implementations])
    return load_present([name for name in wanted if name in training.TRAINED])


def check_truth(plan: training.Plan) -> list[TruthCheck]:
    """The reference against other mathematics; the lecture's check on its network."""
    params = {name: value.copy() for name, value in plan.params.items()}
    x, t = plan.dataset.x_train, plan.dataset.t_train
    total = len(SMALL_CASES) + sum(value.size for value in params.values())
    checks: list[TruthCheck] = []
    with bar("Checking the truth", total) as advance:
        for case in SMALL_CASES:
            checks += truth.check(case)
            advance()
        batch = x[: truth.IMAGES], t[: truth.IMAGES]
        return checks + truth.lecture_check(params, *batch, advance)


def load_present(names: Sequence[str]) -> tuple[list[Implementation], list[str]]:
    """The implementations that there are; and why any of them is missing."""
    loaded = [checking.try_load(name) for name in names]
    missing = [str(reason) for reason in loaded if isinstance(reason, NotInstalled)]
    present: list[Implementation] = [
        implementation
        for implementation in loaded
        if not isinstance(implementation, NotInstalled)
    ]
    return present, missing


def exhaust(run: exhaustive.Run) -> None:
    """Run it, for minutes."""
    with bar("Trying every float32", len(run)) as advance:
        for _ in run:
            advance()


def report(
    plan: training.Plan,
    info: DatasetInfo,
    dtypes: Sequence[str],
    implementations: Sequence[str],
    every_float32: bool = False,
) -> Results:
    """The whole run; if wanted, with every float32 through the element-wise layers."""
    started, clock = datetime.now(UTC), time.perf_counter()
    checks, divergences = check(LAYERS_AND_NETWORK, dtypes, implementations)
    checks += differentiate_twice(dtypes, implementations)
    truths = check_truth(plan)
    trainings, _ = train(plan, dtypes, implementations)
    tried: list[Exhaustive] = []
    if every_float32:
        run = exhaustive.Run(exhaustive.LAYERS, load_present(implementations)[0])
        exhaust(run)
        tried = run.rows()
    environment = describe().model_copy(
        update={
            "dataset": info,
            "command": " ".join(["gradparity", *sys.argv[1:]]),
            "seed": plan.seed,
            "started": started.isoformat(timespec="seconds"),
            "seconds": round(time.perf_counter() - clock, 1),
        }
    )
    return Results(
        environment=environment,
        checks=checks,
        training=trainings,
        divergences=divergences,
        truth=truths,
        exhaustive=tried,
        summary=Summary.of(checks),
        elementary=measured(),
    )
