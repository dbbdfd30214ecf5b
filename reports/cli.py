"""The `gradparity` command.

Exit status: 0 all agree, 1 something disagrees, 2 the call or its input is unusable.
Each command imports what it needs when it runs, so that `--help` pays for no framework.
"""

import gc
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from typer import Argument, Option

from gradparity.parity_tests import DTYPES
from gradparity.parity_tests.benchmarks import ROUNDS
from gradparity.parity_tests.processes.settings import WAITING, keep_memory

if TYPE_CHECKING:
    from gradparity.parity_tests.measuring.records import Bench
    from gradparity.parity_tests.training.checkpoints import Checkpoints
    from gradparity.parity_tests.training.run import Plan, Trained
    from gradparity.reference.datasets import Dataset
    from gradparity.reports.results import DatasetInfo

DATASETS = ("auto", "mnist", "digits")
BENCH_PARTS = ("step", "sweep", "suite", "report")
TOPICS = (
    *("buy_fruit", "relu", "sigmoid", "affine", "softmax_with_loss"),
    *("two_layer_net", "training"),
)

app = typer.Typer(
    name="gradparity",
    help="A hand-written NumPy backpropagation is the truth; PyTorch and JAX are checked "
    "against it.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

THREE = "reference,torch,jax"
NAMES = "reference, torch, torch-composed, jax, jax-composed, jax-jit"
TRAINED_ONLY = "trained only: sklearn, optax, torch-sgd"
BROUGHT = "of your own: package.module, path/to/file.py; or all."

Implementations = Annotated[
    str | None,
    Option(
        metavar="NAME,...",
        help=f"{NAMES}; {TRAINED_ONLY}; {BROUGHT}  [default: {THREE}, announced ones]",
    ),
]
Everything = Annotated[
    str, Option(metavar="NAME,...", help=f"{NAMES}; {TRAINED_ONLY}; {BROUGHT}")
]
SomeImplementations = Annotated[
    str | None,
    Option(
        metavar="NAME,...",
        help=f"{NAMES}; {BROUGHT}  [default: {THREE}, announced ones; with --edges or "
        "--exhaustive all]",
    ),
]
Dtypes = Annotated[str, Option("--dtype", metavar="NAME,...", help="float64, float32.")]
DatasetName = Annotated[
    str,
    Option(
        metavar="auto|mnist|digits",
        help="auto: MNIST where it is present or can be fetched, else digits.",
    ),
]
DataDir = Annotated[
    Path | None, Option(help="A folder with MNIST's four files, raw or .gz.")
]
Steps = Annotated[int, Option(min=1, help="Training steps.")]
BatchSize = Annotated[int, Option(min=1, help="Samples in a mini-batch.")]
LearningRate = Annotated[float, Option(help="How far a step goes.")]
Seed = Annotated[
    int, Option(min=0, help="Of the initial weights and the mini-batches.")
]
Seeds = Annotated[
    int | None,
    Option(
        min=2,
        help="Train from so many seeds, side by side, and compare them in pairs; the "
        "first is --seed.",
    ),
]
Jobs = Annotated[
    int | None,
    Option(
        min=1,
        help="Processes side by side; by default as many as there are processors.",
        show_default=False,
    ),
]
TrainJobs = Annotated[
    int | None,
    Option(
        min=1,
        help="Processes side by side; by default one, and with --seeds as many as there "
        "are processors.",
        show_default=False,
    ),
]
AsJson = Annotated[bool, Option("--json", help="Print one JSON object instead.")]


class Unusable(ValueError):
    """The call cannot be carried out as it stands."""


@app.command()
def check(
    layers: Annotated[
        list[str] | None, Argument(help="Layers, TwoLayerNet included; by default all.")
    ] = None,
    implementations: SomeImplementations = None,
    dtype: Dtypes = "float64,float32",
    edges: Annotated[
        bool,
        Option(
            "--edges",
            help="Only special numbers, layouts and spellings, through all "
            "implementations; and why they differ where they do.",
        ),
    ] = False,
    sensitivity: Annotated[
        bool, Option("--sensitivity", help="Plant mistakes, and tell which are caught.")
    ] = False,
    exhaustive: Annotated[
        bool,
        Option(
            "--exhaustive",
            help="Instead, try every float32 there is on the element-wise layers; "
            "Ctrl-C prints what is known by then.",
        ),
    ] = False,
    stride: Annotated[
        int, Option(min=1, max=2**24, help="With --exhaustive: one float32 in so many.")
    ] = 1,
    as_json: AsJson = False,
) -> None:
    """Compare layer by layer, and the network with everything that flows through it."""
    if exhaustive:
        check_exhaustively(layers, implementations or "all", dtype, stride, as_json)
    if stride > 1:
        raise Unusable("--stride goes with --exhaustive")
    from gradparity.parity_tests.catalogue.cases import LAYERS_AND_NETWORK
    from gradparity.parity_tests.measuring.records import Summary
    from gradparity.reports import running, tables
    from gradparity.reports.console import output, say

    chosen = choose("layer", layers or LAYERS_AND_NETWORK, LAYERS_AND_NETWORK)
    dtypes = choose("dtype", dtype.split(","), DTYPES)
    names = choose_implementations(implementations or ("all" if edges else None))
    if sensitivity:
        check_sensitivity(chosen, dtypes, names, as_json)
    checks, divergences = running.check(chosen, dtypes, names, edges_only=edges)
    summary = Summary.of(checks)
    if as_json:
        print_json(checks=checks, divergences=divergences, summary=summary)
    elif edges:
        tables.divergence_table(divergences).print(output)
        for sentence in tables.reasons(divergences):
            say(sentence)
        if summary.failed:
            tables.failure_table(checks).print(output)
        say(tables.checks_sentence(summary) + ".")
    else:
        for _, _, table in tables.gradient_tables(checks):
            table.print(output)
        for table in (
            tables.refusal_table(checks),
            tables.divergence_table(divergences),
            tables.failure_table(checks),
        ):
            if table.rows:
                table.print(output)
        say(tables.LEGEND)
        for sentence in tables.warnings(checks):
            say(f"warning: {sentence}")
        say(tables.checks_sentence(summary) + ".")
    raise typer.Exit(1 if summary.failed else 0)


def check_sensitivity(
    layers: list[str], dtypes: list[str], implementations: list[str], as_json: bool
) -> None:
    """`check --sensitivity`: plant every mistake, and exit with 1 if one survives."""
    from gradparity.parity_tests.measuring.records import MutantSummary
    from gradparity.reports import running, tables
    from gradparity.reports.console import output, say

    if set(dtypes) != set(DTYPES):
        raise Unusable("--sensitivity tries both dtypes: leave --dtype out")
    mutants = running.sensitivity(layers, implementations)
    if not mutants:
        raise Unusable(
            f"no mistakes can be planted in {', '.join(layers)} of "
            f"{', '.join(implementations)}"
        )
    summary = MutantSummary.of(mutants)
    if as_json:
        print_json(mutants=mutants, summary=summary)
    else:
        tables.mutant_table(mutants).print(output)
        for mutant in mutants:
            if mutant.caught is False:
                say(f"Not caught: {mutant.name}. {mutant.sentence}")
        say(tables.mutants_sentence(summary))
    raise typer.Exit(0 if summary.survived == 0 else 1)


def check_exhaustively(
    layers: list[str] | None,
    implementations: str,
    dtype: str,
    stride: int,
    as_json: bool,
) -> NoReturn:
    """Try every float32; and print what is known at the end, or when a signal comes."""
    from gradparity.parity_tests.checking.exhaustive import LAYERS, Run
    from gradparity.reference.data.cleanup import at_end
    from gradparity.reports import running, tables
    from gradparity.reports.console import note, output, say

    chosen = choose("element-wise layer", layers or LAYERS, LAYERS)
    if "float32" not in choose("dtype", dtype.split(","), DTYPES):
        raise Unusable(f"--exhaustive tries every float32, got --dtype {dtype}")
    present, missing = running.load_present(choose_implementations(implementations))
    for sentence in missing:
        note(f"missing: {sentence}")
    run = Run(chosen, present, stride)
    shown = False

    def show() -> None:
        nonlocal shown
        if shown:
            return
        shown = True
        rows = run.rows()
        if as_json:
            print_json(exhaustive=rows)
        else:
            tables.exhaustive_table(rows).print(output)
            for table in tables.kind_tables(rows):
                table.print(output)
            say(tables.EXHAUSTIVE_LEGEND)
            for sentence in tables.exhaustive_sentences(rows):
                say(sentence)
            for layer in chosen[len({row.layer for row in rows}) :]:
                say(f"{layer}: not tried")
        sys.stdout.flush()  # a signal ends the program without doing so

    with at_end(show):
        running.exhaust(run)
    raise typer.Exit(1 if any(row.failed for row in run.rows()) else 0)


@app.command()
def train(
    implementations: Implementations = None,
    dtype: Dtypes = "float64,float32",
    dataset: DatasetName = "auto",
    data_dir: DataDir = None,
    steps: Steps = 10_000,
    batch_size: BatchSize = 100,
    learning_rate: LearningRate = 0.1,
    seed: Seed = 0,
    forensics: Annotated[
        bool,
        Option(
            "--forensics",
            help="Also find the first step that parts each from the reference, and why.",
        ),
    ] = False,
    checkpoint: Annotated[
        Path | None,
        Option(
            metavar="DIR",
            help="Save the state there at every hundredth of the run, so that it can be "
            "resumed.",
        ),
    ] = None,
    checkpoint_every: Annotated[
        int | None, Option(min=1, help="Save it after every so many steps as well.")
    ] = None,
    resume: Annotated[
        bool, Option("--resume", help="Go on from what is saved in --checkpoint.")
    ] = False,
    save: Annotated[
        Path | None,
        Option(
            metavar="DIR",
            help="Write the trained parameters there, in a safetensors file for each.",
        ),
    ] = None,
    seeds: Seeds = None,
    jobs: TrainJobs = None,
    as_json: AsJson = False,
) -> None:
    """Train every implementation side by side, on the same mini-batches."""
    from gradparity.parity_tests.training.run import Plan, disagreements, unexplained
    from gradparity.reports import running, tables, writing
    from gradparity.reports import trainings as said
    from gradparity.reports.console import note, output, say

    dtypes = choose("dtype", dtype.split(","), DTYPES)
    names = choose_implementations(implementations, outsiders=True)
    check_rate(learning_rate)
    if checkpoint is None and (resume or checkpoint_every):
        raise Unusable("--resume and --checkpoint-every go with --checkpoint")
    if seeds is not None and (forensics or checkpoint or save):
        raise Unusable("--seeds goes without --forensics, --checkpoint and --save")
    if (jobs or 1) > 1 and (checkpoint or save):
        raise Unusable("--jobs goes without --checkpoint and --save")
    if resume and forensics:
        raise Unusable("--forensics looks at every step: leave --resume out")
    for option, folder in (("--checkpoint", checkpoint), ("--save", save)):
        if folder is not None:
            writing.check_writable(option, folder)
    data = load_dataset(dataset, data_dir)
    plan = Plan.of(data, steps, batch_size, learning_rate, seed, checkpoint_every)
    if seeds is not None:
        train_seeds(plan, seeds, dtypes, names, jobs, as_json)
    checkpoints = open_checkpoints(checkpoint, plan, resume) if checkpoint else None
    trained = running.train(plan, dtypes, names, forensics, checkpoints, jobs=jobs)
    trainings = trained.trainings
    if save is not None:
        save_parameters(save, trained.networks)
    wrong = disagreements(trainings, len(data.t_test))
    wrong += unexplained(trained.partings)
    if as_json:
        found = {"partings": trained.partings, "together": trained.together}
        print_json(training=trainings, **(found if forensics else {}))
    else:
        for name in dtypes:
            is_mnist = data.name == "mnist"
            tables.accuracy_table(trainings, name, is_mnist).print(output)
        tables.training_table(trainings).print(output)
        for table in said.outcome_tables(trainings):
            table.print(output)
        for table in said.parting_tables(trained.partings):
            table.print(output)
        for sentence in said.parting_sentences(trained.partings, trained.together):
            say(sentence)
        for sentence in trained.missing:
            note(f"missing: {sentence}")
        agreed = tables.training_sentence(trainings, len(data.t_test))
        for sentence in filter(None, wrong or [agreed]):
            say(sentence)
    raise typer.Exit(1 if wrong else 0)


def train_seeds(
    plan: "Plan",
    count: int,
    dtypes: list[str],
    names: list[str],
    jobs: int | None,
    as_json: bool,
) -> NoReturn:
    """`train --seeds`: the same from several seeds, compared in pairs."""
    from gradparity.parity_tests.training.seeds import bands, paired
    from gradparity.reports import running, tables
    from gradparity.reports import trainings as said
    from gradparity.reports.console import note, output, say

    tests = len(plan.dataset.t_test)
    trainings, missing = running.train_seeds(plan, count, dtypes, names, jobs=jobs)
    pairs = paired(trainings, tests)
    wrong = [sentence for row in pairs for sentence in row.disagreements]
    if as_json:
        print_json(training=trainings, seeds=pairs)
    else:
        if plan.dataset.name == "mnist":
            for table in said.band_tables(list(bands(trainings))):
                table.print(output)
        if pairs:
            said.paired_table(pairs).print(output)
            say(said.PAIRED_LEGEND)
        for sentence in missing:
            note(f"missing: {sentence}")
        agreed = tables.training_sentence(trainings, tests)
        for sentence in filter(None, wrong or [agreed]):
            say(sentence)
    raise typer.Exit(1 if wrong else 0)


@app.command()
def report(
    output: Annotated[
        Path,
        Option(help="The directory to write; an earlier report there is replaced."),
    ] = Path("gradparity-report"),
    implementations: Everything = "all",
    dtype: Dtypes = "float64,float32",
    dataset: DatasetName = "auto",
    data_dir: DataDir = None,
    steps: Steps = 10_000,
    batch_size: BatchSize = 100,
    learning_rate: LearningRate = 0.1,
    seed: Seed = 0,
    seeds: Seeds = None,
    exhaustive: Annotated[
        bool,
        Option(
            "--exhaustive",
            help="Also try every float32 on the element-wise layers: a quarter of an "
            "hour more.",
        ),
    ] = False,
    bench: Annotated[
        bool,
        Option(
            "--bench", help="Also measure how fast it is, as `gradparity bench` does."
        ),
    ] = False,
    jobs: Jobs = None,
) -> None:
    """All of it, written to a directory: results.json, report.md, report.html, figures."""
    from gradparity.parity_tests.processes import parallel
    from gradparity.parity_tests.training.run import Plan
    from gradparity.reports import running, tables, writing
    from gradparity.reports.console import say, working

    dtypes = choose("dtype", dtype.split(","), DTYPES)
    names = choose_implementations(implementations, outsiders=True)
    check_rate(learning_rate)
    target = writing.check_target(output)
    with parallel.sharing(load_dataset(dataset, data_dir)) as data:
        plan = Plan.of(data, steps, batch_size, learning_rate, seed)
        info = describe_dataset(data)
        mnist = data.name == "mnist"  # of which the part "report" times another
        parts = [part for part in BENCH_PARTS if mnist or part != "report"]
        timed = tuple(parts) if bench else ()
        results = running.report(
            *(plan, info, dtypes, names, exhaustive, seeds or 0),
            jobs=jobs,
            bench=timed,
            data_dir=data_dir,
        )
        with working("Drawing and writing"):
            writing.write(results, data, target)
    say(tables.headline(results))
    say(str(output / "report.html"), is_path=True)
    raise typer.Exit(1 if tables.problems(results) else 0)


@app.command()
def explain(
    topic: Annotated[
        str | None,
        Argument(
            metavar="TOPIC",
            help=f"{', '.join(TOPICS)}; or a function of your own, module:function or "
            "file.py:function, or one for PyTorch and one for JAX with a comma between.",
        ),
    ] = None,
    every: Annotated[
        bool, Option("--all", help="All topics in both languages, as a site.")
    ] = False,
    kind: Annotated[
        str | None,
        Option(
            "--format",
            metavar="text|md|html|ipynb",
            help="[default: what --output ends in, else text]",
        ),
    ] = None,
    output: Annotated[
        Path | None, Option(help="The file to write; with --all the directory.")
    ] = None,
    lang: Annotated[str, Option(metavar="en|ja", help="The language.")] = "en",
    given: Annotated[
        list[str] | None,
        Option(
            "--input",
            metavar="NAME=VALUE",
            help="Numbers of your own, x=[1,-2] or x=values.npy; for each input once.",
        ),
    ] = None,
    dtype: Annotated[str, Option(metavar="NAME", help="float32 or float64.")] = (
        "float32"
    ),
    dataset: Annotated[
        str, Option(metavar="auto|mnist|digits", help="What `training` trains on.")
    ] = "digits",
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Show what NumPy by hand, PyTorch and JAX do under the hood, on the same numbers."""
    choose("language", [lang], ("en", "ja"))
    choose("dtype", [dtype], DTYPES)
    if every:
        if topic or kind or given or as_json or output is None:
            raise Unusable(
                "--all needs --output DIR, and goes without a topic, "
                "--format, --input and --json"
            )
        explain_all(output, load_dataset(dataset, data_dir), dtype)
        return
    if topic is None:
        raise Unusable(f"expected a topic, {', '.join(TOPICS)}, or --all")
    if ":" not in topic:
        choose("topic", [topic], TOPICS)
    if output is not None and kind is None:
        kind = {".md": "md", ".html": "html", ".ipynb": "ipynb"}.get(output.suffix)
    (kind,) = choose("format", [kind or "text"], ("text", "md", "html", "ipynb"))
    from gradparity.reports import writing
    from gradparity.reports.console import working
    from gradparity.reports.explain import making
    from gradparity.reports.explain import output as placing

    if output is not None:
        if not output.parent.is_dir():
            raise Unusable(f"--output: there is no folder {output.parent}")
        writing.check_writable("--output", output.parent)
    inputs = making.parse_inputs(given or [], dtype)
    data = load_dataset(dataset, data_dir) if topic == "training" else None
    with working("Running and looking"):
        page = making.run(topic, inputs, dtype, data)(lang)
    command = " ".join(
        ["gradparity explain", topic, *(f"--input {g}" for g in given or [])]
    )
    if as_json:
        print_json(**making.plain(page.facts()))
    elif output is None:
        placing.show(page, kind, command)
    else:
        placing.save(page, kind, output, command)


def explain_all(output: Path, data: "Dataset", dtype: str) -> None:
    """`explain --all`: the site."""
    from gradparity.reports import writing
    from gradparity.reports.console import bar, say
    from gradparity.reports.explain import output as placing

    target = writing.check_target(output, placing.MARK, "site")
    with bar("Making pages", 2 * len(TOPICS)) as advance:
        placing.write_site(target, data, dtype, advance)
    say(str(output / "index.html"), is_path=True)


@app.command()
def grade(
    path: Annotated[
        Path,
        Argument(
            help="A file, a folder with layers.py or the like, or a folder of "
            "submissions: a class."
        ),
    ],
    html: Annotated[
        Path | None,
        Option(
            metavar="PATH",
            help="Also write a page to hand back there; for a class a directory with a "
            "page for each and index.html.",
        ),
    ] = None,
    csv: Annotated[
        Path | None,
        Option(metavar="FILE", help="Also write a row for each submission there."),
    ] = None,
    time_limit: Annotated[
        int,
        Option(min=1, max=86_400, metavar="SECONDS", help="For each submission."),
    ] = 30,
    jobs: Annotated[
        int | None,
        Option(
            min=1,
            help="Submissions at a time.  [default: the number of processors]",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Grade somebody else's layers, each submission in a process of its own, and name
    the mistakes.
    """
    from gradparity.parity_tests.grading import grade as grading
    from gradparity.parity_tests.grading import launching
    from gradparity.reports import grade_page, grades
    from gradparity.reports.console import bar, note

    try:
        paths, is_class = grading.submissions(path), grading.is_class(path)
    except grading.Unusable as error:  # which names somebody else's file
        raise Unusable(grades.visible(str(error))) from error
    if csv is not None:
        grades.check_csv(csv)
        if html is not None and html.resolve() == csv.resolve():
            raise Unusable(f"--html and --csv cannot both be {html}")
    if html is not None:
        grade_page.check_target(html, is_class)
    for sentence in launching.lacking_here():
        note(f"warning: on this system {sentence}")
    limits = grading.Limits(seconds=time_limit)
    files = []
    with bar("Grading", len(paths)) as advance:
        for graded in grading.grade_all(paths, jobs or os.cpu_count() or 1, limits):
            files.append(graded)
            advance()
    if html is not None:
        grade_page.write(html, files, path.resolve().name if is_class else None)
    if csv is not None:
        grades.write_csv(csv, files)
    status = grades.exit_status(files, is_class)
    if as_json:
        print_json(files=grades.plain(files))
    elif is_class:
        grades.show_all(files)
    elif status != 2:
        grades.show(files[0])
    if not as_json:
        grades.show_places(path for path in (csv, html) if path is not None)
    if status == 2:
        raise Unusable(grades.cannot_be_loaded(files[0]))
    raise typer.Exit(status)


@app.command()
def compare(
    a: Annotated[Path, Argument(help="The earlier results.json, or its directory.")],
    b: Annotated[Path, Argument(help="The later one.")],
    as_json: AsJson = False,
) -> None:
    """Tell what changed between two runs. Exit status 1 if a verdict became FAIL."""
    from gradparity.reports import compare as comparing
    from gradparity.reports.console import output, say
    from gradparity.reports.results import Results

    found = comparing.compare(Results.read(a), Results.read(b))
    if as_json:
        print_json(**found)
    else:
        for table in comparing.tables(found):
            table.print(output)
        counts = ", ".join(f"{heading} {len(rows)}" for heading, rows in found.items())
        say(f"Changed: {counts}.")
    worse = any(row["after"] == "FAIL" for row in found["verdicts"])
    raise typer.Exit(1 if worse else 0)


@app.command()
def bench(
    parts: Annotated[
        list[str] | None,
        Argument(metavar="PART", help=f"{', '.join(BENCH_PARTS)}; by default all."),
    ] = None,
    rounds: Annotated[
        int, Option(min=3, help="How often each is timed; medians are shown.")
    ] = ROUNDS,
    data_dir: DataDir = None,
    figure: Annotated[
        Path | None,
        Option(metavar="FILE.svg", help="Also draw the part sweep there."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure how fast it is: against the floor, and against what users would write.

    All of it takes ten minutes. The sweep takes a third of the rounds, but three at least,
    `check` two of them, the report one.
    """
    chosen = choose("part", parts or [*BENCH_PARTS], BENCH_PARTS)
    if data_dir is not None and "report" not in chosen:
        raise Unusable(f"--data-dir is for the part report, got {', '.join(chosen)}")
    if figure is not None:
        check_picture(figure, chosen)
    from gradparity.reports import benches, running
    from gradparity.reports.console import output, say
    from gradparity.reports.environment import describe

    found = running.measure(chosen, rounds, data_dir)
    if as_json:
        print_json(
            rows=found.rows,
            ratios={ratio.name: ratio.value for ratio in found.ratios},
            limits=found.ratios,
            missing=found.missing,
            environment=describe(),
        )
    else:
        for table, under in benches.parts(found):
            table.print(output)
            if under or output.is_terminal:
                say(f"{under}\n" if under else "")
        for sentence in [*benches.sentences(found), benches.machine(describe())]:
            say(sentence)
    if figure is not None:
        draw_sweep(found, figure)
        if not as_json:
            say(str(figure), is_path=True)


def check_picture(figure: Path, parts: list[str]) -> None:
    """Raise, before anything is measured, if the sweep cannot be drawn there."""
    from gradparity.reports.writing import check_file

    if "sweep" not in parts:
        raise Unusable(f"--figure draws the part sweep, got {', '.join(parts)}")
    if figure.suffix != ".svg":
        raise Unusable(f"--figure must name an .svg file, got {figure}")
    check_file("--figure", figure, "<svg", "picture")


def draw_sweep(found: "Bench", path: Path) -> None:
    """Write the picture of the sweep."""
    from gradparity.reports.speed import speed  # matplotlib takes its time
    from gradparity.reports.writing import write_file

    drawn = speed(found)
    if drawn is None:
        raise Unusable("--figure: there are no two sizes to draw a line through")
    write_file(path, drawn.svg)


data_app = typer.Typer(
    help="The data sets: where they are looked for, fetching, verifying.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(data_app, name="data")


@data_app.command()
def where(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Show every place where MNIST is looked for, in order, and what is there."""
    list_files(data_dir, as_json, ["place", "folder", "file", "status"])


@data_app.command()
def verify(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Check MNIST's files by their checksums. Exit status 1 if one is damaged."""
    rows = list_files(data_dir, as_json, ["file", "status", "sha256", "detail"])
    raise typer.Exit(1 if any(row["status"] == "damaged" for row in rows) else 0)


@data_app.command()
def fetch() -> None:
    """Download MNIST into the user cache, where it is not there already."""
    from gradparity.reference.datasets import fetch_mnist
    from gradparity.reports.console import download_bars, say

    with download_bars() as progress:
        folder = fetch_mnist(progress=progress, connect_timeout=10.0)
    say(f"MNIST is in {folder}")


@app.command()
def env(as_json: AsJson = False) -> None:
    """Show versions, threads and the switches that change arithmetic."""
    from gradparity.reports.console import output
    from gradparity.reports.environment import describe
    from gradparity.reports.tables import environment_table

    environment = describe()
    if as_json:
        print_json(**dict(environment))
    else:
        environment_table(environment).print(output)


def choose(what: str, names: list[str], valid: Any, *more: str) -> list[str]:
    """The names, each once, or `Unusable` with a list of the valid ones, and of `more`
    that would have been one.
    """
    for name in names:
        if name not in valid:
            expected = ", ".join([*valid, *more])
            raise Unusable(f"unknown {what} {name!r}: expected {expected}")
    return list(dict.fromkeys(names))


def choose_implementations(names: str | None, *, outsiders: bool = False) -> list[str]:
    """The implementations; where there is training, the outsiders too.

    None are the three and what installed packages announce. Modules and files of
    somebody's own are loaded here, and not later in threads: what is unusable is refused
    at once, and no two import the same framework at the same time.
    """
    from gradparity.parity_tests.checking.values import try_load
    from gradparity.parity_tests.implementations.registry import (
        IMPLEMENTATIONS,
        OUTSIDERS,
    )
    from gradparity.parity_tests.implementations.user_supplied import announced, is_own
    from gradparity.reports.console import note

    valid = [*IMPLEMENTATIONS, *announced(), *(OUTSIDERS if outsiders else ())]
    wanted = [*THREE.split(","), *announced()] if names is None else names.split(",")
    wanted = valid if names == "all" else wanted
    brought = [name for name in wanted if is_own(name)]
    for name in brought:
        loaded = try_load(name)
        for helper in getattr(loaded, "helpers", ()):
            note(
                f"{name}: {helper} is no layer: nobody can tell how to differentiate it"
            )
    places = "package.module or path/to/file.py"
    return choose("implementation", wanted, dict.fromkeys([*valid, *brought]), places)


def check_rate(learning_rate: float) -> None:
    if not 0 < learning_rate < float("inf"):
        raise Unusable(
            f"--learning-rate must be a positive number, got {learning_rate}"
        )


def open_checkpoints(folder: Path, plan: "Plan", resume: bool) -> "Checkpoints":
    """To save the trainings in, and to resume them from."""
    from gradparity.parity_tests.training.checkpoints import Checkpoints
    from gradparity.reports.console import note
    from gradparity.reports.environment import describe

    software = describe().model_dump(exclude_unset=True)
    for name, number in software.pop("threads").items():
        software[f"{name} threads"] = number
    software |= software.pop("switches")
    software.pop("announced", None)  # does not change what the others compute
    return Checkpoints.open(folder, plan, resume, software, note)


def save_parameters(folder: Path, networks: "dict[str, Trained]") -> None:
    """What all trainings end with, by dtype."""
    from gradparity.reference.networks import parameters

    folder.mkdir(parents=True, exist_ok=True)
    for dtype, trained in networks.items():
        for name, (_, trajectory) in trained.items():
            path = folder / f"{name}-{dtype}.safetensors"
            parameters.save(path, trajectory.params[-1])


def load_dataset(name: str, data_dir: Path | None) -> "Dataset":
    """The data set; says on standard error which one it is, and why."""
    from gradparity.reference.datasets import load
    from gradparity.reports.console import download_bars, note

    choose("data set", [name], DATASETS)
    with download_bars() as progress:
        data = load(name, data_dir=data_dir, progress=progress)
    note(f"data set: {data.name}. {data.why}")
    return data


def describe_dataset(data: "Dataset") -> "DatasetInfo":
    """What the report says of it. MNIST is known by its checksums, not by its folder."""
    from gradparity.reports.results import DatasetInfo

    is_mnist = data.name == "mnist"
    return DatasetInfo(
        name=data.name,
        source="its four files, each with the right SHA-256"
        if is_mnist
        else data.source,
        why="" if is_mnist else data.why,
        sha256=data.sha256,
        train=len(data.t_train),
        test=len(data.t_test),
    )


def list_files(
    data_dir: Path | None, as_json: bool, columns: list[str]
) -> list[dict[str, Any]]:
    """Print the state of MNIST's files in every place, in a table with these columns."""
    from gradparity.reference.datasets import verify_mnist
    from gradparity.reports.console import output
    from gradparity.reports.tables import Table

    rows = [
        {
            "place": status.place.how,
            "folder": str(status.place.folder),
            "file": status.file,
            "status": status.status,
            "sha256": status.sha256,
            "detail": status.detail,
        }
        for status in verify_mnist(data_dir)
    ]
    if as_json:
        print_json(files=rows)
    else:
        cells = [[str(row[column] or "") for column in columns] for row in rows]
        Table("MNIST", columns, cells).print(output)
    return rows


def print_json(**fields: Any) -> None:
    """One JSON object on standard output; infinity and NaN are strings in it."""
    from pydantic_core import to_json

    found = json.loads(to_json(fields, inf_nan_mode="strings"))
    sys.stdout.write(json.dumps(found) + "\n")


def main() -> None:
    """Run the command; every refusal is one sentence on standard error."""
    # Every refusal of bad input is an exception, and JAX takes its time over each
    # traceback to shorten it.
    os.environ.setdefault("JAX_TRACEBACK_FILTERING", "off")
    for name, value in WAITING.items():
        os.environ.setdefault(name, value)
    keep_memory()
    # An import makes many objects and hardly any garbage: PyTorch's and JAX's take a
    # fifth longer when it is looked for after every 700 of them.
    gc.set_threshold(100_000, 10, 10)
    try:
        app()
    except Exception as error:
        if not is_refusal(error):
            raise
        print(f"gradparity: {error}", file=sys.stderr)
        sys.exit(2)
    finally:
        # What PyTorch and JAX are made of need not be searched for garbage at the end:
        # that would take more than half a second.
        gc.freeze()


def is_refusal(error: Exception) -> bool:
    """Whether an exception is about the call, its input or the machine, and not a defect
    of ours.
    """
    from gradparity.parity_tests.implementations.user_supplied import (
        UnusableImplementation,
    )
    from gradparity.parity_tests.training.checkpoints import CheckpointError
    from gradparity.parity_tests.training.run import TrainingDiverged
    from gradparity.reference.datasets import DatasetError
    from gradparity.reports.explain.making import UnusableInput
    from gradparity.reports.explain.own import UnusableFunction
    from gradparity.reports.results import UnreadableResults
    from gradparity.reports.writing import UnusableTarget

    refusals = (
        Unusable,
        UnusableFunction,
        UnusableImplementation,
        UnusableInput,
        CheckpointError,
        DatasetError,
        TrainingDiverged,
        UnreadableResults,
        UnusableTarget,
        OSError,
        MemoryError,
    )
    return isinstance(error, refusals)
