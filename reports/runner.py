"""Runs the suite for the commands, with a progress bar for every long part."""

import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from gradparity.parity_tests.audit import power, truth
from gradparity.parity_tests.benchmarks import ROUNDS
from gradparity.parity_tests.catalogue.case import NetworkCase
from gradparity.parity_tests.catalogue.cases import LAYERS_AND_NETWORK
from gradparity.parity_tests.checking import exhaustive
from gradparity.parity_tests.checking.every_case import EveryCase
from gradparity.parity_tests.checking.products import EveryProduct
from gradparity.parity_tests.checking.values import Run, load_all
from gradparity.parity_tests.implementations.built_in import OUTSIDERS
from gradparity.parity_tests.implementations.user_supplied import is_own
from gradparity.parity_tests.measuring import records
from gradparity.parity_tests.measuring.elementary import measured
from gradparity.parity_tests.processes import parallel
from gradparity.parity_tests.training import forensics, seeds
from gradparity.parity_tests.training.checkpoints import Checkpoints
from gradparity.parity_tests.training.plan import TRAINED, Plan, Trained
from gradparity.parity_tests.training.run import run_trainings
from gradparity.reference import training
from gradparity.reports.console import bar
from gradparity.reports.environment import describe, with_accuracy
from gradparity.reports.results import DatasetInfo, Results

FIRST_STEPS = 100  # of a training, after which the errors of a network are looked at
PIXELS = 784  # of the lecture's images


def check(run: Run) -> tuple[list[records.Check], list[records.Divergence]]:
    """All checks of some layers, and the divergences documented for them."""
    with bar("Comparing layers", len(run.cases)) as advance:
        return run.whole(advance)


def sensitivity(
    layers: Sequence[str], implementations: Sequence[str]
) -> list[records.MutantResult]:
    """What the suite says of every mistake planted in these."""
    from gradparity.parity_tests.audit.sensitivity import chosen, examine

    mutants = chosen(layers, implementations)
    found: list[records.MutantResult] = []
    with bar("Planting mistakes", len(mutants)) as advance:
        for mutant in mutants:
            found.append(examine(mutant))
            advance()
    return found


def detection(run: power.Run) -> list[records.Power]:
    """How small a fault is certainly caught."""
    with bar("Measuring the power", len(run.cases)) as advance:
        return run.whole(advance)


def train(
    plan: Plan,
    dtypes: Sequence[str],
    implementations: Sequence[str],
    find_partings: bool = False,
    checkpoints: Checkpoints | None = None,
    jobs: int | None = None,
) -> parallel.TrainingResults:
    """Train them one after another; and find out where and why they part, if wanted.

    In more than one of `jobs`, each dtype has a process of its own, and nothing is known
    of the networks but what the trainings tell.
    """
    present, missing = load_all(trainable(implementations), to_train=True)
    untrained = parallel.absent(missing, dtypes, plan.seed)
    if jobs is not None and jobs > 1:
        names = [each.name for each in present]
        tasks = seeds.tasks(plan, 1, dtypes, names, find_partings)
        trained = side_by_side("Training", tasks, jobs)
        return replace(trained, untrained=untrained + trained.untrained)
    if find_partings:
        present[0] = forensics.Watch()
    networks: dict[str, Trained] = {}
    with bar("Training", plan.steps * len(present) * len(dtypes)) as advance:
        found = run_trainings(
            plan,
            dtypes,
            present,
            lambda name, dtype, steps: advance(steps),
            checkpoints,
            inspect=networks.__setitem__,
            failed=untrained.append,
        )
    trained = parallel.TrainingResults(found, untrained=untrained, networks=networks)
    if find_partings:
        total = len(dtypes) * (len(present) - 1)
        with bar("Looking for where they part", total) as advance:
            for dtype, group in networks.items():
                parted, stayed = forensics.investigate(plan, dtype, group, advance)
                trained.partings += parted
                trained.together += stayed
    return trained


def train_seeds(
    plan: Plan,
    count: int,
    dtypes: Sequence[str],
    implementations: Sequence[str],
    jobs: int | None = None,
) -> tuple[list[records.Training], list[records.Untrained]]:
    """The same from so many seeds, side by side in `jobs` processes; and those that there
    are none of. What is missing is missing from the first seed.
    """
    present, missing = load_all(trainable(implementations), to_train=True)
    tasks = seeds.tasks(plan, count, dtypes, [each.name for each in present])
    found = side_by_side(f"Training from {count} seeds", tasks, jobs)
    lacking = parallel.absent(missing, dtypes, plan.seed)
    return found.trainings, lacking + found.untrained


def side_by_side(
    title: str, tasks: Sequence[parallel.Trainings], jobs: int | None
) -> parallel.TrainingResults:
    """What these trainings come to, with a progress bar of this title."""
    with (
        bar(title, sum(task.total for task in tasks)) as advance,
        parallel.started(tasks, jobs) as running,
    ):
        return parallel.TrainingResults.of(running.wait(advance))


def trainable(implementations: Sequence[str]) -> list[str]:
    """The reference and those of these that may train, if they are there."""
    wanted = dict.fromkeys(["reference", *implementations])
    return [name for name in wanted if name in TRAINED or is_own(name)]


def truth_task(plan: Plan) -> truth.EveryCheck:
    """The reference against other mathematics; the lecture's check on its network."""
    first = slice(truth.IMAGES)
    data = plan.dataset
    return truth.EveryCheck(plan.params, data.x_train[first], data.t_train[first])


def exhaust(run: exhaustive.Run) -> None:
    """Run it, for minutes."""
    with bar("Trying every float32", len(run)) as advance:
        for _ in run:
            advance()


