"""What `grade` says, in Japanese: its sentences are taken apart by templates.

The grader composes its sentences in English, of phrases, names and numbers.
`words/grading.ja.toml` has a template for each sentence and phrase; what its placeholders
stand for is told by their names, which may have a digit behind them. Names, code, numbers
and the messages of exceptions stay as they are.
"""

import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from importlib.resources import files
from itertools import islice
from typing import Any, TypeVar

from pydantic import BaseModel

from gradparity.parity_tests.measuring import wording
from gradparity.reports.tables.table import Table

Said = TypeVar("Said", bound=BaseModel)
LANGUAGE: ContextVar[str] = ContextVar("language", default="en")

NUMBER = r"(?:-?(?:\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?|inf)|nan)"
CODE = "`[^`]*`"
QUOTED = "“[^”]+”"
SPOT = r"(?:[^:()]+, )?(?:cell \d+, )?line \d+|(?:[^:()]+, )?cell \d+"


def several(item: str) -> str:
    """One of these, or a list of them as a sentence has it."""
    return rf"(?:{item}|\d+ more)(?:(?:, | and )(?:{item}|\d+ more))*"


# What a placeholder may stand for.
KINDS = {
    "text": ".+?",
    "word": r"[^\s`]+?",
    "n": NUMBER,
    "code": CODE,
    "codes": several(CODE),
    "sections": several(r"[\d.]+"),
    "cases": several(QUOTED),
    "case": r"[\w -]+(?:, [\w -]+)*",
    "dtype": r"\w+",
    "shape": r"\([\d, ]*\)",
    "arguments": r"\([^()]*\)",
    "index": r"\[[\d, ]*\]",
    "size": rf"{NUMBER} (?:GiB|MiB)",
    "often": rf"every case|{NUMBER} of {NUMBER} cases",
    "labels": "one-hot rows|labels as numbers",
    "factor": ".+?",
    "meanings": ".+?",
    "type": ".*?",
    "book": r"K\. Saitoh, Deep Learning from Scratch \(O'Reilly Japan, 2016\)",
    # As the grader's own phrases have them, to be singular or plural.
    "is": "(?:is|are)",
    "has": "(?:has|have)",
    "does": "(?:does|do)",
    "one": "ones?",
    "it": "(?:it|them|they)",
    "cases_are": "cases?",
    "said": ".+?",
    "maybe": ".+?",
    "raised": ".+?",
    "place": f"(?:{SPOT})(?:: .+)?",
    "left": ".+?",
    "ids": r"[\w.-]+(?:(?:, |、|; or | or | )[\w.-]+)*",
    "files": ".+",
    "path": r"\S+\.(?:py|ipynb)",
    "counts": rf"{NUMBER} [a-z].+",
    "why": "(?:is|has|cannot|comes|defines|lies|takes|needs) .+",
    "share": r"\d+%",
}
ANY_TEXT = re.compile(r"\{(?:text|left|maybe)\d?\}")
PLACEHOLDER = re.compile(r"\{([a-z_]+)(\d?)\}")
AND = re.compile(", | and |、")
ITEM = re.compile(rf"\d+ more|{CODE}|{QUOTED}")
MORE = re.compile(r"`?(\d+) more`?")
PLACE = re.compile(rf" \(({KINDS['place']})\)$")
EXCEPTION = re.compile(r"\w+(Error|Exception|Exit|Interrupt|Iteration): ")
EITHER, OR = re.compile(rf"({CODE}) either (.+)"), "; or it "
EITHER_OF = "次のいずれかです。"
SENTENCE_END = re.compile(r"[.?] (?=\S)")
MOST_ENDS = 8  # of sentences, at which a text is taken apart
DEEPEST = 12  # phrases in one another, and sentences after one another
# The fields of a grading that are sentences, or parts of some.
SENTENCES = ("sentence", "relation", "reread", "problem", "note", "why", "passed_over")


