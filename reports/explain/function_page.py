"""The page of somebody's own functions: NumPy with gradients by hand, PyTorch or JAX.

There is no reference to hold them against and nobody has written words for them; what can
be seen without is shown: whether they are the same, the graph, what runs in each, and all
of it side by side. What runs, and what of it is the same, `parity_tests.functions` says.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from importlib.util import find_spec
from typing import Any

import numpy as np

from gradparity.parity_tests.functions import UnusableFunction, UnusableInput, inputs
from gradparity.parity_tests.functions.calling import prepare
from gradparity.parity_tests.functions.comparison import compare_functions
from gradparity.parity_tests.functions.inputs import Given, in_floats
from gradparity.parity_tests.functions.programs import Executed
from gradparity.parity_tests.functions.surroundings import of_values, reached
from gradparity.parity_tests.functions.targets import Target, load_all
from gradparity.parity_tests.functions.trees import Setting, named
from gradparity.reports.explain import agreement, blocks
from gradparity.reports.explain.aligned import PHASES, Total
from gradparity.reports.explain.layer_page import (
    jaxprs,
    nodes_grid,
    programs,
    saved_grid,
)
from gradparity.reports.explain.recorded import Hooded, Part
from gradparity.reports.explain.together import Column, rows, same_steps
from gradparity.reports.explain.walk import tidy
from gradparity.reports.explain.wording import ui

BOTH = ("torch", "jax")
LABELS = {"numpy": "NumPy", "torch": "PyTorch", "jax": "JAX"}


class FunctionRun:
    """Functions on the same inputs: what ran, and whether they are the same."""

    def __init__(
        self, targets: str, given: Mapping[str, Any], dtype: str = "float32"
    ) -> None:
        """
        Args:
            targets: `module:function` or `file.py:function`, with commas between several.
            given: inputs by name, as arrays, or as `functions.inputs.parse` returns them.
            dtype: "float32" or "float64", in which they are shown.

        Raises `UnusableFunction` or `UnusableInput`.
        """
        self.targets, self.dtype = targets, dtype
        loaded = load_all([text.strip() for text in targets.split(",")])
        self.given = inputs.with_examples(loaded, inputs.of(given))
        if len(loaded) == 1:
            loaded = in_frameworks(loaded[0], self.given)
        self.found = compare_functions(loaded, self.given, [dtype])
        names, frameworks = self.found.names, self.found.frameworks
        told_apart = len({*frameworks.values()}) == len(names)
        self.parts = [
            Part(
                frameworks[name] if told_apart else name,
                name,
                labelled(name, frameworks[name]),
                self.found.ran[name, dtype],
            )
            for name in names
        ]

    @property
    def several(self) -> bool:
        """Whether there is anything to compare."""
        return len(self.parts) > 1

    @property
    def same(self) -> bool:
        """Whether all of them are the same function; one alone is."""
        return self.found.same if self.several else True

    def answer(self, lang: str) -> str:
        """Whether they are the same, in a sentence; "" of one alone."""
        return agreement.answer(self.found, lang) if self.several else ""

    @cached_property
    def columns(self) -> list[Column]:
        return [Column(part, self.found.judged[part.name]) for part in self.parts]

    def code(self, name: str, step: Executed) -> str:
        """A step of a run in float64 as it is written in the run that is shown."""
        (part,) = (each for each in self.parts if each.name == name)
        wide = replace(part, ran=self.found.ran[name, "float64"])
        own = same_steps(wide.recording, part.recording).get(step.number)
        if own is None:
            return wide.code(step)
        return part.code(part.recording.executed[own])

    @property
    def inputs(self) -> dict[str, Any]:
        """What was given, as the functions took it."""
        taken: dict[str, np.ndarray] = {}
        for part in self.parts:
            call = part.ran.call
            taken |= zip(call.names, call.leaves, strict=True)

        def convert(path: str, end: Any) -> Any:
            if isinstance(end, Setting):
                return end.value
            return taken[path] if path in taken else in_floats(end)

        return {name: named(g.tree, convert, name) for name, g in self.given.items()}

    def facts(self) -> dict[str, Any]:
        """What was seen, for machines."""
        found: dict[str, Any] = {"topic": self.targets}
        if self.several:
            found |= {"same": self.same, "answer": self.answer("en")}
        return found | {
            "inputs": self.inputs,
            "dtype": self.dtype,
            "implementations": {part.key: part.facts() for part in self.parts},
        }


def labelled(name: str, framework: str) -> str:
    """`in_torch (PyTorch)`."""
    label = f" ({LABELS[framework]})"
    return name.removesuffix(label) + label


def in_frameworks(target: Target, given: Mapping[str, Given]) -> list[Target]:
    """A function that names no framework in each of those that it runs in; any other as
    it is.
    """
    if target.kind != "differentiated" or of_values(reached(target.function)):
        return [target]
    found = []
    for name in filter(find_spec, BOTH):
        each = replace(target.written_in(name), name=f"{target.name} ({LABELS[name]})")
        try:
            prepare([each], given)
        except (UnusableFunction, UnusableInput):
            continue
        found.append(each)
    return found or [target]


def build(run: FunctionRun, lang: str) -> blocks.Page:
    """The page in one language."""
    said = ui(lang)
    sections = [
        blocks.Section("graph", said["sections"]["graph"], [*pictures(run, said)]),
        *(
            blocks.Section(anchor(n, run), titled(part, run), [*shown(part, said)])
            for n, part in enumerate(run.parts)
        ),
        blocks.Section(
            "aligned", said["compared"]["aligned"], [side_by_side(run, said)]
        ),
    ]
    if run.several:
        found = [*agreement.shown(run.found, run.code, lang)]
        sections.insert(0, blocks.Section("agree", said["sections"]["agree"], found))
    return blocks.Page(
        run.parts[0].name,
        lang,
        ", ".join(part.name for part in run.parts) if run.several else run.targets,
        said["own_summary"],
        sections,
        run.facts,
        run.answer(lang),
        run.same,
    )


def anchor(number: int, run: FunctionRun) -> str:
    """What the section of a function is called: its framework, where that tells."""
    part = run.parts[number]
    return part.framework if part.key == part.framework else f"function-{number + 1}"


def titled(part: Part, run: FunctionRun) -> str:
    return part.label if run.several else LABELS[part.framework]


def pictures(run: FunctionRun, said: Mapping[str, Any]) -> Iterator[blocks.Block]:
    """The graph of each function, under its name."""
    for number, part in enumerate(run.parts, 1):
        title = said["graph_of"].format(part.label if run.several else part.name)
        name = "own" if number == 1 else f"own-{number}"
        yield blocks.Picture(name, title, part.graph)
        if part.drawn_output:
            text = said["compared"]["drawn"].format(part.drawn_output)
            yield blocks.Prose(agreement.literal(text))


def shown(part: Part, said: Mapping[str, Any]) -> Iterator[blocks.Block]:
    """What ran, and what else its framework has to show."""
    hooded, words = part.hooded, said["compared"]
    if isinstance(hooded, str):
        yield blocks.Prose(said["missing"].format(agreement.literal(hooded)))
    if isinstance(hooded, Hooded):
        if part.framework == "torch":
            yield nodes_grid(hooded.more["nodes"], said)
        else:
            yield from jaxprs(hooded.more["jaxprs"], said)
        yield saved_grid(hooded.kept, said)
    for phase in PHASES:
        steps = part.steps(phase)
        listed = [
            [str(number), step["code"], step["where"], result(step["value"])]
            for number, step in enumerate(steps, 1)
        ]
        title = words[f"{phase}_steps"]
        if listed:
            yield blocks.Grid(title, words["step_heads"], listed, code=(1,))
    if isinstance(hooded, Hooded) and part.framework == "jax":
        yield from programs(hooded.more["compiled"], said)


def result(value: np.ndarray | None) -> str:
    return "" if value is None else tidy(value)


def side_by_side(run: FunctionRun, said: Mapping[str, Any]) -> blocks.Aligned:
    """All of them, step by step; the order is that of the first."""
    words = said["compared"]
    totals = {
        part.key: (Total.of(part.hooded.kept), None)
        for part in run.parts
        if isinstance(part.hooded, Hooded)
    }
    return blocks.Aligned(
        said["aligned"]["title"],
        [part.key for part in run.parts],
        rows(run.columns, words["only"]),
        totals,
        {part.key: titled(part, run) for part in run.parts},
        words["note" if run.several else "note_one"],
    )
