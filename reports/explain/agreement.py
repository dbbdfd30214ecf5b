"""Whether functions of one's own are the same, as a page says it: the answer in a sentence,
and what it rests on.
"""

import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from gradparity.parity_tests.functions import wording
from gradparity.parity_tests.functions.comparison import YOURS, Comparison, Pair
from gradparity.parity_tests.functions.judging import Number
from gradparity.parity_tests.functions.mistakes import Mistake
from gradparity.parity_tests.functions.parting import Parting
from gradparity.parity_tests.functions.programs import Executed
from gradparity.parity_tests.functions.sentences import told
from gradparity.reports.explain import blocks
from gradparity.reports.explain.wording import FOLDER, ui

Code = Callable[[str, Executed], str]
BEFORE = 3  # steps told of those that come before the first that differs


@cache
def sentences(lang: str) -> Mapping[str, Any]:
    """Those of the answer in another language than the engine's own; {} in that."""
    path = FOLDER / f"compared.{lang}.toml"
    return tomllib.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


# --- The answer -------------------------------------------------------------------------


def answer(found: Comparison, lang: str) -> str:
    """The first sentence: the same, and how far apart; or not the same, and in what."""
    said = sentences(lang)
    text = in_language(found, said) if said else wording.answer(found)
    if not found.same:
        return text + ui(lang)["compared"]["stop"]
    return text + distances(found, lang)


def distances(found: Comparison, lang: str) -> str:
    """How far apart they are at most on the numbers given, dtype by dtype."""
    largest: dict[str, float] = {}
    for pair in found.pairs:
        for tried in pair.tried:
            if tried.on == YOURS:
                every = [number.largest[0] for number in tried.numbers]
                before = largest.get(tried.dtype, 0.0)
                largest[tried.dtype] = max([before, *every])
    said = ui(lang)["compared"]
    if not any(largest.values()):
        return str(said["exact"])
    each = [said["distance"].format(f"{v:.2g}", name) for name, v in largest.items()]
    return str(said["apart"].format(said["and"].join(each)))


def in_language(found: Comparison, said: Mapping[str, Any]) -> str:
    wrong = [pair for pair in found.pairs if not pair.same]
    if wrong:
        return said["between"].join(differ(pair, said) for pair in wrong)
    for (name, dtype), each in found.operators.items():
        if not each.failed:
            continue
        first = each.failed[0]
        return said["unsound"].format(
            name=name,
            dtype=dtype,
            operator=first.step.operator,
            where=first.step.where,
            ratio=f"{first.ratio:.3g}",
        )
    if not found.same:  # in a way that only the engine has words for
        return wording.answer(found)
    tried = found.pairs[0].tried
    return said["same"].format(
        names=listed(found.names, said),
        quantities=listed([number.quantity for number in tried[0].numbers], said),
        dtypes=listed([*dict.fromkeys(each.dtype for each in tried)], said),
    )


def differ(pair: Pair, said: Mapping[str, Any]) -> str:
    """How two functions differ."""
    if pair.outputs or pair.furthest is None:
        returned = [
            said["returned"].format(name, listed(out, said))
            for name, out in pair.outputs.items()
        ]
        start = said["differ"].format(names=listed(pair.names, said))
        return start + said["between"].join(returned)
    tried, first = pair.furthest
    alike = [each for each in pair.tried if each.dtype == tried.dtype]
    wrong = dict.fromkeys(n.quantity for each in alike for n in each.wrong)
    others = [quantity for quantity in wrong if quantity != first.quantity]
    kind = "differ" if tried.on == YOURS else "differ_elsewhere"
    if pair.same_function:
        kind = "differ_narrow"
    text = said[kind].format(names=listed(pair.names, said), dtype=tried.dtype)
    text += valued(first, pair.names, tried.dtype, said)
    if others:
        text += said["also"].format(listed(others, said))
    return text


def valued(
    number: Number, names: Sequence[str], dtype: str, said: Mapping[str, Any]
) -> str:
    """What two have for a quantity, and how far that is beyond rounding."""
    values = said["comma"].join(
        f"{value} ({name})"
        for name, value in zip(
            names, number.unlike or wording.told_apart(number.values), strict=True
        )
    )
    if number.unlike:
        return said["unlike"].format(number.quantity, values)
    text = said["value"].format(
        number.quantity + wording.place(number.at or ()), values
    )
    if number.ratio is not None and number.certain:
        text += said["times"].format(f"{number.ratio:.3g}", dtype)
    return text


def listed(words: Sequence[str], said: Mapping[str, Any]) -> str:
    return str(said["comma"].join(words))


# --- What it rests on -------------------------------------------------------------------


def shown(found: Comparison, code: Code, lang: str) -> Iterator[blocks.Block]:
    """The quantities that were compared, and where the functions part.

    Args:
        found: what was found.
        code: how a step of a function is written.
        lang: the language of the headings.
    """
    said = ui(lang)["compared"]
    for pair in found.pairs:
        yield quantities(pair, said)
        if pair.partings is not None:
            yield parted(pair, code, said)
        if pair.mistake is not None:
            sentence = literal(mistaken(pair.mistake, lang))
            yield blocks.Prose(said["mistake"].format(sentence))
        for sentence in wording.guilty(pair):
            yield blocks.Prose(said["guilty"].format(literal(sentence)))
    for note in found.notes:
        yield blocks.Prose(literal(note))


def mistaken(found: Mistake, lang: str) -> str:
    """What two functions differ in."""
    said = sentences(lang)
    if not said:
        return found.sentence
    return told(said["mistakes"][found.said], found.facts, said["comma"].join)


def literal(text: str) -> str:
    """Text that no Markdown is to be seen in."""
    return "".join("\\" + c if c in r"\`*_[]<>$&" else c for c in text)


def quantities(pair: Pair, said: Mapping[str, Any]) -> blocks.Grid:
    """Where each quantity is furthest apart, and what part of it may be rounding."""
    rows = []
    for tried in pair.tried:
        for number in tried.numbers:
            values = number.unlike or wording.told_apart(number.values) or ["", ""]
            ratio = number.ratio
            rows.append(
                [
                    number.quantity,
                    tried.dtype,
                    said["given" if tried.on == YOURS else "generic"],
                    said["same" if number.same else "differ"],
                    wording.place(number.at or ()),
                    *values,
                    "" if ratio is None else f"{ratio:.2g}",
                ]
            )
    heads = [*said["heads"][:5], *pair.names, *said["heads"][5:]]
    return blocks.Grid(said["title"].format(*pair.names), heads, rows)


def parted(pair: Pair, code: Code, said: Mapping[str, Any]) -> blocks.Grid:
    """The first step that differs on either side, and what comes before it."""
    assert pair.partings is not None
    rows: list[list[str]] = []
    for name, parting in zip(pair.names, pair.partings, strict=True):
        rows += around(name, parting, code, said)
    return blocks.Grid(said["parted"], said["parted_heads"], rows, code=(2,))


def around(
    name: str, parting: Parting, code: Code, said: Mapping[str, Any]
) -> Iterator[list[str]]:
    def told(step: Executed, mark: str) -> list[str]:
        phase = said["kept" if step.kept else step.phase]
        return [name, phase, code(name, step), step.where, mark]

    for step, other in parting.common[-BEFORE:]:
        yield told(step, said["same"] if other is not None else "")
    for step in parting.steps[:1]:
        yield told(step, said["first"])
    if not parting.steps:
        yield [name, "", "", "", said["nothing"]]
    elif parting.after:
        yield [name, "", "", "", said["after"].format(parting.after)]
