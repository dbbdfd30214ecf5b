"""Two programs as a picture to walk through: what each step of it says, and what is folded
away. The picture itself is in `templates/functions_steps.j2`.
"""

import linecache
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import numpy as np

from gradparity.parity_tests.functions import wording
from gradparity.parity_tests.functions.arguments import Call
from gradparity.parity_tests.functions.comparison import Comparison, Pair
from gradparity.parity_tests.functions.judging import Judged, differences
from gradparity.parity_tests.functions.parting import Parting
from gradparity.parity_tests.functions.programs import Executed
from gradparity.parity_tests.functions.side_by_side import Row

FEW = 12  # steps that are not folded away
BEFORE = 3  # of those before the first that differs, where they are more
MOST = 300  # steps in one fold; a page of a hundred thousand helps nobody
NUMBERS = 6  # told of an array
PHASES = {"forward": "Forward", "backward": "Backward"}
SAME, DIFFER, ALONE = "same", "differ", "alone"  # what a row may be


@dataclass(frozen=True)
class Array:
    """An array that went into a step or came out of it.

    Args:
        name: what it is called, where it has a name: an input, an output, a gradient.
        maker: the step it comes of; None where it is none's.
        kind: its dtype and shape.
        numbers: the first of it.
    """

    name: str
    maker: int | None
    kind: str
    numbers: str


@dataclass(frozen=True)
class Box:
    """A step as it is shown.

    Args:
        ident: what links lead to.
        step: the step.
        kind: dtype and shape of what it gives.
        source: the author's line.
        state: "first", "differ", "same", "twin" or "alone".
        words: the same in words.
        twin: what the link to its twin leads to; "" where it has none.
        takes, gives: arrays.
    """

    ident: str
    step: Executed
    kind: str
    source: str
    state: str
    words: str
    twin: str
    takes: list[Array]
    gives: list[Array]


@dataclass(frozen=True)
class Line:
    """A row of the picture: the boxes in it, whether they are the same, and how far apart
    their results are.
    """

    boxes: tuple[Box | None, Box | None]
    state: str
    apart: str


@dataclass(frozen=True)
class Part:
    """Rows that are shown, or folded away under a title."""

    title: str
    lines: list[Line]
    omitted: int = 0


@dataclass(frozen=True)
class Group:
    """What is forward, or backward."""

    title: str
    parts: list[Part]


def picture(found: Comparison, pair: Pair, number: int) -> list[Group]:
    """The steps of a pair, of which it is the one of this number."""
    if pair.sides is None:
        return []
    first, other = (
        Drawn(f"p{number}{letter}", name, called, found.calls.get(name), side.judged[0])
        for letter, name, called, side in zip(
            "ab", pair.names, pair.names[::-1], pair.sides, strict=True
        )
    )
    for each, parting in zip((first, other), pair.partings or (), strict=False):
        each.mark(parting)
    lines = [line(row, first, other) for row in pair.rows]
    visible = [*seen(lines)]
    groups = []
    for phase, title in PHASES.items():
        own = [n for n, row in enumerate(pair.rows) if row.phase == phase]
        if own:
            marked = [n for n, each in enumerate(lines) if is_first(each)]
            groups.append(Group(title, [*parts(own, lines, visible, marked)]))
    return groups


class Drawn:
    """One of the two programs, as its boxes are made."""

    def __init__(
        self, prefix: str, name: str, other: str, call: Call | None, judged: Judged
    ) -> None:
        self.prefix, self.name, self.other, self.call = prefix, name, other, call
        self.recording = recording = judged.recording
        self.first: set[int] = set()
        self.suspects: set[int] = set()
        self.names: dict[int, str] = {}
        inputs = call.names if call is not None else []
        outputs = call.output_names if call is not None else []
        self.names |= dict(zip(recording.inputs, inputs, strict=False))
        for seed, name in zip(recording.seeds, outputs, strict=False):
            if seed is not None:
                self.names[seed] = f"d{name}"
        for name, made in judged.quantities.items():
            self.names.setdefault(made, name)

    def mark(self, parting: Parting) -> None:
        self.first = {step.number for step in parting.steps[:1]}
        self.suspects = {step.number for step in parting.suspects}

    def box(self, step: Executed, row: Row, elsewhere: "Drawn") -> Box:
        """A step in its row; `elsewhere` is the other program."""
        twin = ""
        if step.number in self.first:
            state, words = "first", "first to differ"
        elif step.number in self.suspects:
            state, words = DIFFER, "differs"
        elif row.same:
            state, words = SAME, "the same"
        elif row.twin is not None:
            state, words = "twin", f"as step {row.twin.number} of {self.other}"
            twin = f"{elsewhere.prefix}-{row.twin.number}"
        else:
            state, words = ALONE, f"only in {self.name}"
        partner = row.other if step is row.one else row.one
        values = elsewhere.recording.values
        there = [] if partner is None else [values[n] for n in partner.results]
        gives = [
            self.array(number, is_made=True, beside=beside)
            for number, beside in zip_longest(step.results, there[: len(step.results)])
        ]
        return Box(
            f"{self.prefix}-{step.number}",
            step,
            gives[0].kind if gives else "",
            source(step.where, self.call),
            state,
            words,
            twin,
            [self.array(number) for number in step.operands],
            gives,
        )

    def array(
        self, number: int, *, is_made: bool = False, beside: np.ndarray | None = None
    ) -> Array:
        value = self.recording.values[number]
        maker = None if is_made else self.recording.makers.get(number)
        return Array(
            self.names.get(number, ""),
            None if maker is None else maker.number,
            f"{value.dtype} {list(value.shape)}" if value.ndim else str(value.dtype),
            numbers(value, beside),
        )


