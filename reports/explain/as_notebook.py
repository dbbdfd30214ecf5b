"""A page as a Jupyter notebook: its words, and code that makes the rest anew.

Nothing that a run produces is copied but the numbers within sentences: pictures, tables
and listings are what the cells show when they run. The code is in `templates/`
(`notebook_*.py.j2`), so that it can be read as code.
"""

import ast
import inspect
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import count, dropwhile, takewhile
from types import ModuleType
from typing import Any

import nbformat
import numpy as np
from jinja2 import Environment
from nbformat import v4

from gradparity.parity_tests.mutants import MUTANTS, Mutant
from gradparity.reports.explain import as_markdown, checks, walk
from gradparity.reports.explain.blocks import (
    Block,
    Code,
    Exercise,
    Formula,
    Heading,
    Page,
    Prose,
    Section,
)
from gradparity.reports.explain.layer_page import anonymous
from gradparity.reports.explain.observing import reference_class
from gradparity.reports.explain.topics import TOPICS
from gradparity.reports.explain.training_page import DTYPE, LONGER
from gradparity.reports.explain.wording import ui
from gradparity.reports.pages.templating import environment

LETTERS = "abcdefgh"
CELL = re.compile(r"^# %% ([\w-]+)(?:: (.*))?\n", re.MULTILINE)
NUMBERS = """numbers = {
    "batch_size": plan.batches.shape[1],
    "train_size": len(data.t_train),
    "learning_rate": plan.learning_rate,
}"""
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def render(page: Page) -> str:
    """The notebook's text."""
    notebook = v4.new_notebook(cells=list(cells(page)), metadata=METADATA)
    return nbformat.writes(notebook) + "\n"


def cells(page: Page) -> Iterator[Any]:
    """The page's words in their order, and behind them the code of the same place."""
    code = code_by_place(page)
    asked = count(1)
    first = f"**{as_markdown.literal(page.answer)}**\n\n" if page.answer else ""
    yield from placed("title", [f"{first}# {page.title}\n\n{page.summary}"], [])
    yield from placed("setup", [], code["setup"])
    for section in page.sections:
        said = "\n\n".join([f"## {section.title}", *written(words(section), page)])
        yield from placed(section.name, [said], code[section.name])
        for block in section.blocks:
            if isinstance(block, Exercise):
                place = f"{section.name}-{next(asked)}"
                yield from placed(place, [question(block, page)], code[place])
                folded = f"<details><summary>{ui(page.lang)['reveal']}</summary>"
                said = "\n\n".join([folded, *answer(block, page), "</details>"])
                yield markdown(f"{place}-answer", said)


def placed(
    place: str, said: Sequence[str], code: Sequence[tuple[str, str]]
) -> Iterator[Any]:
    """Cells with the place in their ids: words, then code under its headings."""
    for text in said:
        yield markdown(place, text)
    for number, (heading, source) in enumerate(code, 1):
        if heading:
            yield markdown(f"{place}-{number}-heading", f"### {heading}")
        yield v4.new_code_cell(source, id=f"{place}-{number}")


def markdown(name: str, text: str) -> Any:
    return v4.new_markdown_cell(text, id=name)


# --- Words ----------------------------------------------------------------------------


def words(section: Section) -> list[Block]:
    """What stands before the first table, and what follows the last heading behind it:
    the rest are results, which the code shows.
    """
    said = (Prose, Formula, Heading, *([Code] if section.name == "idea" else []))

    def is_said(block: Block) -> bool:
        return isinstance(block, said)

    first = list(takewhile(is_said, section.blocks))
    rest = section.blocks[len(first) :]
    last = [*takewhile(is_said, reversed(rest))][::-1]
    while first and isinstance(first[-1], Heading):
        first.pop()
    return [*first, *dropwhile(lambda block: not isinstance(block, Heading), last)]


def written(blocks: Sequence[Block], page: Page) -> Iterator[str]:
    for block in blocks:
        yield from as_markdown.written(block, page.lang, None)


def question(exercise: Exercise, page: Page) -> str:
    parts = [*written(exercise.question, page)]
    for letter, choice in zip(LETTERS, exercise.choices, strict=False):
        parts.append(f"- **{letter}** {choice.text}")
    if exercise.hint:
        parts.append(f"*{ui(page.lang)['hint']}:* {exercise.hint}")
    return "\n\n".join(parts)


def answer(exercise: Exercise, page: Page) -> Iterator[str]:
    """What is folded away: the number or the right choice, and why."""
    if exercise.answer is not None:
        yield f"**{walk.tidy(exercise.answer)}**"
    yield from (f"**{choice.text}**" for choice in exercise.choices if choice.right)
    yield from written(exercise.why, page)


# --- Code -----------------------------------------------------------------------------


def code_by_place(page: Page) -> defaultdict[str, list[tuple[str, str]]]:
    """(heading, source) of every cell, by the place that it belongs to."""
    topic = page.facts()["topic"]
    filled = {"training": training}.get(topic, layer if topic in TOPICS else own)
    given = filled(page)
    template = templates().get_template(given["template"])
    asked = [exercise(each, page) for each in exercises(page)]
    says = checks.says(page.lang)
    text = template.render(page=page, says=says, exercises=asked, **given)
    _, *parts = CELL.split(text)
    found = defaultdict(list)
    for place, heading, source in zip(*[iter(parts)] * 3, strict=True):
        found[place].append((heading or "", source.strip()))
    return found


@cache
def templates() -> Environment:
    return environment(autoescape=False)


def exercises(page: Page) -> Iterator[Exercise]:
    for section in page.sections:
        yield from (b for b in section.blocks if isinstance(b, Exercise))