@dataclass(frozen=True)
class Template:
    """How a sentence is composed, as a pattern, and the same in Japanese; `part` is a piece
    of it that is the sentence's own, by which most others are passed over.
    """

    part: str
    pattern: re.Pattern[str]
    said: str

    @classmethod
    def of(cls, english: str, said: str) -> "Template":
        parts = PLACEHOLDER.split(english)
        pattern = re.escape(parts[0])
        for kind, digit, after in zip(
            parts[1::3], parts[2::3], parts[3::3], strict=True
        ):
            pattern += f"(?P<{kind}{digit}>{KINDS[kind]})" + re.escape(after)
        return cls(max(parts[::3], key=len), re.compile(pattern), said)

    def applied(self, text: str, depth: int) -> str | None:
        """What the text says in Japanese; None if it is not composed like this."""
        if self.part not in text or (match := self.pattern.fullmatch(text)) is None:
            return None
        values: dict[str, str] = {}
        for name, value in match.groupdict().items():
            translated = of_kind(name.rstrip("0123456789"), value, depth)
            if translated is None:
                return None
            values[name] = translated
        return PLACEHOLDER.sub(lambda found: values[found[1] + found[2]], self.said)


@cache
def templates() -> tuple[Template, ...]:
    """All of them; those with the most text of their own come first."""
    found = {english: said for english, said in pairs() if PLACEHOLDER.search(english)}
    ordered = sorted(found, key=lambda english: -said_by(english))
    return tuple(Template.of(english, found[english]) for english in ordered)


def said_by(english: str) -> int:
    """How much text of its own a template has; any text counts against that."""
    return len(PLACEHOLDER.sub("", english)) - 12 * len(ANY_TEXT.findall(english))


@cache
def exact() -> Mapping[str, str]:
    """Those in which there is nothing to fill in."""
    return {
        english: said for english, said in pairs() if not PLACEHOLDER.search(english)
    }