def source(where: str, call: Call | None) -> str:
    """The author's line that a place names: of the file of the function, or of one beside
    it.
    """
    name, _, number = where.rpartition(":")
    if call is None or not call.target.file or not number.isdecimal():
        return ""
    file = Path(call.target.file).with_name(Path(name).name)
    return linecache.getline(str(file), int(number)).strip()


def numbers(value: np.ndarray, beside: np.ndarray | None = None) -> str:
    """The first numbers of an array, each told apart from that in the same place of an
    array of the same shape that it stands beside.
    """
    if beside is None or beside.shape != value.shape:
        beside = value
    both = (each.ravel()[:NUMBERS].tolist() for each in (value, beside))
    first = [wording.told_apart(pair)[0] for pair in zip(*both, strict=True)]
    return ", ".join(first) + (", …" if value.size > NUMBERS else "")


def line(row: Row, first: Drawn, other: Drawn) -> Line:
    boxes = (
        None if row.one is None else first.box(row.one, row, other),
        None if row.other is None else other.box(row.other, row, first),
    )
    if row.one is None or row.other is None:
        return Line(boxes, ALONE, "")
    state = SAME if row.same else DIFFER
    return Line(boxes, state, apart(row.one, row.other, first, other))


def apart(step: Executed, partner: Executed, first: Drawn, other: Drawn) -> str:
    """How far the results of two steps are from each other, where they lie alike."""
    if not step.results or not partner.results:
        return ""
    a = first.recording.values[step.results[0]]
    b = other.recording.values[partner.results[0]]
    if a.shape != b.shape or not a.size or {a.dtype.kind, b.dtype.kind} != {"f"}:
        return ""
    off = differences(a, b)
    if not off.any():
        return "no element differs"
    at = tuple(int(i) for i in np.unravel_index(np.argmax(off), off.shape))
    both = " and ".join(wording.told_apart([float(each[at]) for each in (a, b)]))
    place = f", at {wording.place(at)}" if at else ""
    return f"furthest apart by {off[at]:.3g}{place}: {both}"


def is_first(line: Line) -> bool:
    return any(box is not None and box.state == "first" for box in line.boxes)


# --- What is folded ---------------------------------------------------------------------


def seen(lines: Sequence[Line]) -> Iterator[bool]:
    """Yield which rows are not folded away: those where the two part, and some before;
    where they do not, a dozen of each phase.
    """
    marked = [n for n, each in enumerate(lines) if is_first(each)]
    if not marked:
        count = dict.fromkeys(PHASES, 0)
        for each in lines:
            count[phase_of(each)] += 1
            yield count[phase_of(each)] <= FEW
        return
    start, end = marked[0], marked[-1]
    since = 0 if start <= FEW else start - BEFORE
    last = end if end - start <= FEW else start
    for n in range(len(lines)):
        yield since <= n <= last or n in marked


def phase_of(line: Line) -> str:
    return next(box.step.phase for box in line.boxes if box is not None)


def parts(
    own: Sequence[int],
    lines: Sequence[Line],
    visible: Sequence[bool],
    marked: Sequence[int],
) -> Iterator[Part]:
    """The rows of a phase, by whether they are folded."""
    runs: list[list[int]] = []
    for number in own:
        if runs and visible[runs[-1][-1]] == visible[number]:
            runs[-1].append(number)
        else:
            runs.append([number])
    for run in runs:
        rows = [lines[number] for number in run]
        if visible[run[0]]:
            yield Part("", rows)
            continue
        if not marked:
            where = "more"
        elif run[-1] < marked[0]:
            where = "before"
        else:
            where = "after" if run[0] > marked[-1] else "between"
        alike = sum(each.state == SAME for each in rows)
        said = (
            f"{len(rows)} row{'s' if len(rows) > 1 else ''} {where}, {alike} the same"
        )
        yield Part(said, rows[:MOST], max(len(rows) - MOST, 0))