def layer(page: Page) -> dict[str, Any]:
    """What the code of a layer's notebook is filled with."""
    examples = [example(each, page) for each in page.facts()["examples"]]
    if len({(*e["inputs"].values(), e["dout"]) for e in examples}) > 1:
        for each in examples:  # one set of variables for them all will not do
            names = ", ".join(each["inputs"])
            each["select"] = f'inputs, dout = examples["{each["name"]}"]\n'
            each["select"] += f"{names} = inputs.values()\n"
    topic = TOPICS[page.name]
    main = examples[min(topic.main, len(examples) - 1)]  # the words are about this one
    every = f'{{**inputs, "dout": dout, **results["{main["name"]}", "NumPy"]}}'
    floats = [v for v in page.facts()["examples"][0]["inputs"].values() if is_float(v)]
    return {
        "template": "notebook_layer.py.j2",
        "examples": examples,
        "select": main["select"],
        "numbers": f"{main['select']}numbers = {every}",
        "layers": topic.layers,
        "dtype": floats[0].dtype.name,
    }


def example(facts: Mapping[str, Any], page: Page) -> dict[str, Any]:
    """An example as its code needs it: names, and numbers as literals."""
    (known,) = (e for e in TOPICS[page.name].examples if e.name == facts["name"])
    inputs = facts["inputs"]
    network = known.function == "loss"
    if network:
        held = [name for name in inputs if name not in ("x", "t")]
    else:
        held = [*inspect.signature(reference_class(known.reference)).parameters]
    arguments = [name for name in inputs if name not in held]
    floats = [name for name, value in inputs.items() if is_float(value)]
    module, _, kind = known.reference.rpartition(".")
    drawn_module, _, drawn = known.drawn.rpartition(".")
    several = len(page.facts()["examples"]) > 1
    return {
        "name": known.name,
        "heading": ui(page.lang)["examples"][known.name] if several else "",
        "module": f"gradparity.reference.{module}",
        "kind": kind,
        "drawn_module": f"gradparity.reference.{drawn_module}",
        "drawn": drawn,
        "function": known.function,
        "network": network,
        "leaf": len(facts["implementations"]["reference"]["graph"]["nodes"]) == 1,
        "inputs": {name: literal(value) for name, value in inputs.items()},
        "dout": literal(facts["dout"]),
        "select": "",
        "held": held,
        "arguments": arguments,
        "floats": floats,
        "back": [f"d{name}" for name in arguments if name in floats],
        "gradients": [f"d{name}" for name in floats],
    }


def is_float(value: np.ndarray) -> bool:
    return value.dtype.kind == "f"


def training(page: Page) -> dict[str, Any]:
    """What the code of the notebook on training is filled with."""
    return {
        "template": "notebook_training.py.j2",
        "dataset": page.facts()["dataset"],
        "steps": len(page.facts()["steps"]),
        "longer": LONGER,
        "dtype": DTYPE,
        "numbers": NUMBERS,
    }


def own(page: Page) -> dict[str, Any]:
    """What the code of a notebook on somebody's own function is filled with."""
    facts = page.facts()
    kinds = [each["framework"] for each in facts["implementations"].values()]
    return {
        "template": "notebook_own.py.j2",
        "targets": facts["topic"],
        "dtype": facts["dtype"],
        "given": {name: tree(value) for name, value in facts["inputs"].items()},
        "parts": [s.name for s in page.sections if s.name in kinds or "-" in s.name],
    }


def tree(value: Any) -> str:
    """The expression that makes an array, a setting, or what holds such."""
    if isinstance(value, np.ndarray):
        return literal(value)
    if isinstance(value, Mapping):
        inside = [f"{key!r}: {tree(part)}" for key, part in value.items()]
        return f"{{{', '.join(inside)}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(tree, value))}]"
    return repr(value)


def exercise(asked: Exercise, page: Page) -> dict[str, Any]:
    """An exercise as its code needs it."""
    found: dict[str, Any] = {"kind": asked.kind, "name": asked.name}
    for letter, choice in zip(LETTERS, asked.choices, strict=False):
        if choice.right:
            found["seal"] = checks.seal(page.name, asked.name, letter)
    if asked.mistake:
        found |= broken(next(m for m in MUTANTS if m.name == asked.mistake))
    return found


def broken(mutant: Mutant) -> dict[str, str]:
    """A wrong layer as a cell that runs: what it needs is imported."""
    source, definition = anonymous(mutant), f"My{mutant.layer}"
    names = {n.id for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Name)}
    known = vars(inspect.getmodule(mutant.definition))
    imports = [imported(name, known[name]) for name in names & known.keys()]
    imports.sort(key=lambda line: (line.split()[1], line))
    return {
        "source": "\n".join([*imports, "", "", source]),
        "definition": definition,
        "layer": mutant.layer,
    }


def imported(name: str, value: Any) -> str:
    """The line that imports what a module knows by this name."""
    if isinstance(value, ModuleType):
        return f"import {value.__name__} as {name}"
    return f"from {value.__module__} import {name}"


def literal(value: np.ndarray) -> str:
    """The expression that makes this array, or this NumPy number."""
    if value.ndim == 0:
        return f"np.{value.dtype}({digits(value)})"
    return f"np.array({digits(value)}, np.{value.dtype})"


def digits(value: np.ndarray) -> str:
    """The shortest numbers that are these in their dtype, in brackets."""
    if value.ndim:
        return f"[{', '.join(map(digits, value))}]"
    return re.sub("nan|inf", r"np.\g<0>", str(value))
