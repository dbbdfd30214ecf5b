"""Puts a topic's page together: what was seen, and what there is to say about it.

A function for each section; each gives blocks, and none knows how they are written.
"""

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from types import SimpleNamespace
from typing import Any, Self

import numpy as np

from gradparity.parity_tests import DTYPES
from gradparity.parity_tests.checking.values import Run
from gradparity.parity_tests.measuring.records import Check, Divergence, Summary
from gradparity.parity_tests.mutants import MUTANTS, Mutant
from gradparity.reports.explain import aligned, blocks, wording
from gradparity.reports.explain.observing import (
    Given,
    Look,
    Seen,
    drawn,
    facts,
    look,
    there,
)
from gradparity.reports.explain.topics import Example, Topic
from gradparity.reports.explain.walk import tidy
from gradparity.reports.explain.wording import Words, ui
from gradparity.reports.tables.documented import joined, shorten
from gradparity.reports.tables.gradients import KINDS, gradient_tables

Arrays = dict[str, np.ndarray]
Said = Mapping[str, Any]  # what all pages of a language share
THREE = ("reference", "torch", "jax")
LISTED = 12  # numbers of an array that a listing writes out


@dataclass(frozen=True, eq=False)
class LayerRun:
    """A topic's examples as they ran, and what `check` says of its layers. All that a
    page tells comes from here, in whatever language.
    """

    topic: Topic
    given: Sequence[Given]
    looks: Sequence[Look]
    checks: list[Check]
    divergences: Sequence[Divergence]
    large: Given | None = None  # a network on a mini-batch of MNIST's size
    look_large: Look | None = None

    @classmethod
    def of(cls, topic: Topic, given: Sequence[Given]) -> Self:
        """Run it."""
        run = Run(topic.layers, DTYPES, THREE)
        checks: list[Check] = []
        large = [at_scale(*one) for one in given if one[0].function == "loss"]
        looks = look(given, large, lambda: checks.extend(chain(*run)))
        extra = (large[0], looks.pop()) if large else ()
        return cls(topic, given, looks, checks, run.divergences(), *extra)

    @property
    def main(self) -> int:
        """The example that the words are about."""
        return min(self.topic.main, len(self.given) - 1)

    def reference(self, index: int) -> Seen:
        """What was seen of the reference on an example: it is always there."""
        found = self.looks[index]["reference"]
        assert isinstance(found, Seen)
        return found

    def facts(self) -> dict[str, Any]:
        """What was seen, for machines."""
        examples = [
            {
                "name": example.name,
                "inputs": inputs,
                "dout": dout,
                "implementations": facts(seen),
            }
            for (example, inputs, dout), seen in zip(
                self.given, self.looks, strict=True
            )
        ]
        return {"topic": self.topic.name, "examples": examples}

    def numbers(self) -> dict[str, Any]:
        """The names that the words may use."""
        _, inputs, dout = self.given[self.main]
        reference = self.reference(self.main)
        found = aligned.totals(there(self.looks[self.main]))
        kept = {n: found[n][0].extra if n in found else None for n in THREE}
        scaled: dict[str, int | None] = dict.fromkeys(THREE)
        scaled |= {n: t.extra for n, (_, t) in found.items() if t is not None}
        return {
            **inputs,
            **reference.gradients,
            "dout": dout,
            "out": reference.out,
            "kept": SimpleNamespace(**kept),
            "scaled": SimpleNamespace(**scaled),
        }


def build(run: LayerRun, lang: str) -> blocks.Page:
    """The page of a topic in one language."""
    numbers, said = run.numbers(), ui(lang)
    text = wording.read(run.topic.name, lang, numbers)
    parts: Mapping[str, list[blocks.Block]] = {
        "idea": [
            *text.blocks("idea"),
            blocks.Heading(said["derivation"]),
            *text.blocks("derivation"),
        ],
        "graph": [*text.blocks("graph"), *graphs(run, said)],
        "hand": [*text.blocks("hand"), *listings(run, said)],
        "torch": [*text.blocks("torch"), *each(run, said, "torch", torch_blocks)],
        "jax": [*text.blocks("jax"), *each(run, said, "jax", jax_blocks)],
        "aligned": [*text.blocks("aligned"), *alignments(run, said), *tape(run, said)],
        "agree": [*text.blocks("agree"), *parity(run, lang)],
        "try": exercises(run, said, text, numbers),
    }
    sections = [blocks.Section(k, said["sections"][k], v) for k, v in parts.items()]
    return blocks.Page(
        run.topic.name, lang, text.title, text.summary, sections, run.facts
    )


