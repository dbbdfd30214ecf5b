"""The page on training: the loop of four steps, with the numbers of its first rounds.

What `page` does for a layer this does for the loop: the same sections, made of the three
`training/loop.py` as they stand and of a run of their first steps on real images.
"""

import inspect
import re
from collections.abc import Iterator, Mapping
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np

from gradparity.parity_tests import DTYPES
from gradparity.parity_tests.checking.values import load_all
from gradparity.parity_tests.training.agreement import disagreements
from gradparity.parity_tests.training.plan import Plan, in_dtype
from gradparity.parity_tests.training.run import run_trainings
from gradparity.reference import hood
from gradparity.reference.datasets import Dataset
from gradparity.reference.training import SGD, train
from gradparity.reports.explain import blocks, wording
from gradparity.reports.explain.aligned import values
from gradparity.reports.explain.layer_page import THREE, Said, steps_grid, written
from gradparity.reports.explain.observing import ROOMS, torch_function
from gradparity.reports.explain.walk import tidy
from gradparity.reports.explain.wording import ui

STEPS = 3
MADE = (
    4  # values that a line of the loop is shown with: as many as there are parameters
)
LONGER = 50  # steps after which the three are compared once more
FUNCTIONS = {"reference": "train", "torch": "train", "jax": "run_steps"}
NUMBERED = re.compile(r"# (\d)\.")
DTYPE = "float32"


class TrainingRun:
    """The first steps of every implementation that is there, and what they came to."""

    def __init__(self, data: Dataset) -> None:
        self.plan = Plan.of(data, STEPS)
        self.data = in_dtype(data, DTYPE)
        self.params = {k: v.astype(DTYPE) for k, v in self.plan.params.items()}
        there, self.missing = load_all(THREE)
        self.stops = {each.name: list(self.train(each.train)) for each in there}
        self.longer = run_trainings(Plan.of(data, LONGER), DTYPES, there)

    def train(self, train: Any) -> Iterator[Any]:
        """(step, parameters, losses, None) after each of the steps."""
        data = self.data
        yield from train(
            self.params,
            (data.x_train, data.t_train),
            (data.x_test, data.t_test),
            self.plan.batches,
            self.plan.learning_rate,
            stops=range(1, STEPS + 1),
        )

    def facts(self) -> dict[str, Any]:
        """What was seen, for machines."""
        return {"topic": "training", **self.numbers()}

    def numbers(self) -> dict[str, Any]:
        """The names that the words may use."""
        steps = [
            {"step": step, "batch": batch, "loss": losses[-1]}
            for (step, _, losses, _), batch in zip(
                self.stops["reference"], self.plan.batches, strict=True
            )
        ]
        return {
            "steps": steps,
            "learning_rate": self.plan.learning_rate,
            "batch_size": self.plan.batches.shape[1],
            "train_size": len(self.data.t_train),
            "dataset": self.data.name,
        }


def build(run: TrainingRun, lang: str) -> blocks.Page:
    """The page on training in one language."""
    numbers = run.numbers()
    text = wording.read("training", lang, numbers)
    said = ui(lang)
    parts: Mapping[str, list[blocks.Block]] = {
        "idea": [
            *text.blocks("idea"),
            blocks.Heading(said["derivation"]),
            *text.blocks("derivation"),
        ],
        "graph": [
            *text.blocks("graph"),
            blocks.Loop(
                "training", said["training"]["loop"], said["training"]["steps"]
            ),
            *first_steps(run, said),
        ],
        "hand": [*text.blocks("hand"), *by_hand_blocks(run, said["made"])],
        "torch": [*text.blocks("torch"), *loop_of("torch", torch_blocks, run, said)],
        "jax": [*text.blocks("jax"), *loop_of("jax", jax_blocks, run, said)],
        "aligned": [*text.blocks("aligned"), lines_of_steps(run, said)],
        "agree": [*text.blocks("agree"), *agreement(run, said)],
        "try": [wording.exercise(q, numbers, []) for q in text.questions],
    }
    sections = [blocks.Section(k, said["sections"][k], v) for k, v in parts.items()]
    return blocks.Page("training", lang, text.title, text.summary, sections, run.facts)


def first_steps(run: TrainingRun, said: Said) -> Iterator[blocks.Grid]:
    """For each step: which images, the loss in each implementation; how far it moved."""
    names = list(run.stops)
    losses, moves = [], []
    before = run.params
    for index, batch in enumerate(run.plan.batches):
        number = str(index + 1)
        shown = ", ".join(map(str, batch[:4])) + ", …"
        found = [f"{run.stops[name][index][2][-1]:.7g}" for name in names]
        losses.append([number, shown, *found])
        after = run.stops["reference"][index][1]
        moved = [tidy(np.linalg.norm(after[k] - before[k])) for k in after]
        moves.append([number, *moved])
        before = after
    heads = [said["training"]["loss"].format(said["columns"][name]) for name in names]
    title = said["training"]["first"].format(len(losses))
    yield blocks.Grid(
        title, [said["training"]["step"], said["training"]["batch"], *heads], losses
    )
    yield blocks.Grid(
        said["training"]["moved"], [said["training"]["step"], *before], moves
    )


