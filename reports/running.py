"""Runs the suite for the commands, with a progress bar for every long part."""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from parity_tests import (
    checking,
    exhaustive,
    forensics,
    parallel,
    second_order,
    seeds,
    training,
    truth,
)
from parity_tests.catalogue import LAYERS_AND_NETWORK
from parity_tests.checkpoints import Checkpoints
from parity_tests.elementary import measured
from parity_tests.implementations import (
    OUTSIDERS,
    Implementation,
    NotInstalled,
)
from parity_tests.own import is_own
from parity_tests.records import (
    Check,
    Divergence,
    Exhaustive,
    MutantResult,
    Parting,
    Summary,
    Together,
    Training,
)
from reports.console import bar, working
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


@dataclass
class Trained:
    """All trainings, the reference always first; the networks, by dtype and name; what
    forensics found of them, if that was asked for; and why any of them is missing.
    """

    trainings: list[Training]
    networks: dict[str, training.Trained]
    partings: list[Parting]
    together: list[Together]
    missing: list[str]


def train(
    plan: training.Plan,
    dtypes: Sequence[str],
    implementations: Sequence[str],
    find_partings: bool = False,
    checkpoints: Checkpoints | None = None,
) -> Trained:
    """Train them side by side; and find out where and why they part, if wanted."""
    present, missing = load_trained(implementations)
    if find_partings:
        present[0] = forensics.Watch()
    networks: dict[str, training.Trained] = {}
    with bar("Training", plan.steps * len(present) * len(dtypes)) as advance:
        found = training.run_trainings(
            plan,
            dtypes,
            present,
            lambda name, dtype, steps: advance(steps),
            checkpoints,
            inspect=networks.__setitem__,
            side_by_side=True,
        )
    trained = Trained(found, networks, [], [], missing)
    if find_partings:
        total = len(dtypes) * (len(present) - 1)
        with bar("Looking for where they part", total) as advance:
            for dtype, group in networks.items():
                parted, stayed = forensics.investigate(plan, dtype, group, advance)
                trained.partings += parted
                trained.together += stayed
    return trained


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
    present, missing = load_present(
        [name for name in wanted if name in training.TRAINED or is_own(name)]
    )
    silent = [each.name for each in present if each.train is None]
    missing += [f"{name} offers no network to train" for name in silent]
    return [each for each in present if each.train is not None], missing


def truth_task(plan: training.Plan) -> truth.EveryCheck:
    """The reference against other mathematics; the lecture's check on its network."""
    first = slice(truth.IMAGES)
    data = plan.dataset
    return truth.EveryCheck(plan.params, data.x_train[first], data.t_train[first])


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


def outside_tasks(
    plan: training.Plan, dtypes: Sequence[str], outsiders: Sequence[str]
) -> list[parallel.Trainings]:
    """The first tenth of the run, by the reference and by outsiders."""
    if not outsiders or "float64" not in dtypes:
        return []
    settings = plan.batches.shape[1], plan.learning_rate, plan.seed
    tenth = training.Plan.of(plan.dataset, max(plan.steps // 10, 1), *settings)
    return seeds.tasks(tenth, 1, ["float64"], ["reference", *outsiders])


def report(
    plan: training.Plan,
    info: DatasetInfo,
    dtypes: Sequence[str],
    implementations: Sequence[str],
    every_float32: bool = False,
    seed_count: int = 0,
) -> Results:
    """The whole run; if wanted, with every float32 through the element-wise layers, and
    with trainings from several seeds.

    The truth is checked and outsiders are trained in processes of one thread, beside
    what takes one thread here, and not beside the other trainings, whose matrix products
    take all processors and would wait for them. A tenth of the run fits in there; in
    float64 only, where they must come to the same parameters.
    """
    started, clock = datetime.now(UTC), time.perf_counter()
    outsiders = [name for name in implementations if name in OUTSIDERS]
    layered = [name for name in implementations if name not in OUTSIDERS]
    apart: list[parallel.Task] = [
        truth_task(plan),
        *outside_tasks(plan, dtypes, outsiders),
    ]
    with parallel.started(apart) as beside:
        checks, divergences = check(LAYERS_AND_NETWORK, dtypes, layered)
        checks += differentiate_twice(dtypes, layered)
        with working("Checking the truth and training the outsiders"):
            truths, *outside = beside.wait()
    trained = train(plan, dtypes, layered, find_partings=True)
    from_seeds: list[Training] = []
    if seed_count:
        from_seeds, _ = train_seeds(plan, seed_count, dtypes, layered)
    tried: list[Exhaustive] = []
    if every_float32:
        run = exhaustive.Run(exhaustive.LAYERS, load_present(layered)[0])
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
        training=trained.trainings,
        outsiders=[training for group in outside for training in group],
        partings=trained.partings,
        together=trained.together,
        divergences=divergences,
        truth=truths,
        exhaustive=tried,
        seeds=seeds.paired(from_seeds, len(plan.dataset.t_test)),
        bands=list(seeds.bands(from_seeds)),
        summary=Summary.of(checks),
        elementary=measured(),
    )