def headed(run: LayerRun, said: Said, index: int) -> list[blocks.Block]:
    """The example's heading, where there are several."""
    if len(run.given) == 1:
        return []
    return [blocks.Heading(said["examples"][run.given[index][0].name])]


def graphs(run: LayerRun, said: Said) -> Iterator[blocks.Block]:
    for index, (example, inputs, dout) in enumerate(run.given):
        yield from headed(run, said, index)
        title = said["graph_of"].format(said["names"][example.name])
        name = example.name.replace("_", "-")
        yield blocks.Picture(name, title, drawn(example, inputs, dout))


def listings(run: LayerRun, said: Said) -> Iterator[blocks.Block]:
    """The source of each layer that ran; that of two examples of one layer once, with
    the numbers of the main one.
    """
    main = run.reference(run.main)
    for index, _ in enumerate(run.looks):
        seen = run.reference(index)
        if seen is main or seen.more["listing"] != main.more["listing"]:
            yield from headed(run, said, index)
            yield from listing(seen, said)


def listing(seen: Seen, said: Said) -> Iterator[blocks.Block]:
    """Source as it stands, with what each line made beside it."""
    made: dict[str, list[str]] = {}
    for step in [*seen.steps["forward"], *seen.steps["backward"]]:
        for value in aligned.values(step)[:2]:
            line = said["made"].format(step["name"], written(value))
            if step["name"].startswith("return"):
                line = said["returned"].format(written(value))
            if line not in made.setdefault(step["where"], []):
                made[step["where"]].append(line)
    for part in seen.more["listing"]:
        lines = [
            (number, line, made.get(f"{part['file']}:{number}", []))
            for number, line in enumerate(part["text"].splitlines(), part["start"])
        ]
        yield blocks.Listing(f"{part['owner']} ({part['file']})", lines)


def written(value: Any) -> str:
    """An array's numbers, if they are few; else its dtype and shape."""
    value = np.asarray(value)
    return tidy(value) if value.size <= LISTED else shaped(value.dtype, value.shape)


def shaped(dtype: Any, shape: Sequence[int]) -> str:
    """`float32[2, 3]`."""
    return f"{np.dtype(dtype).name}{list(shape) if shape else ''}"


def each(run: LayerRun, said: Said, name: str, shown: Any) -> Iterator[blocks.Block]:
    """The same blocks for every example; once the reason, where a framework is missing."""
    for index, seen in enumerate(run.looks):
        found = seen[name]
        if not isinstance(found, Seen):
            yield blocks.Prose(said["missing"].format(found))
            return
        yield from headed(run, said, index)
        yield from shown(found, said)


def torch_blocks(seen: Seen, said: Said) -> Iterator[blocks.Block]:
    """The autograd graph, what it keeps, and the operators that ran."""
    yield nodes_grid(seen.more["nodes"], said)
    yield saved_grid(seen.kept, said)
    for phase in aligned.PHASES:
        steps = [s for s in seen.steps[phase] if s["owner"] != "bookkeeping"]
        yield steps_grid(said["torch"][phase], steps, said["torch"]["step_heads"])
        left_out = len(seen.steps[phase]) - len(steps)
        if left_out:
            yield blocks.Prose(said["torch"]["bookkeeping"].format(left_out))


def nodes_grid(nodes: Sequence[dict[str, Any]], said: Said) -> blocks.Grid:
    """Autograd's nodes, as `hood.autograd_nodes` returns them."""
    return blocks.Grid(
        said["torch"]["nodes"],
        said["torch"]["node_heads"],
        [
            [
                str(index),
                node["name"],
                ", ".join(map(str, node["next"] or node["inputs"])),
                ", ".join(node["saved"]),
                node["formula"] or "",
                ", ".join(
                    f"{key}={value}"
                    for key, value in node["settings"].items()
                    if "_sym_" not in key  # shapes and strides, of what is saved
                ),
            ]
            for index, node in enumerate(nodes)
        ],
        code=(1, 3, 4, 5),
    )


def steps_grid(
    title: str, steps: Sequence[dict[str, Any]], heads: Sequence[str]
) -> blocks.Grid:
    return blocks.Grid(
        title,
        heads,
        [
            [str(number), step["code"], step["owner"], first(step)]
            for number, step in enumerate(steps, 1)
        ],
        code=(1, 2),
    )


