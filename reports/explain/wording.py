"""Reads what there is to say about a topic, and puts the numbers of the run into it.

`words/TOPIC.LANG.md` has the same sections for every topic and both languages; Jinja
fills `{{ … }}` before the Markdown is read. `words/ui.LANG.toml` has the headings and
sentences that all pages share.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined

from gradparity.reports.explain.blocks import (
    Block,
    Choice,
    Code,
    Exercise,
    Formula,
    Prose,
)
from gradparity.reports.explain.walk import tidy

LANGUAGES = ("en", "ja")
FOLDER = files("gradparity.reports.explain") / "words"
FIELDS = re.compile(r"^(answer|hint|mistake|why):[ \t]*", re.MULTILINE)
CHOICE = re.compile(r"^- \[([ x])\] (.*(?:\n  +\S.*)*)\n?", re.MULTILINE)
FENCE = re.compile(r"^```(\w*)\n(.*?)^```\n?", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Question:
    """An exercise as it is written down: `answer` and `mistake` are still to look up."""

    kind: str
    name: str
    text: str
    choices: tuple[Choice, ...]
    answer: str
    hint: str
    mistake: str
    why: str


@dataclass(frozen=True)
class Words:
    """A topic's texts in one language, filled with the numbers of a run."""

    title: str
    summary: str
    sections: Mapping[str, str]
    questions: tuple[Question, ...]

    def blocks(self, section: str) -> list[Block]:
        return blocks(self.sections[section])


def read(topic: str, lang: str, numbers: Mapping[str, Any]) -> Words:
    """The texts of a topic. `numbers` are the names that they may use."""
    source = (FOLDER / f"{topic}.{lang}.md").read_text(encoding="utf-8")
    environment = Environment(undefined=StrictUndefined, autoescape=False)
    environment.filters["n"] = tidy
    text = environment.from_string(source).render(numbers)
    head, *parts = re.split(r"^## (\w+)\n", text, flags=re.MULTILINE)
    title, _, summary = head.strip().removeprefix("# ").partition("\n")
    sections = dict(zip(parts[::2], parts[1::2], strict=True))
    asked = tuple(questions(sections.pop("try")))
    return Words(title, summary.strip(), sections, asked)


def questions(text: str) -> Iterator[Question]:
    """The exercises, each under `### KIND NAME`."""
    parts = re.split(r"^### (\w+) (.+)\n", text, flags=re.MULTILINE)[1:]
    for kind, name, body in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
        question, *fields = FIELDS.split(body)
        found = dict(zip(fields[::2], map(str.strip, fields[1::2]), strict=True))
        choices = tuple(
            Choice(" ".join(text.split()), mark == "x")
            for mark, text in CHOICE.findall(question)
        )
        yield Question(
            kind,
            name.strip(),
            CHOICE.sub("", question).strip(),
            choices,
            found.get("answer", ""),
            found.get("hint", ""),
            found.get("mistake", ""),
            found["why"],
        )


def blocks(text: str) -> list[Block]:
    """Paragraphs, formulas and code, in their order."""
    found: list[Block] = []
    end = 0
    for fence in FENCE.finditer(text):
        found += prose(text[end : fence.start()])
        language, body = fence.groups()
        if language == "math":
            latex, _, plain = body.partition("\n---\n")
            found.append(Formula(latex.strip(), plain.rstrip("\n")))
        else:
            found.append(Code(body.rstrip("\n"), language))
        end = fence.end()
    return found + prose(text[end:])


def prose(text: str) -> list[Block]:
    return [Prose(text.strip())] if text.strip() else []


def evaluate(expression: str, numbers: Mapping[str, Any]) -> float:
    """The number that an `answer:` line comes to. The expressions are our own."""
    compiled = Environment(undefined=StrictUndefined).compile_expression(
        expression, undefined_to_none=False
    )
    found: Any = compiled(**numbers)
    return float(found)


def exercise(
    question: Question, numbers: Mapping[str, Any], broken: list[Block]
) -> Exercise:
    """A question with what the run answers."""
    return Exercise(
        kind=question.kind,  # type: ignore[arg-type]
        name=question.name,
        question=blocks(question.text),
        why=blocks(question.why),
        hint=question.hint,
        answer=evaluate(question.answer, numbers) if question.answer else None,
        choices=question.choices,
        broken=broken,
        mistake=question.mistake,
    )


@cache
def ui(lang: str) -> Mapping[str, Any]:
    """Headings and sentences that all pages share."""
    return tomllib.loads((FOLDER / f"ui.{lang}.toml").read_text(encoding="utf-8"))


@cache
def divergences(lang: str) -> Mapping[str, Mapping[str, str]]:
    """`where` and `why` of documented divergences by id; what is not here is said in
    the table of divergences itself.
    """
    path = FOLDER / f"divergences.{lang}.toml"
    return tomllib.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