def trained_case(plan: Plan) -> NetworkCase:
    """The network after the first steps of the run, and a batch. Where images are smaller
    than the lecture's they get blank pixels, for JAX has compiled programs of that size.
    """
    data, batches = plan.dataset, plan.batches[:FIRST_STEPS]
    sets = (data.x_train, data.t_train), (data.x_test, data.t_test)
    with np.errstate(all="ignore"):  # it may diverge, which the trainings tell
        *_, (_, params, _, _) = training.train(
            plan.params, *sets, batches, plan.learning_rate
        )
    x, t = data.x_train[batches[0]], data.t_train[batches[0]]
    blank = max(PIXELS - x.shape[1], 0)
    params["W1"] = np.pad(params["W1"], ((0, blank), (0, 0)))
    return NetworkCase("trained", params, np.pad(x, ((0, 0), (0, blank))), t)


def comparisons(
    plan: Plan, dtypes: Sequence[str], implementations: Sequence[str], jobs: int | None
) -> list[parallel.Task]:
    """Of all layers and the network: what they return, Jacobian- and Hessian-vector
    products, and how small a fault would be seen. Beside others one thread is enough:
    several take more time in all.
    """
    threads = None if jobs == 1 else 1
    return [
        EveryCase(dtypes, implementations, threads, trained_case(plan)),
        EveryProduct(dtypes, implementations, threads),
        power.EveryPower(LAYERS_AND_NETWORK, dtypes, implementations),
    ]


def outside_tasks(
    plan: Plan, dtypes: Sequence[str], outsiders: Sequence[str]
) -> list[parallel.Trainings]:
    """The first tenth of the run, by the reference and by outsiders."""
    if not outsiders or "float64" not in dtypes:
        return []
    settings = plan.batches.shape[1], plan.learning_rate, plan.seed
    tenth = Plan.of(plan.dataset, max(plan.steps // 10, 1), *settings)
    return seeds.tasks(tenth, 1, ["float64"], ["reference", *outsiders])


def report(
    plan: Plan,
    info: DatasetInfo,
    dtypes: Sequence[str],
    implementations: Sequence[str],
    every_float32: bool = False,
    seed_count: int = 0,
    jobs: int | None = None,
    bench: Sequence[str] = (),
    data_dir: Path | None = None,
) -> Results:
    """The whole run; if wanted, with every float32 through the element-wise layers, with
    trainings from several seeds, and with those parts of `bench`.

    In `jobs` processes, which share the processors, it trains, compares layers and checks
    the truth. What is timed comes when all of that has ended. Outsiders train a tenth of
    the run; in float64 only, where they must come to the same parameters.
    """
    started, clock = datetime.now(UTC), time.perf_counter()
    outsiders = [name for name in implementations if name in OUTSIDERS]
    layered = [name for name in implementations if name not in OUTSIDERS]
    trainings = seeds.tasks(plan, 1, dtypes, trainable(layered), find_partings=True)
    outside = outside_tasks(plan, dtypes, outsiders)
    cases, products, powers = comparisons(plan, dtypes, layered, jobs)
    # What takes longest comes first.
    tasks = [*trainings, cases, *outside, products, powers, truth_task(plan)]
    share = parallel.threads(len(tasks), jobs)
    with (
        bar("Training and comparing", sum(task.total for task in tasks)) as advance,
        parallel.started(tasks, jobs) as running,
    ):
        environment = with_accuracy(
            describe()
        )  # which imports the frameworks, and others are at work
        found = iter(running.wait(advance))
    trained = parallel.TrainingResults.of([next(found) for _ in trainings])
    checks, divergences, budgets = next(found)
    tenths = parallel.TrainingResults.of([next(found) for _ in outside])
    twice, powerful, confirmed = found
    checks += twice
    untrained = trained.untrained + tenths.untrained
    from_seeds: list[records.Training] = []
    if seed_count:
        from_seeds, lacking = train_seeds(plan, seed_count, dtypes, layered, jobs)
        untrained += [none for none in lacking if none.verdict == records.Verdict.FAIL]
    tried: list[records.Exhaustive] = []
    if every_float32:
        run = exhaustive.Run(exhaustive.LAYERS, load_all(layered)[0])
        exhaust(run)
        tried = run.rows()
    seconds = time.perf_counter() - clock
    timed = measure(bench, ROUNDS, data_dir) if bench else None
    environment = environment.model_copy(
        update={
            "threads": environment.threads | {"each process": share},
            "jax_compile_seconds": round(running.compiled, 2) or None,
            "dataset": info,
            "command": " ".join(["gradparity", *sys.argv[1:]]),
            "seed": plan.seed,
            "started": started.isoformat(timespec="seconds"),
            "seconds": round(seconds, 1),
        }
    )
    return Results(
        environment=environment,
        checks=checks,
        training=trained.trainings,
        outsiders=tenths.trainings,
        untrained=untrained,
        partings=trained.partings,
        together=trained.together,
        divergences=divergences,
        truth=confirmed,
        budgets=budgets,
        power=powerful,
        exhaustive=tried,
        seeds=seeds.paired(from_seeds, len(plan.dataset.t_test)),
        bands=list(seeds.bands(from_seeds)),
        summary=records.Summary.of(checks),
        elementary=measured(),
        bench=timed,
    )


def measure(parts: Sequence[str], rounds: int, data_dir: Path | None) -> records.Bench:
    """How fast it is: these parts of the benchmark, each repeated so often."""
    from gradparity.parity_tests.benchmarks import bench

    with bar("Measuring", bench.count(parts, rounds)) as advance:
        return bench.run(parts, rounds, data_dir, advance)
