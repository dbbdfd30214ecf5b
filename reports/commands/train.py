"""`gradparity train`: every implementation side by side, on the same mini-batches."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Option

from gradparity.reports.commands import choices
from gradparity.reports.commands.options import (
    AsJson,
    Seeds,
    TrainingOptions,
    TrainJobs,
    takes,
)

if TYPE_CHECKING:
    from gradparity.parity_tests.training.checkpoints import Checkpoints
    from gradparity.parity_tests.training.plan import Plan, Trained


@dataclass(frozen=True, kw_only=True)
class Options(TrainingOptions):
    """How `train` is called."""

    forensics: Annotated[
        bool,
        Option(
            "--forensics",
            help="Also find the first step that parts each from the reference, and why.",
        ),
    ] = False
    checkpoint: Annotated[
        Path | None,
        Option(
            metavar="DIR",
            help="Save the state there at every hundredth of the run, so that it can be "
            "resumed.",
        ),
    ] = None
    checkpoint_every: Annotated[
        int | None, Option(min=1, help="Save it after every so many steps as well.")
    ] = None
    resume: Annotated[
        bool, Option("--resume", help="Go on from what is saved in --checkpoint.")
    ] = False
    save: Annotated[
        Path | None,
        Option(
            metavar="DIR",
            help="Write the trained parameters there, in a safetensors file for each.",
        ),
    ] = None
    seeds: Seeds = None
    jobs: TrainJobs = None
    as_json: AsJson = False


@takes(Options)
def train(options: Options) -> None:
    """Train every implementation side by side, on the same mini-batches."""
    from gradparity.parity_tests.training.agreement import disagreements, unexplained
    from gradparity.parity_tests.training.plan import Plan
    from gradparity.reports import printing, runner
    from gradparity.reports.console import print_json
    from gradparity.reports.tables.accuracy import failures_to_train

    dtypes = choices.choose_dtypes(options.dtype)
    names = choices.choose_implementations(options.implementations, outsiders=True)
    check_options(options)
    require_training(options, dtypes, names)
    data = choices.load_dataset(options.dataset, options.data_dir)
    plan = Plan.of(
        *(data, options.steps, options.batch_size, options.learning_rate),
        *(options.seed, options.checkpoint_every),
    )
    if options.seeds is not None:
        raise typer.Exit(train_seeds(options, options.seeds, plan, dtypes, names))
    checkpoints = open_checkpoints(options, plan)
    trained = runner.train(
        *(plan, dtypes, names, options.forensics, checkpoints), jobs=options.jobs
    )
    wrong = disagreements(trained.trainings, len(data.t_test))
    wrong += failures_to_train(trained.untrained)
    wrong += unexplained(trained.partings)
    if options.as_json:
        found = {"partings": trained.partings, "together": trained.together}
        fields = found if options.forensics else {}
        print_json(training=trained.trainings, untrained=trained.untrained, **fields)
    else:
        printing.trainings(trained, plan, wrong)
    if options.save is not None:
        save_parameters(options.save, trained.networks)
    if checkpoints is not None and checkpoints.failure is not None:
        raise choices.Unusable(checkpoints.failure)
    raise typer.Exit(1 if wrong else 0)


def check_options(options: Options) -> None:
    """Raise, before anything is trained, if the options contradict each other."""
    from gradparity.reports.writing import check_writable

    choices.check_rate(options.learning_rate)
    kept = options.checkpoint or options.save
    if options.checkpoint is None and (options.resume or options.checkpoint_every):
        raise choices.Unusable("--resume and --checkpoint-every go with --checkpoint")
    if options.seeds is not None and (options.forensics or kept):
        raise choices.Unusable(
            "--seeds goes without --forensics, --checkpoint and --save"
        )
    if (options.jobs or 1) > 1 and kept:
        raise choices.Unusable("--jobs goes without --checkpoint and --save")
    if options.resume and options.forensics:
        raise choices.Unusable("--forensics looks at every step: leave --resume out")
    for option, folder in (
        ("--checkpoint", options.checkpoint),
        ("--save", options.save),
    ):
        if folder is not None:
            check_writable(option, folder)


def require_training(options: Options, dtypes: list[str], names: list[str]) -> None:
    """Raise, before anything is trained, if nothing that is asked for can be."""
    from gradparity.parity_tests.checking.values import load_all
    from gradparity.parity_tests.processes import parallel
    from gradparity.reports import runner
    from gradparity.reports.console import print_json

    asked = [name for name in runner.trainable(names) if name in names]
    present, missing = load_all(asked, to_train=True)
    if present:
        return
    why = {n: missing.get(n, f"{n} is checked, but not trained") for n in names}
    if options.as_json:
        untrained = parallel.absent(why, dtypes, options.seed)
        more = ["partings", "together"] if options.forensics else []
        more += ["seeds"] if options.seeds else []
        print_json(training=[], untrained=untrained, **{name: [] for name in more})
    raise choices.nothing_was("trained", why.values(), ", ".join(names))


def train_seeds(
    options: Options, count: int, plan: "Plan", dtypes: list[str], names: list[str]
) -> int:
    """Train the same from several seeds, print them in pairs, and return the exit
    status.
    """
    from gradparity.parity_tests.training.seeds import paired
    from gradparity.reports import printing, runner
    from gradparity.reports.console import print_json
    from gradparity.reports.tables.accuracy import failures_to_train

    trainings, untrained = runner.train_seeds(
        plan, count, dtypes, names, jobs=options.jobs
    )
    pairs = paired(trainings, len(plan.dataset.t_test))
    wrong = [sentence for row in pairs for sentence in row.disagreements]
    wrong += failures_to_train(untrained)
    if options.as_json:
        print_json(training=trainings, untrained=untrained, seeds=pairs)
    else:
        printing.seeds(trainings, pairs, plan)
        printing.agreement(trainings, untrained, plan, wrong)
    return 1 if wrong else 0


def open_checkpoints(options: Options, plan: "Plan") -> "Checkpoints | None":
    """Where the trainings are saved, and resumed from; None if nowhere."""
    if options.checkpoint is None:
        return None
    from gradparity.parity_tests.training.checkpoints import Checkpoints
    from gradparity.reports.console import note
    from gradparity.reports.environment import describe

    software = describe().model_dump(exclude_unset=True)
    for name, number in software.pop("threads").items():
        software[f"{name} threads"] = number
    software |= software.pop("switches")
    for name in ("announced", "missing"):  # do not change what the others compute
        software.pop(name, None)
    return Checkpoints.open(options.checkpoint, plan, options.resume, software, note)


def save_parameters(folder: Path, networks: "dict[str, Trained]") -> None:
    """Write what all trainings end with, by dtype. Raises `UnusableTarget` if that cannot
    be written; it is kept elsewhere then.
    """
    from gradparity.reference.data.cleanup import write_together
    from gradparity.reference.networks import parameters
    from gradparity.reports.writing import to_be_written

    files = {
        f"{name}-{dtype}.safetensors": parameters.content(trajectory.params[-1])
        for dtype, trained in networks.items()
        for name, (_, trajectory) in trained.items()
    }
    with to_be_written(folder, files):
        folder.mkdir(parents=True, exist_ok=True)
        write_together({folder / name: content for name, content in files.items()})
