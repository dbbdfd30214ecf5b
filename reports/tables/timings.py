"""What a run of the benchmark says: limits, steps, sweeps and costs, as tables and
sentences.

The picture is apart, in `reports.figures.step_times`: the command can do without
matplotlib.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from gradparity.parity_tests.measuring.records import Bench, BenchRatio, BenchRow
from gradparity.parity_tests.measuring.wording import grouped
from gradparity.reports.results import Environment
from gradparity.reports.tables.sweeps import (
    OVERHEAD,
    counted,
    first_of_each,
    overhead_table,
    short,
    sweep_table,
    sweeps,
)
from gradparity.reports.tables.table import Table

LEGEND = (
    "Medians of repeats that took turns, so that a machine that becomes slower does so for "
    "all; in brackets their quartiles. The floor is what no loop can avoid: the five "
    "matrix products of a step and the gathering of its mini-batch. Idiomatic is what a "
    "user of the framework would write, lecture a loop in the style of the lecture. One "
    "dtype or size is measured after the other; of a sweep there are a third of the "
    "repeats, but three at least, of checks two, and of a whole report one. The limits are "
    "meant for two processors. Times are those of this machine on this day; only within "
    "one run are they to be compared."
)
UNDER_STEPS = (
    "÷ floor: its median divided by that of its framework's floor. The limits are divided "
    "repeat by repeat, before the median is taken."
)
UNDER_OVERHEAD = (
    f"Bound by overhead: up to this size a step takes less than {OVERHEAD} times as long "
    "as at the smallest, so that most of its time is not spent on what grows. Where the "
    "batch grows, that is overhead and the update of the parameters."
)
COSTS = ("suite", "report")
SPEED = "speed"  # the name of the picture


def parts(bench: Bench) -> Iterator[tuple[Table, str]]:
    """Every table, and what is said under it, if anything."""
    if bench.ratios:
        yield limit_table(bench.ratios), ""
    tables = list(step_tables(bench.rows))
    for table in tables:
        yield table, UNDER_STEPS if table is tables[-1] else ""
    found = sweeps(bench.rows)
    for sweep in found:
        yield sweep_table(sweep), ""
    if found:
        yield overhead_table(found), UNDER_OVERHEAD
    costs = [row for row in bench.rows if row.part in COSTS]
    if costs:
        yield cost_table(costs), ""


def limit_table(ratios: Iterable[BenchRatio]) -> Table:
    """Every ratio beside its limit, and in words whether it is kept."""
    rows = [
        [
            *(ratio.what, short(ratio.value), between(ratio.low, ratio.high)),
            *("" if ratio.at_most is None else f"{ratio.at_most:g}", kept_cell(ratio)),
        ]
        for ratio in ratios
    ]
    headers = ["what", "measured", "quartiles", "at most", "kept"]
    return Table("Limits", headers, rows)


def kept(ratio: BenchRatio) -> bool | None:
    """Whether it is within its limit; None where there is no limit, or no value."""
    if ratio.value is None or ratio.at_most is None:
        return None
    return ratio.value <= ratio.at_most


def kept_cell(ratio: BenchRatio) -> str:
    """`yes` or `no`, or why there is no value."""
    if ratio.value is None:
        return ratio.note or "not measured"
    said = {True: "yes", False: "no", None: ""}[kept(ratio)]
    return ", ".join(filter(None, (said, ratio.note)))


def step_tables(rows: Iterable[BenchRow]) -> Iterator[Table]:
    """For each number of threads: contenders down, dtypes across."""
    steps = [row for row in rows if row.part == "step"]
    floors = floors_of(steps)
    for threads, group in grouped(steps, "threads").items():
        dtypes = list(dict.fromkeys(row.dtype for row in group))
        at = {(row.name, row.dtype): row for row in group}
        cells = []
        for row in first_of_each(group).values():
            line = [row.name, row.kind]
            for dtype in dtypes:
                found = at.get((row.name, dtype))
                line += ["", ""] if found is None else step_cells(found, floors)
            cells.append(line)
        headers = ["contender", "kind"]
        headers += [head for d in dtypes for head in (f"{d}, µs", "÷ floor")]
        yield Table(f"A training step, {counted(threads)}", headers, cells)


def step_cells(row: BenchRow, floors: Mapping[tuple[object, ...], float]) -> list[str]:
    floor = floors.get(setting(row))
    return [spread(row), "" if floor is None else f"{row.median / floor:.2f}"]


def floors_of(rows: Iterable[BenchRow]) -> dict[tuple[object, ...], float]:
    """The median of the first floor in each setting."""
    floors = [row for row in rows if row.kind == "floor"]
    groups = grouped(floors, "framework", "dtype", "threads")
    return {key: group[0].median for key, group in groups.items()}


def setting(row: BenchRow) -> tuple[object, ...]:
    """What a row has in common with its floor."""
    return row.framework, row.dtype, row.threads


def cost_table(rows: Sequence[BenchRow]) -> Table:
    """What the suite itself costs: time, memory, and what there is to count."""
    noted = any(row.note for row in rows)
    cells = [
        [
            *(", ".join(filter(None, (row.name, row.dtype))), cost(row), row.unit),
            between(row.low, row.high) if row.repeats > 1 else "",
            *([row.note or ""] if noted else []),
        ]
        for row in rows
    ]
    headers = ["what", "measured", "unit", "quartiles", *(["note"] if noted else [])]
    return Table("What the suite costs", headers, cells)


def cost(row: BenchRow) -> str:
    return f"{row.median:,.0f}" if row.unit == "count" else short(row.median)


def sentences(bench: Bench) -> list[str]:
    """Are the limits kept, how long does a step of ours take, what was noted, and what is
    missing?
    """
    said = [limits_sentence(bench.ratios), steps_sentence(bench.rows)]
    noted = {
        f"{row.name}: {row.note}.": None
        for row in bench.rows
        if row.note and row.part not in COSTS
    }
    reasons = (f"{name}: {why.rstrip('.?')}." for name, why in bench.missing.items())
    return [*filter(None, said), *noted, *reasons]


def limits_sentence(ratios: Sequence[BenchRatio]) -> str:
    over = [r for r in ratios if kept(r) is False]
    count = len(over) + sum(kept(r) is True for r in ratios)
    unknown = sum(r.value is None for r in ratios)
    if not count:
        return ""
    said = f"{count - len(over)} of {count} limits that were measured are kept"
    if over:
        each = (f"{r.what} ({short(r.value)}, at most {r.at_most:g})" for r in over)
        said += f"; not kept: {', '.join(each)}"
    return said + (f"; not measured: {unknown}." if unknown else ".")


def steps_sentence(rows: Iterable[BenchRow]) -> str:
    """Of ours, in the first dtype on as many threads as there are."""
    steps = [row for row in rows if row.part == "step"]
    ours = [row for row in steps if row.kind == "ours"]
    if not ours:
        return ""
    dtype, threads = ours[0].dtype, max(row.threads or 0 for row in ours)
    floors = floors_of(steps)
    each = []
    for row in ours:
        if (row.dtype, row.threads or 0) == (dtype, threads):
            floor = floors.get(setting(row))
            times = f", {row.median / floor:.2f} times its floor" if floor else ""
            each.append(f"{row.name} {short(row.median)} µs{times}")
    return f"A training step in {dtype} with {counted(threads)}: {'; '.join(each)}."


def machine(environment: Environment) -> str:
    """On what it was measured, in one sentence."""
    versions = {"NumPy": environment.numpy, "PyTorch": environment.torch}
    versions |= {"JAX": environment.jax}
    known = [f"{name} {version}" for name, version in versions.items() if version]
    where = [environment.cpu, environment.platform, f"Python {environment.python}"]
    return f"Measured on {', '.join([*filter(None, where), *known])}."


def spread(row: BenchRow) -> str:
    """The median, and the quartiles where there are several repeats."""
    said = short(row.median)
    return f"{said} ({between(row.low, row.high)})" if row.repeats > 1 else said


def between(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f"{short(low)} to {short(high)}"
