"""How well elementary functions are computed: measured, and kept in `elementary.json`.

No library promises how its exponential is rounded. Which one runs depends on the layer
(PyTorch's softmax has another than `torch.exp`) and on the instructions that the
processor has. So the rounding bounds allow each framework the largest error that was
seen of it, in ulps, on any machine: over all float32, and a sample of float64.

The file is a list of measurements, each with the machine and the versions that it is of.
`make elementary` (`elementary_errors.py`) adds one and leaves those of other machines.
"""

import json
import math
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

from pydantic import Field, TypeAdapter

from gradparity.parity_tests.implementations.backends import BACKENDS, Backend
from gradparity.parity_tests.measuring.records import Record

DATA = Path(__file__).with_name("elementary.json")


class Row(Record):
    """The largest error of a function that was seen in a layer, or by itself where the
    layer is empty: in ulps, and at which of so many inputs in these ranges. They are
    `every` number there is in the ranges, or a sample.
    """

    function: str
    layer: str
    dtype: str
    implementation: str
    ranges: list[tuple[float, float]] = Field(default_factory=list)
    inputs: int
    every: bool = False
    ulps: float
    at: float

    @property
    def allowed(self) -> float:
        """What a bound allows for it: of a sample, a fiftieth more, and then the next half
        of an ulp. That is a margin and no proof: of JAX's erfc in float64, which is off by
        hundreds of ulps, four times as many numbers showed a hundredth more.
        """
        return self.ulps if self.every else math.ceil(2 * 1.02 * self.ulps) / 2


class Measured(Row):
    """A row by itself, with what machine it is of."""

    instructions: str
    platform: str = ""


class Measurement(Record):
    """What was measured on one machine, with one set of instructions.

    `features` are the instructions as each library names them; `note` is what is known
    where versions or machine are not.
    """

    platform: str
    processor: str
    instructions: str
    features: dict[str, str] = Field(default_factory=dict)
    versions: dict[str, str]
    note: str = ""
    rows: list[Row]

    def without(self, rows: Iterable[Row]) -> "Measurement":
        """All of it but what has been measured anew."""
        again = {key(row) for row in rows}
        kept = [row for row in self.rows if key(row) not in again]
        return self.model_copy(update={"rows": kept})

    def of_the_same(self, other: "Measurement") -> bool:
        """Whether versions, machine and instructions are the same."""
        mine, theirs = (each.model_copy(update={"rows": []}) for each in (self, other))
        return mine == theirs


def key(row: Row) -> tuple[str, ...]:
    """What a row is of, wherever it was measured."""
    return row.function, row.layer, row.dtype, row.implementation


MEASUREMENTS = TypeAdapter(list[Measurement])


@cache
def measurements() -> list[Measurement]:
    """The data."""
    return MEASUREMENTS.validate_json(DATA.read_bytes())


@cache
def measured() -> list[Measured]:
    """All rows, of all machines."""
    return [
        Measured(**dict(row), instructions=of.instructions, platform=of.platform)
        for of in measurements()
        for row in of.rows
    ]


def renewed(
    old: Sequence[Measurement], new: Sequence[Measurement]
) -> list[Measurement]:
    """Both, without what was measured anew on the same platform with the same
    instructions; what is of the same machine and versions together.
    """
    found = list(old)
    for more in new:
        place = more.platform, more.instructions
        found = [
            each.without(more.rows)
            if (each.platform, each.instructions) == place
            else each
            for each in found
        ]
        together = [each for each in found if each.of_the_same(more)]
        rows = [row for each in (*together, more) for row in each.rows]
        found = [each for each in found if each.rows and each not in together]
        found.append(more.model_copy(update={"rows": sorted(rows, key=key)}))
    return sorted(found, key=lambda each: (each.platform, each.instructions))


def write(data: Sequence[Measurement], path: Path = DATA) -> None:
    """One row a line, so that a change is of the rows that have changed."""
    blocks = []
    for each in json.loads(MEASUREMENTS.dump_json(list(data))):
        lines = ",\n".join(f"   {json.dumps(row)}" for row in each.pop("rows"))
        head = json.dumps(each, indent=1)[:-2].replace("\n", "\n ")
        blocks.append(f' {head},\n  "rows": [\n{lines}\n  ]\n }}')
    path.write_text("[\n" + ",\n".join(blocks) + "\n]\n", encoding="utf-8")


@cache
def largest(function: str, dtype: str, backend: Backend) -> Measured | None:
    """The row that a bound rests on: of a framework's function, the least accurate in any
    layer, with any instructions, on any machine. A framework that was not measured gets
    the least accurate of all; of a function that nobody has measured there is none.
    """
    rows = [r for r in measured() if (r.function, r.dtype) == (function, dtype)]
    of = backend.framework
    own = [r for r in rows if BACKENDS[r.implementation].framework == of] or rows
    return max(own, key=lambda row: row.allowed, default=None)


def ulps(function: str, dtype: str, backend: Backend) -> float:
    """The largest error that a bound allows; where none was measured, any."""
    row = largest(function, dtype, backend)
    return math.inf if row is None else row.allowed