def first(step: dict[str, Any]) -> str:
    found = aligned.values(step)
    return written(found[0]) if found else ""


def saved_grid(kept: Sequence[dict[str, Any]], said: Said) -> blocks.Grid:
    """What is kept between forward and backward, as `hood.remembered` returns it."""
    total = aligned.Total.of(kept)
    rows = [
        [
            saved["name"],
            saved["owner"],
            shaped(saved["dtype"], saved["shape"]),
            str(saved["bytes"]),
            saved["same_as"],
            "" if saved.get("read", True) else said["not_read"],
            saved["where"],
        ]
        for saved in kept
    ]
    totals = [said["total"], "", "", str(total.kept), said["extra"].format(total.extra)]
    rows.append([*totals, "", ""])
    return blocks.Grid(said["kept"], said["kept_heads"], rows, code=(0, 1, 2))


def jax_blocks(seen: Seen, said: Said) -> Iterator[blocks.Block]:
    """The jaxprs, the residuals, and what XLA makes of both."""
    yield from jaxprs(seen.more["jaxprs"], said)
    yield saved_grid(seen.kept, said)
    for phase in aligned.PHASES:
        steps = seen.steps[phase]
        titles = said["jax"]["flat"]
        grid = steps_grid(titles[phase], steps, said["jax"]["step_heads"])
        yield blocks.Folded(titles[phase], [grid])
    yield from programs(seen.more["compiled"], said)


def jaxprs(found: Mapping[str, str], said: Said) -> Iterator[blocks.Block]:
    """Forward and backward as JAX prints them."""
    for phase in aligned.PHASES:
        yield blocks.Heading(said["jax"][phase])
        yield blocks.Code(found[phase], "text")


def programs(found: Mapping[str, Any], said: Said) -> Iterator[blocks.Block]:
    """What XLA makes of both, as `hood.compiled` returns it."""
    yield compiled_grid(found, said["jax"])
    fusions = [
        [said["jax"]["programs"][name], fusion["name"], ", ".join(fusion["holds"])]
        for name, program in found.items()
        for fusion in program["fusions"] or ()
    ]
    if fusions:
        yield blocks.Grid(
            said["jax"]["fusions"], said["jax"]["fusion_heads"], fusions, (1, 2)
        )
    for name, program in found.items():
        if program["text"]:
            title = said["jax"]["hlo"].format(said["jax"]["programs"][name])
            yield blocks.Folded(title, [blocks.Code(program["text"], "text")])


def compiled_grid(programs: Mapping[str, Any], said: Said) -> blocks.Grid:
    """What goes into XLA, what comes out, and what it costs."""

    def counted(found: Mapping[str, int] | None) -> str:
        if found is None:
            return said["unavailable"]
        ops = [f"{op} {n}" if n > 1 else op for op, n in found.items()]
        return f"{sum(found.values())}: {', '.join(ops)}"

    def cost(program: Mapping[str, Any], key: str) -> str:
        if program["flops"] is None:
            return said["unavailable"]
        return f"{program[key] or 0:,.0f}"  # XLA leaves out what there is none of

    rows = [
        [
            said["programs"][name],
            counted(program["before"]),
            counted(program["after"]),
            *(cost(program, key) for key in ("flops", "transcendentals", "bytes")),
        ]
        for name, program in programs.items()
    ]
    return blocks.Grid(said["compiled"], said["compiled_heads"], rows, code=(1, 2))


def alignments(run: LayerRun, said: Said) -> Iterator[blocks.Block]:
    for index, (seen, (_, inputs, _)) in enumerate(
        zip(run.looks, run.given, strict=True)
    ):
        yield from headed(run, said, index)
        yield alignment(seen, [*inputs, "dout"], run.topic.steps, said)


def alignment(
    seen: Look, given: Sequence[str], titles: Mapping[str, str], said: Said
) -> blocks.Aligned:
    """The three in one table, of those that are there."""
    base, *others = found = there(seen)
    rows = aligned.align(base, others, titles)
    rows[0].title = ", ".join(given)
    names = [each.name for each in found]
    return blocks.Aligned(said["aligned"]["title"], names, rows, aligned.totals(found))