def by_hand_blocks(run: TrainingRun, made_by: str) -> Iterator[blocks.Block]:
    """The reference's loop and optimizer, and what their lines made in the first steps."""
    made: dict[str, list[str]] = {}

    def loop() -> None:
        for _ in run.train(train):
            pass

    for step in hood.statements(loop):
        for value in values(step):
            said = made_by.format(step["name"], written(value))
            told = made.setdefault(step["where"], [])
            if said not in told and len(told) < MADE:
                told.append(said)
    for name, function, module in (
        ("train", train, "loop"),
        ("SGD.step", SGD.step, "optimizers"),
    ):
        place = f"reference/training/{module}.py"
        source, start = inspect.getsourcelines(inspect.unwrap(function))
        lines = [
            (number, line.rstrip("\n"), made.get(f"{place}:{number}", []))
            for number, line in enumerate(source, start)
        ]
        yield blocks.Listing(f"{name} ({place})", lines)


def source_of(name: str) -> tuple[list[str], int]:
    """The lines of an implementation's loop, and the number of the first."""
    module = import_module(f"gradparity.{ROOMS[name]}.training")
    function: Any = getattr(module, FUNCTIONS[name])
    return inspect.getsourcelines(inspect.unwrap(function))


def loop_of(name: str, more: Any, run: TrainingRun, said: Said) -> list[blocks.Block]:
    """A framework's loop, and what `more` there is to see of it; or why it is not there."""
    if name in run.missing:
        return [blocks.Prose(said["missing"].format(run.missing[name]))]
    source = "".join(source_of(name)[0]).rstrip()
    return [blocks.Code(source, "python"), *more(run, said)]


def torch_blocks(run: TrainingRun, said: Said) -> Iterator[blocks.Block]:
    """Every operator of the first step."""
    found = mini_batch_steps(run)
    for phase, steps in found.items():
        steps = [step for step in steps if step["owner"] != "bookkeeping"]
        yield steps_grid(said["torch"][phase], steps, said["torch"]["step_heads"])


def mini_batch_steps(run: TrainingRun) -> dict[str, list[dict[str, Any]]]:
    """Everything that PyTorch executes for the gradient of the first step. The images
    are no input here: nobody asks for their gradient.
    """
    batch = run.plan.batches[0]
    images = import_module("torch").from_numpy(run.data.x_train[batch])
    loss = partial(torch_function("loss"), images)
    inputs = {"t": run.data.t_train[batch], **run.params}
    looks = import_module("gradparity.torch_impl.hood")
    return looks.steps(loss, inputs, np.array(1, DTYPE))


def jax_blocks(run: TrainingRun, said: Said) -> Iterator[blocks.Block]:
    """The one program that the loop becomes."""
    jax = import_module("jax")
    training = import_module("gradparity.jax_impl.training")
    run_steps = partial(training.run_steps.__wrapped__)
    data, optimizer = run.data, training.SGD(np.float32(0.1))
    program = jax.make_jaxpr(run_steps)(
        run.params, {}, data.x_train, data.t_train, run.plan.batches, optimizer
    )
    yield blocks.Heading(said["training"]["program"])
    yield blocks.Code(str(program), "text")


def lines_of_steps(run: TrainingRun, said: Said) -> blocks.Grid:
    """The four steps: the lines that are numbered so in the three sources."""
    names = list(run.stops)
    found = {name: numbered_lines(name) for name in names}
    rows = [
        [
            f"{number}. {step}",
            *("\n".join(found[name].get(number, [])) for name in names),
        ]
        for number, step in enumerate(said["training"]["steps"], 1)
    ]
    heads = [said["training"]["step"], *(said["columns"][name] for name in names)]
    columns = range(1, len(heads))
    return blocks.Grid(said["training"]["lines"], heads, rows, code=tuple(columns))


def numbered_lines(name: str) -> dict[int, list[str]]:
    """The lines of a loop by the number in their comment; those without one belong to
    the number before.
    """
    found: dict[int, list[str]] = {}
    current = 0
    for line in source_of(name)[0]:
        if mark := NUMBERED.search(line):
            current = int(mark[1])
        if current and line.strip():
            code = line.split("  #")[0].strip()
            found.setdefault(current, []).append(code)
            if current == 4:
                break
    return found


def agreement(run: TrainingRun, said: Said) -> Iterator[blocks.Block]:
    """How far the parameters are apart after a few steps and after more, in two dtypes."""
    found = run.longer
    rows = []
    for each in found:
        if each.implementation == "reference":
            continue
        at = {d.step: 0.0 for d in each.drift}
        for drift in each.drift:
            at[drift.step] = max(at[drift.step], drift.max_abs)
        first, last = min(at), max(at)
        rows.append(
            [
                said["columns"][each.implementation],
                each.dtype,
                tidy(at[first]),
                tidy(at[last]),
                str(each.test_predictions_differing),
            ]
        )
    heads = [text.format(LONGER) for text in said["training"]["apart_heads"]]
    yield blocks.Grid(said["training"]["apart"], heads, rows)
    wrong = disagreements(found, len(run.data.t_test))
    yield blocks.Prose(
        "\n".join(f"- {sentence}." for sentence in wrong) or said["training"]["agreed"]
    )
