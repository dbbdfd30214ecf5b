"""Where trainings part from the reference, and which ReLU is to blame."""

from collections.abc import Iterator, Sequence

from gradparity.parity_tests.measuring.records import Parting, Together
from gradparity.reports.tables.table import Table, number

PARTINGS = (
    "A step parts two trainings where it adds more to the difference of some parameter "
    "than rounding can, given what the difference was and with the same ReLUs open. First: "
    "the first step of all that does. Leap: the first that moves a parameter by more than "
    "rounding could any of its tensor, which is what one sees in a curve. Sample: the "
    "training image. Added: the same as a share of what rounding can add; and with that "
    "one ReLU forced to agree. Step ratio: the largest share of its bound that any tensor "
    "of the step uses, judged on what it was computed from; up to 1, no step of the "
    "computation is wrong. Differences are the largest of any parameter."
)


def parting_tables(partings: Sequence[Parting]) -> Iterator[Table]:
    """Where they part; what stood in front of that ReLU; and what came of it."""
    if not partings:
        return
    headers = [
        *("implementation", "dtype", "which", "step", "sample", "label", "unit"),
        *("difference before", "after", "added", "forced to agree", "replay"),
        "step ratio",
    ]
    rows = [
        [
            *(p.implementation, p.dtype, which(p), f"{p.step:,}"),
            *map(whole, (p.sample, p.label, p.unit)),
            *(number(p.gap_before), number(p.later[0].gap)),
            *(f"{p.ratio:.3g}", f"{p.forced_ratio:.3g}" if p.forced else ""),
            "proves it" if p.verified else "FAIL",
            "" if p.local_ratio is None else f"{p.local_ratio:.3g} {p.local_quantity}",
        ]
        for p in partings
    ]
    yield Table("Where they part from the reference", headers, rows)
    names = list(dict.fromkeys(name for p in partings for name in p.masks))
    rows = [
        [
            *(p.implementation, p.dtype, f"{p.step:,}", whole(p.unit)),
            *(preactivation(p, name) for name in names),
            *(f"{p.preactivation['truth']:.2e}", number(p.bound)),
            number(p.probable_bound),
        ]
        for p in partings
        if p.masks
    ]
    headers = ["implementation", "dtype", "step", "unit", *names, "truth"]
    headers += ["rounding bound", "probable bound"]
    if rows:
        yield Table("In front of that ReLU", headers, rows)
    yield later_table(partings)


def later_table(partings: Sequence[Parting]) -> Table:
    """The gap from the parting on, as trained and with the mask forced to agree."""
    after = sorted({at.step - p.step for p in partings for at in p.later})
    rows = []
    for p in partings:
        at = {a.step - p.step: a for a in p.later}
        who = [p.implementation, p.dtype, f"{p.step:,}"]
        trained = [number(at[n].gap) if n in at else "" for n in after]
        rows.append([*who, "as trained", number(p.gap_before), *trained])
        if p.forced:
            forced = [number(at[n].forced) if n in at else "" for n in after]
            rows.append([*who, "forced", number(p.gap_before), *forced])
    headers = ["implementation", "dtype", "step", "replayed", "before"]
    headers += [f"{n} later" if n else "after" for n in after]
    return Table("The difference of the parameters from there on", headers, rows)


def which(parting: Parting) -> str:
    return " and ".join(["first"] * parting.first + ["leap"] * parting.leap)


def whole(value: int | None) -> str:
    return "" if value is None else f"{value:,}"


def preactivation(parting: Parting, name: str) -> str:
    """What an implementation's was, and whether it let that through."""
    if name not in parting.masks:
        return ""
    return f"{parting.preactivation[name]:.2e} {opened(parting, name)}"


def opened(parting: Parting, name: str) -> str:
    """Of the ReLU that is to blame."""
    assert parting.unit is not None
    return "open" if parting.masks[name][parting.unit] else "shut"


def parting_sentences(
    partings: Sequence[Parting], together: Sequence[Together]
) -> list[str]:
    """What happened, a sentence or two for each."""
    first = {(p.implementation, p.dtype): p.step for p in partings if p.first}
    return [
        told(p, first.get((p.implementation, p.dtype), p.step)) for p in partings
    ] + [
        f"{t.implementation} in {t.dtype} never parts from the reference: in "
        f"{t.steps:,} steps none of the reference's pre-activations came nearer to zero "
        f"than {t.nearest:.1e}, and the parameters end {t.gap:.1e} apart."
        for t in together
    ]


def told(p: Parting, first: int) -> str:
    """What happened; `first` is the step at which the two parted first."""
    who = f"{p.implementation} in {p.dtype}"
    if p.local_ratio is not None and p.local_ratio > 1:
        return (
            f"{who} computes {p.local_quantity} wrong at step {p.step:,}: it is "
            f"{p.local_ratio:.3g} times its bound from what follows from what it was "
            "computed from."
        )
    does = "parts from the reference" if p.first else "leaps away from the reference"
    if p.unit is None:
        return (
            f"{who} {does} at step {p.step:,}, and no ReLU is to blame: it adds "
            f"{p.ratio:.3g} times what rounding can."
        )

    reference, other = (
        f"{p.preactivation[name]:.1e} in {name} ({opened(p, name)})"
        for name in ("reference", p.implementation)
    )

    since = (
        f" By then they have been parted for {p.step - first:,} steps."
        if first < p.step
        else ""
    )
    forced = "this one ReLU" if p.forced == 1 else f"{p.forced} of {p.flips} ReLUs"
    return (
        f"{who} {does} at step {p.step:,}: on training image {p.sample:,}, a {p.label}, "
        f"the pre-activation of hidden unit {p.unit} is {reference} and "
        f"{other}, and {p.preactivation['truth']:.1e} in exact "
        f"arithmetic from the reference's parameters.{since} The step adds {p.jump:.1e} "
        f"to the difference of one parameter, {p.ratio:.3g} times what rounding can; with "
        f"{forced} forced to agree, {p.forced_ratio:.2g} times. The largest difference of "
        f"any goes from {p.gap_before:.1e} to {p.later[0].gap:.1e}."
    )
