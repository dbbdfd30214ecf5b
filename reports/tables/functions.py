"""Functions that were compared: what was found, as text and as data."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from gradparity.parity_tests.functions import wording
from gradparity.parity_tests.functions.comparison import (
    GENERIC,
    YOURS,
    Comparison,
    Pair,
)
from gradparity.parity_tests.functions.judging import Number
from gradparity.parity_tests.functions.programs import Executed, Recording
from gradparity.reports.tables.table import Table

LOTS = {YOURS: "given", GENERIC: "generic"}
BEFORE = 3  # steps told of those that come before the first that differs


def tables(found: Comparison) -> Iterator[Table]:
    """All that is told after the first sentence, without columns that say nothing."""
    for table in whole_tables(found):
        yield replace(table.without_empty(), records=True)


def whole_tables(found: Comparison) -> Iterator[Table]:
    """The same, each with all its columns."""
    for pair in found.pairs:
        of = f": {wording.listed([*pair.names])}" if len(found.pairs) > 1 else ""
        if not pair.same_function:
            yield quantities(pair, of)
            yield from parted(pair, of)
        else:
            yield rounding(pair, of)
    yield operators(found)
    if found.budgets:
        yield budgets(found)


def quantities(pair: Pair, of: str = "") -> Table:
    """What each has for the element of a quantity that is furthest beyond rounding."""
    rows = []
    for tried in pair.tried:
        for number in tried.numbers:
            values = number.unlike or wording.told_apart(number.values) or ("", "")
            rows.append(
                [
                    number.quantity,
                    tried.dtype,
                    LOTS[tried.on],
                    "same" if number.same else "DIFFER",
                    wording.place(number.at or ()).replace(" ", ""),
                    *values,
                    ratio(number.ratio),
                ]
            )
    headers = [
        *("quantity", "dtype", "numbers", "same?", "at"),
        *(*pair.names, "times rounding"),
    ]
    return Table(f"Where the two are furthest apart{of}", headers, rows)


def ratio(value: float | None) -> str:
    return "" if value is None else f"{value:.2g}"


def parted(pair: Pair, of: str = "") -> Iterator[Table]:
    """The first step that differs, what goes in and what comes out, and what was before."""
    if pair.partings is None:
        return
    rows = []
    for name, parting in zip(pair.names, pair.partings, strict=True):
        for step, other in parting.common[-BEFORE:]:
            same = "same" if other is not None else ""
            rows.append([name, step.stage, step.code, step.where, same])
        rows += [
            [name, step.stage, step.code, step.where, "first to differ"]
            for step in parting.steps[:1]
        ]
        if not parting.steps:
            rows.append([name, "", wording.NONE, "", ""])
        elif parting.after:
            follow = "follows" if parting.after == 1 else "follow"
            rows.append([name, "", f"{parting.after} more {follow} from it", "", ""])
    headers = ["function", "phase", "step", "line", ""]
    yield Table(f"Where the two part{of}", headers, rows)


def rounding(pair: Pair, of: str = "") -> Table:
    """How much of the difference is rounding."""
    rows = []
    for tried in pair.tried:
        for number in tried.numbers:
            rows.append(
                [
                    number.quantity,
                    tried.dtype,
                    LOTS[tried.on],
                    "same" if number.same else "DIFFER",
                    f"{number.largest[0]:.2g}",
                    ratio(number.ratio),
                    ratio(number.probable_ratio),
                    "estimated" if number.estimated else "",
                ]
            )
    headers = [
        *("quantity", "dtype", "numbers", "same?", "largest difference"),
        *("share of certain bound", "of probable", "bound"),
    ]
    return Table(f"How much is rounding{of}", headers, rows)


def operators(found: Comparison) -> Table:
    """Operator by operator, on what each got."""
    rows = []
    for (name, dtype), each in found.operators.items():
        unjudged = ", ".join(f"{op} ({n})" for op, n in sorted(each.unjudged.items()))
        at = each.at
        rows.append(
            [
                name,
                dtype,
                f"{each.judged} of {each.steps}",
                ratio(each.worst),
                at.operator if at else "",
                at.where if at else "",
                str(len(each.failed) or ""),
                unjudged,
            ]
        )
    for (name, dtype), tried in found.wholes.items():
        worst = max((n.ratio or 0.0 for n in tried.numbers), default=0.0)
        beyond = str(sum(not n.same for n in tried.numbers) or "")
        judged = f"{len(tried.numbers)} results"
        rows.append(
            [name, dtype, judged, ratio(worst), "jit, as a whole", "", beyond, ""]
        )
    headers = [
        *("function", "dtype", "judged", "worst share of bound", "operator"),
        *("line", "beyond bound", "not judged"),
    ]
    return Table("Operator by operator, on what each was given", headers, rows)


def budgets(found: Comparison) -> Table:
    """Which steps the bound of a number comes of."""
    rows = []
    for (name, dtype, quantity), shares in found.budgets.items():
        for share in shares[:3]:
            step = share.step
            rows.append(
                [name, dtype, quantity, f"{share.share:.0%}", step.operator, step.where]
            )
    headers = ["function", "dtype", "quantity", "share", "step", "line"]
    return Table("Which steps the rounding comes of", headers, rows)


# --- Data -------------------------------------------------------------------------------


def facts(found: Comparison) -> dict[str, Any]:
    """What was found, for machines."""
    first = next((pair for pair in found.pairs if pair.partings), None)
    return {
        "kind": "functions",
        "targets": [{"name": n, "framework": found.frameworks[n]} for n in found.names],
        "same": found.same,
        "answer": wording.answer(found),
        "quantities": [row for pair in found.pairs for row in of_pair(pair)],
        "first_difference": None if first is None else difference(first),
        "mistake": None if first is None else mistake(first),
        "arithmetic": [arithmetic(*key, found) for key in found.operators],
        "compiled": [
            {"target": name, "dtype": dtype, "quantity": n.quantity, **bound(n)}
            for (name, dtype), tried in found.wholes.items()
            for n in tried.numbers
        ],
        "budget": [
            {
                "target": name,
                "dtype": dtype,
                "quantity": quantity,
                "share": share.share,
                "operator": share.step.operator,
                "where": share.step.where,
            }
            for (name, dtype, quantity), shares in found.budgets.items()
            for share in shares
        ],
        "not_derivatives": {
            k: v for pair in found.pairs for k, v in pair.underived.items()
        },
        "not_compared": {k: v for pair in found.pairs for k, v in pair.missing.items()},
        "notes": found.notes,
    }


def of_pair(pair: Pair) -> Iterator[dict[str, Any]]:
    for tried in pair.tried:
        for number in tried.numbers:
            each = number.unlike or number.values
            values = dict(zip(pair.names, each, strict=False))
            yield {
                "quantity": number.quantity,
                "targets": [*pair.names],
                "dtype": tried.dtype,
                "inputs": LOTS[tried.on],
                "same": number.same,
                "max_abs": number.largest[0],
                "max_rel": number.largest[1],
                "at": None if number.at is None else [*number.at],
                "values": values,
                **bound(number),
            }


def bound(number: Number) -> dict[str, Any]:
    return {
        "bound": number.certain,
        "bound_ratio": number.ratio,
        "probable_ratio": number.probable_ratio,
        "estimated": number.estimated,
        "bounds": [*number.bounds],
        "rounding": number.same,
        "note": number.note,
    }


def difference(pair: Pair) -> dict[str, Any]:
    assert pair.partings is not None
    assert pair.sides is not None
    wrong = [n for tried in pair.tried for n in tried.wrong]
    relative = max((n.largest[1] for n in wrong), default=0.0)
    found = zip(pair.names, pair.partings, pair.sides, strict=True)
    phases = [p.steps[0].phase for p in pair.partings if p.steps]
    return {
        "phase": phases[0] if phases else None,
        "quantity": wrong[0].quantity if wrong else None,
        "steps": {
            name: as_data(parting.steps[0], side.recording) if parting.steps else None
            for name, parting, side in found
        },
        "max_rel": relative,
    }


def mistake(pair: Pair) -> dict[str, str] | None:
    found = pair.mistake
    return None if found is None else {"name": found.name, "sentence": found.sentence}


def as_data(step: Executed, recording: Recording) -> dict[str, Any]:
    return {
        "number": step.number,
        "phase": step.phase,
        "kept": step.kept,
        "operator": step.operator,
        "code": step.code,
        "where": step.where,
        "module": step.module,
        "settings": {k: plain(v) for k, v in step.settings.items()},
        "results": [
            {"shape": [*value.shape], "dtype": str(value.dtype)}
            for value in (recording.values[number] for number in step.results)
        ],
    }


def plain(value: Any) -> Any:
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, tuple | list):
        return [plain(part) for part in value]
    return value if isinstance(value, bool | int | float | str | None) else str(value)


def arithmetic(name: str, dtype: str, found: Comparison) -> dict[str, Any]:
    each = found.operators[name, dtype]
    return {
        "target": name,
        "dtype": dtype,
        "steps": each.steps,
        "judged": each.judged,
        "worst_ratio": each.worst,
        "operator": each.at.operator if each.at else None,
        "where": each.at.where if each.at else None,
        "failed": [
            {
                **as_data(failed.step, found.ran[name, dtype].recording),
                "ratio": failed.ratio,
                "at": [*failed.at],
                "value": failed.value,
                "truth": failed.truth,
            }
            for failed in each.failed
        ],
        "unjudged": each.unjudged,
    }


def show(found: Comparison) -> None:
    """Print it, the answer first."""
    from gradparity.reports.console import output, say

    for line in wording.report(found):
        say(line)
    say("")
    for table in tables(found):
        if table.rows:
            table.print(output)
            if output.is_terminal:
                say("")