def at_scale(example: Example, inputs: Arrays, dout: np.ndarray) -> Given:
    """The same on random numbers in the shapes of MNIST."""
    rng = np.random.default_rng(0)
    large = {
        name: rng.integers(10, size=shape)
        if name == "t"
        else rng.normal(0, 0.1, shape).astype(inputs[name].dtype)
        for name, shape in example.scaled.items()
    }
    return example, large, dout


def tape(run: LayerRun, said: Said) -> Iterator[blocks.Block]:
    """Of a network, every array of one mini-batch at MNIST's size, and who keeps it."""
    if run.large is None or run.look_large is None:
        return
    _, inputs, dout = run.large
    table = alignment(run.look_large, [*inputs, "dout"], run.topic.steps, said)
    rows = []
    for row in table.rows[1:]:
        keeps = [
            ", ".join(saved["name"] for saved in row.keeps.get(name, ()))
            for name in THREE
        ]
        for value in row.values:  # computed in float64, to tell them apart
            size = value.size * (1 if value.dtype.kind == "b" else dout.itemsize)
            shape = "×".join(map(str, value.shape))
            rows.append([row.title, shape, f"{size:,}", *keeps])
    heads = [*said["tape"]["heads"], *(said["columns"][name] for name in THREE)]
    yield blocks.Grid(said["tape"]["title"], heads, rows, code=(3, 4, 5))


def parity(run: LayerRun, lang: str) -> Iterator[blocks.Block]:
    """The rows of `check` for these layers, and their documented divergences."""
    said = ui(lang)
    for kind in KINDS:
        for table in gradient_tables(run.checks, kind, said["kinds"][kind]):
            yield blocks.Grid(table.title, table.headers, table.rows)
    yield blocks.Prose(said["legend"])
    summary = Summary.of(run.checks)
    yield blocks.Prose(said["verdicts"].format(**summary.model_dump()))
    found = joined(run.divergences)
    if found:
        yield blocks.Heading(said["divergences"])
        for row in found:
            yield divergence(row, lang)


def divergence(row: Divergence, lang: str) -> blocks.Prose:
    """A documented divergence in a paragraph."""
    said, known = ui(lang), wording.divergences(lang).get(row.id, {})
    returned = ", ".join(
        f"{said['columns'].get(name, name)} `{shorten(value)}`"
        for name, value in row.values.items()
        if value
    )
    source = said["measured"]
    if row.source.startswith("http"):
        source = f"[{row.source.removeprefix('https://')}]({row.source})"
    return blocks.Prose(
        said["divergence"].format(
            layer=row.layer,
            where=known.get("where", row.where),
            dtype=row.dtype,
            why=known.get("why", row.why),
            returned=returned,
            source=source,
        )
    )


def exercises(
    run: LayerRun, said: Said, text: Words, numbers: Mapping[str, Any]
) -> list[blocks.Block]:
    return [
        wording.exercise(question, numbers, list(broken(question.mistake, run, said)))
        for question in text.questions
    ]


def broken(mistake: str, run: LayerRun, said: Said) -> Iterator[blocks.Block]:
    """A layer with a mistake: its source, and its numbers beside the right ones."""
    if not mistake:
        return
    mutant = next(mutant for mutant in MUTANTS if mutant.name == mistake)
    _, inputs, dout = run.given[run.main]
    right = run.reference(run.main)
    expected = {"out": right.out, "loss": right.out, **right.gradients}
    planted = mutant.load()
    if mutant.scope == "network":
        assert planted.run_network is not None
        given = dict(inputs)
        x, t = given.pop("x"), given.pop("t")
        wrong = planted.run_network(given, x, t)
    else:
        wrong = planted.run_layer(mutant.layer, inputs, dout)
    yield blocks.Code(anonymous(mutant), "python")
    rows = [
        [name, written(value), written(expected[name])]
        for name, value in wrong.items()
        if name in expected
    ]
    yield blocks.Grid(said["wrong"], said["wrong_heads"], rows)


def anonymous(mutant: Mutant) -> str:
    """The source of a mistaken class as `MyRelu`, without its name, its decorators and
    its docstring, which would give the answer away.
    """
    tree = ast.parse(textwrap.dedent(inspect.getsource(mutant.definition)))
    node = tree.body[0]
    assert isinstance(node, ast.ClassDef)
    node.decorator_list = []
    if ast.get_docstring(node) is not None:
        node.body = node.body[1:]
    return re.sub(rf"\b{node.name}\b", f"My{mutant.layer}", ast.unparse(tree))
