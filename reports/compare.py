"""What changed between two runs: a framework upgrade, another machine."""

from typing import Any

from gradparity.parity_tests.catalogue.divergences import gone_in
from gradparity.parity_tests.measuring.records import Check, Training
from gradparity.reports.results import Results
from gradparity.reports.tables.partings import which
from gradparity.reports.tables.table import Table, number

VERSIONS = ("gradparity", "python", "numpy", "torch", "jax", "platform", "cpu", "blas")


def compare(a: Results, b: Results) -> dict[str, list[dict[str, Any]]]:
    """All that differs from a to b, under five headings.

    environment: versions and switches; verdicts: checks whose verdict is another, or
    which only one run has; differences: layers, dtypes and implementations whose worst
    difference is another; training: how they end, and where they part; curves: losses,
    accuracies, drift and flips over the steps, from where on they are others.
    """
    return {
        "environment": environment_changes(a, b),
        "verdicts": verdict_changes(a, b),
        "differences": difference_changes(a, b),
        "training": training_changes(a, b),
        "curves": curve_changes(a, b),
    }


def environment_changes(a: Results, b: Results) -> list[dict[str, Any]]:
    before, after = (
        {name: getattr(r.environment, name) for name in VERSIONS}
        | {f"threads: {name}": count for name, count in r.environment.threads.items()}
        | r.environment.packages
        | r.environment.switches
        | {"dataset": r.environment.dataset and r.environment.dataset.name}
        for r in (a, b)
    )
    return changes(before, after, "name")


def verdict_changes(a: Results, b: Results) -> list[dict[str, Any]]:
    """A row for every check whose verdict is another, or of which b notes that a divergence
    is gone; with what is noted of it.
    """
    nothing: tuple[str | None, str | None] = (None, None)
    before, after = (
        {key(check): (str(check.verdict), check.note) for check in results.checks}
        for results in (a, b)
    )
    rows = []
    for name in dict.fromkeys([*before, *after]):
        was, earlier = before.get(name, nothing)
        now, note = after.get(name, nothing)
        gone = gone_in(note)
        if was != now or (gone and gone != gone_in(earlier)):
            rows.append({"check": name, "before": was, "after": now, "note": note})
    return rows


def key(check: Check) -> str:
    return f"{check.case} {check.quantity} {check.dtype} {check.implementation}"


def difference_changes(a: Results, b: Results) -> list[dict[str, Any]]:
    def worst(results: Results) -> dict[str, str]:
        found: dict[str, float] = {}
        for check in results.checks:
            if check.max_abs is not None and check.verdict != "documented divergence":
                who = f"{check.dtype} {check.implementation}"
                name = f"{check.layer} {check.quantity} {who}"
                found[name] = max(found.get(name, 0.0), check.max_abs)
        return {name: number(value) for name, value in found.items()}

    return changes(worst(a), worst(b), "tensor")


def training_changes(a: Results, b: Results) -> list[dict[str, Any]]:
    def facts(results: Results) -> dict[str, str]:
        found = {}
        for t in results.training:
            for what, value in summary(t).items():
                found[f"{t.implementation} {t.dtype} {what}"] = value
        for p in results.partings:
            who = f"{p.implementation} {p.dtype} parting ({which(p)})"
            found[who] = f"step {p.step:,}, sample {p.sample}, unit {p.unit}"
        return found

    return changes(facts(a), facts(b), "quantity")


def summary(training: Training) -> dict[str, str]:
    end = training.epochs[-1]
    only = training.discordant
    found = {
        "steps": str(training.steps),
        "seed": str(training.seed),
        "final loss": f"{end.loss:.6f}",
        "train accuracy": f"{end.train_accuracy:.4f}",
        "test accuracy": f"{end.test_accuracy:.4f}",
        "largest drift": number(training.largest_drift),
        "predictions differing": str(training.test_predictions_differing),
    }
    if training.flips:
        found["flips"] = str(sum(n for _, n in training.flips))
    if only is not None:
        found["right only by this"] = str(only.only_this)
        found["right only by the reference"] = str(only.only_reference)
    return found


def curve_changes(a: Results, b: Results) -> list[dict[str, Any]]:
    """A row for every curve that both runs have and that is not the same: the first step
    at which it is another, the step at which it is most so, and its values there.
    """
    before, after = curves(a), curves(b)
    rows = []
    for name in before:
        both = [step for step in before[name] if step in after.get(name, {})]
        apart = {s: abs(before[name][s] - after[name][s]) for s in both}
        differing = [step for step, gap in apart.items() if gap > 0]
        if differing:
            most = max(differing, key=lambda step: apart[step])
            rows.append(
                {
                    "curve": name,
                    "from step": differing[0],
                    "points": f"{len(differing)} of {len(both)}",
                    "most at step": most,
                    "before": before[name][most],
                    "after": after[name][most],
                }
            )
    return rows


def curves(results: Results) -> dict[str, dict[int, float]]:
    """Everything that a training tells of its course: a value by step."""
    found: dict[str, dict[int, float]] = {}
    for t in results.training:
        who = f"{t.implementation} {t.dtype}"
        found[f"{who} loss"] = dict(t.losses)
        for data in ("train", "test"):
            found[f"{who} {data} accuracy"] = {
                e.step: getattr(e, f"{data}_accuracy") for e in t.epochs
            }
        for d in t.drift:
            found.setdefault(f"{who} drift of {d.quantity}", {})[d.step] = d.max_abs
        found[f"{who} flips"] = {step: float(n) for step, n in t.flips}
    return found


def changes(
    before: dict[str, Any], after: dict[str, Any], name: str
) -> list[dict[str, Any]]:
    """A row for every name whose value is not the same in both; None where absent."""
    return [
        {name: item, "before": before.get(item), "after": after.get(item)}
        for item in dict.fromkeys([*before, *after])
        if before.get(item) != after.get(item)
    ]


def tables(found: dict[str, list[dict[str, Any]]]) -> list[Table]:
    """A table for every heading under which something changed."""
    return [
        Table(
            f"{heading.capitalize()}: {len(rows)} changed",
            list(rows[0]),
            [[shown(value) for value in row.values()] for row in rows],
        )
        for heading, rows in found.items()
        if rows
    ]


def shown(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.5g}" if isinstance(value, float) else str(value)
