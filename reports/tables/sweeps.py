"""How the time of a training step grows with the batch or the hidden layer."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import mode

from gradparity.parity_tests.measuring.records import BenchRow
from gradparity.parity_tests.measuring.wording import grouped
from gradparity.reports.tables.table import Table

OVERHEAD = 1.5  # a step that takes less than so many times the shortest is bound by it
WORDS = {"batch_size": "batch size", "hidden": "hidden size"}


@dataclass(frozen=True)
class Sweep:
    """Medians in µs over one size, by contender; `axis` is that size, `fixed` the rest."""

    axis: str
    fixed: str
    rows: Mapping[str, BenchRow]  # one of each contender
    times: Mapping[str, Mapping[int, float]]

    @property
    def sizes(self) -> list[int]:
        return sorted({size for times in self.times.values() for size in times})


def sweeps(rows: Iterable[BenchRow]) -> list[Sweep]:
    """Over the batch size and over the hidden size, as far as either was measured."""
    swept = [r for r in rows if r.part == "sweep" and r.batch_size and r.hidden]
    found = []
    for (dtype, threads), group in grouped(swept, "dtype", "threads").items():
        for size, other in (("batch_size", "hidden"), ("hidden", "batch_size")):
            usual = mode(getattr(row, other) for row in group)
            chosen = [row for row in group if getattr(row, other) == usual]
            times: dict[str, dict[int, float]] = {}
            for row in chosen:
                times.setdefault(row.name, {})[getattr(row, size)] = row.median
            what = f"{WORDS[other]} {usual:,}, {dtype}, {counted(threads)}"
            sweep = Sweep(WORDS[size], what, first_of_each(chosen), times)
            if sweep.sizes[1:]:
                found.append(sweep)
    return found


def sweep_table(sweep: Sweep) -> Table:
    """Contenders down, sizes across: there are fewer sizes, and they are narrow."""
    rows = [
        [name, *(short(times.get(size)) for size in sweep.sizes)]
        for name, times in sweep.times.items()
    ]
    title = f"µs for a step by {sweep.axis} ({sweep.fixed})"
    return Table(title, ["contender", *(f"{size:,}" for size in sweep.sizes)], rows)


def overhead_table(found: Sequence[Sweep]) -> Table:
    """For each contender the size up to which it is bound by overhead."""
    rows = {
        name: row
        for sweep in found
        for name, row in sweep.rows.items()
        if row.kind != "floor"
    }
    cells = [
        [name, row.kind, *(overhead_cell(sweep.times.get(name, {})) for sweep in found)]
        for name, row in rows.items()
    ]
    headers = [f"up to {sweep.axis}" for sweep in found]
    if len(set(headers)) < len(headers):
        headers = [f"up to {sweep.axis} ({sweep.fixed})" for sweep in found]
    return Table("Bound by overhead", ["contender", "kind", *headers], cells)


def overhead_cell(times: Mapping[int, float]) -> str:
    if not times:
        return ""
    end = overhead_end(times)
    return f"{end:,} or more" if end == max(times) else f"{end:,}"


def overhead_end(times: Mapping[int, float]) -> int:
    """The largest size up to which every step takes less than OVERHEAD times as long as
    at the smallest.
    """
    smallest, *more = sorted(times)
    end = smallest
    for size in more:
        if times[size] >= OVERHEAD * times[smallest]:
            break
        end = size
    return end


def first_of_each(rows: Iterable[BenchRow]) -> dict[str, BenchRow]:
    """By name, in the order of their first appearance."""
    return {name: group[0] for name, group in grouped(rows, "name").items()}


def counted(threads: int | None) -> str:
    if not threads:
        return "threads as set"
    return f"{threads} thread" if threads == 1 else f"{threads} threads"


def short(value: float | None) -> str:
    """Three significant digits; none after the point from 100 on, and of nothing."""
    if value is None:
        return ""
    if value == 0:
        return "0"
    return f"{value:,.0f}" if abs(value) >= 99.95 else f"{value:#.3g}"