@cache
def pairs() -> tuple[tuple[str, str], ...]:
    """Each template in English and in Japanese."""
    path = files("gradparity.reports") / "words" / "grading.ja.toml"
    sections: Mapping[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    return tuple(pair for section in sections.values() for pair in section.items())


# --- Sentences --------------------------------------------------------------------------


def in_japanese(text: str) -> str:
    """A sentence, or several, or a part of one; as it is where there is no template. What
    stands between semicolons may be names beside it.
    """
    if (said := translated(text)) is not None:
        return said
    parts = text.split("; ")
    found = [translated(part) or raised(part, 0) for part in parts]
    return text if found == parts else "；".join(found)


@lru_cache(maxsize=4096)
def translated(text: str, depth: int = 0) -> str | None:
    """The same in Japanese, or None if that is not known."""
    stop = "。" if len(text) > 1 and text.endswith(".") else ""
    bare = text[:-1] if stop else text
    if (whole := exact().get(bare)) is not None:
        return whole + stop
    if depth > DEEPEST:
        return None
    for end in islice(SENTENCE_END.finditer(text), MOST_ENDS):
        first = translated(text[: end.start() + 1], depth + 1)
        rest = first and translated(text[end.end() :], depth + 1)
        if first and rest:
            return first + ("" if first.endswith(("。", "？")) else " ") + rest
    if EXCEPTION.match(bare) and PLACE.search(bare):
        return raised(bare, depth + 1) + stop
    if either := EITHER.fullmatch(bare):
        name, mistakes = either.groups()
        each = (translated(f"{name} {m}", depth + 1) for m in mistakes.split(OR))
        if (found := together(each, "。または、")) is not None:
            return EITHER_OF + found + stop
    for template in templates():
        if (said := template.applied(bare, depth + 1)) is not None:
            return said + stop
    return None


def of_kind(kind: str, value: str, depth: int) -> str | None:
    """What a placeholder stood for, as it stands in Japanese; None if that is not known."""
    said = FILLED.get(kind)
    return value if said is None else said(value, depth)


def together(parts: Iterable[str | None], between: str = "、") -> str | None:
    """All parts, unless one is not known."""
    found = [*parts]
    return None if None in found else between.join(map(str, found))


def raised(value: str, depth: int) -> str:
    """An exception, or a rule that was broken, and where; a message may be ours."""
    found = PLACE.search(value)
    said = value[: found.start()] if found else value
    kind, colon, message = said.partition(": ")
    ours = translated(message, depth) if colon else None
    said = translated(said, depth) or (kind + colon + (ours or message))
    return f"{said}（{placed(found[1])}）" if found else said


def placed(value: str) -> str:
    """Where something is: a file, a cell, a line, and what stands there."""
    where, colon, source = value.partition(": ")
    return spot(where) + ("：" + source if colon else "")


def spot(where: str) -> str:
    """A file, a cell and a line."""
    where = re.sub(r"(^|, )cell (\d+)", r"\1セル\2", where)
    where = re.sub(r"(^|, )line (\d+)", r"\1\2行目", where)
    return re.sub(r", (?=セル\d|\d+行目)", "、", where)


def relisted(words: str) -> str | None:
    """A list as Japanese has it: `a`と`b`; `a`、`b`、`c`."""
    found = ITEM.findall(words)
    return together(map(item, found), "と" if len(found) == 2 else "、")


def item(word: str) -> str | None:
    """One of a list: code, the quoted name of a case, or how many more."""
    if more := MORE.fullmatch(word):
        return f"ほか{more[1]}件"
    if word[0] == "“":
        case = together(map(exact().get, word[1:-1].split(", ")))
        return None if case is None else f"「{case}」"
    return word


def left_out(value: str) -> str:
    """A file, or a place in it, with what it defines in brackets."""
    named = re.sub(r"(?<=[\w目]) \(([\w、]+)\)$", r"（\1）", spot(value))
    return named.replace(": ", "：", 1)


# How what a placeholder stands for is said; what is not among these stays as it is.
FILLED: dict[str, Callable[[str, int], str | None]] = {
    **dict.fromkeys(("said", "factor", "why", "often", "labels"), translated),
    **dict.fromkeys(("maybe", "type"), lambda v, depth: translated(v, depth) or v),
    **dict.fromkeys(("codes", "cases"), lambda v, _: relisted(v)),
    **dict.fromkeys(
        ("case", "meanings"), lambda v, _: together(map(exact().get, v.split(", ")))
    ),
    **dict.fromkeys(("sections", "files"), lambda v, _: "、".join(AND.split(v))),
    "counts": lambda v, depth: together(translated(n, depth) for n in AND.split(v)),
    "raised": raised,
    "place": lambda v, _: placed(v),
    "left": lambda v, _: left_out(v),
}


# --- What is shown ----------------------------------------------------------------------


@contextmanager
def speaking(lang: str) -> Iterator[None]:
    """Where this is entered, what goes through `spoken` is in this language."""
    before = LANGUAGE.set(lang)
    try:
        yield
    finally:
        LANGUAGE.reset(before)


class Spoken(str):
    """Text that is in the language already, or stays as it is, as names do."""


def spoken(text: str) -> str:
    """A sentence or a heading in the language that is spoken."""
    if LANGUAGE.get() == "en" or isinstance(text, Spoken):
        return text
    return Spoken(in_japanese(text))


def listed(words: Iterable[str], most: int | None = None) -> str:
    """A list in the language that is spoken; of more than `most`, so many of them and how
    many more.
    """
    words = [*words]
    if LANGUAGE.get() == "en" or not words:
        return wording.listed(words, most)
    more = len(words) - most if most is not None and len(words) > most + 1 else 0
    return "、".join(
        [*words[: len(words) - more], *([f"ほか{more}件"] if more else [])]
    )


def table_spoken(table: Table) -> Table:
    """The same of a table; its rows begin with names, which stay as they are."""
    if LANGUAGE.get() == "en":
        return table
    headers = [spoken(header) for header in table.headers]
    rows = [[name, *map(spoken, cells)] for name, *cells in table.rows]
    return replace(table, title=spoken(table.title), headers=headers, rows=rows)


# --- Gradings ---------------------------------------------------------------------------


def graded_spoken(graded: Said) -> Said:
    """A grading whose sentences are in the language that is spoken; names, which may be
    those of files, of mistakes and of cases, are as they were.
    """
    if LANGUAGE.get() == "en":
        return graded
    fields = graded.model_dump(by_alias=True)
    return type(graded).model_validate(said_in(fields))


def said_in(fields: Any, is_said: bool = False) -> Any:
    """The same with each sentence in Japanese, however deep it lies.

    Args:
        fields: a grading, or a part of one.
        is_said: whether the text in it is sentences.
    """
    if isinstance(fields, dict):
        return {
            name: said_in(value, is_said or name in SENTENCES)
            for name, value in fields.items()
        }
    if isinstance(fields, list):
        return [said_in(each, is_said) for each in fields]
    return in_japanese(fields) if is_said and isinstance(fields, str) else fields
