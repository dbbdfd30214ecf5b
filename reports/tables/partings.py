"""What is said of trainings beside their accuracies: do the networks know the same, how do
they drift apart, and where do they part; as tables and sentences.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from gradparity.parity_tests.measuring.records import (
    Band,
    Disagreement,
    Drift,
    Paired,
    Parting,
    Together,
    Training,
)
from gradparity.reports.results import Results
from gradparity.reports.tables import (
    Table,
    lecture_accuracy,
    number,
    training_sentence,
    training_table,
)

OUTCOME = (
    "Right by one only: test samples that this network classifies right and the "
    "reference's does not, or the other way round; p is McNemar's exact test of whether "
    "that falls to either side alike. Small would mean that they do not know the same."
)
GROWTH = (
    "The largest difference of a parameter from the reference's. Exponent: k where it "
    "grows as step^k, fitted from step 100 up to where they part, or the end. Rounding "
    "that adds up at random would give 0.5, rounding that always errs to the same side 1; "
    "gradient descent forgets some of it."
)
OUTSIDERS = (
    "Written by others, so that the three cannot be wrong together: scikit-learn's "
    "MLPClassifier, optax, and torch.nn.Sequential with torch.optim.SGD. They start from "
    "the same parameters, are given the same mini-batches of the first tenth of the run, "
    "and are held against the reference on one thread."
)
PAIRED_LEGEND = (
    "Differences are taken by seed; the interval is Student's t, p that of the exact test "
    "that flips their signs. Differing: the seeds that end with test predictions unlike "
    "the reference's, and how many those are in all."
)
PARTINGS = (
    "A step parts two trainings where it adds more to the difference of some parameter "
    "than rounding can, given what the difference was and with the same ReLUs open. First: "
    "the first step of all that does. Leap: the first that moves a parameter by more than "
    "rounding could any of its tensor, which is what one sees in a curve. Sample: the "
    "training image. Added: the same as a share of what rounding can add; and with that "
    "one ReLU forced to agree. Differences are the largest of any parameter."
)


@dataclass(frozen=True)
class Section:
    """A heading with what is said under it."""

    anchor: str
    title: str
    text: str
    sentences: list[str]
    tables: list[Table]


def sections(results: Results) -> list[Section]:
    """What the report says of its trainings; nothing where there is nothing to say."""
    trainings, partings = results.training, results.partings
    found = [
        Section(
            "partings",
            "Where they part, and why",
            PARTINGS,
            parting_sentences(partings, results.together),
            list(parting_tables(partings)),
        ),
        Section(
            "growth",
            "How the differences grow",
            GROWTH,
            [],
            [growth_table(trainings, partings)],
        ),
        Section(
            "outcome",
            "Do they know the same?",
            OUTCOME,
            outcome_sentences(trainings),
            list(outcome_tables(trainings)),
        ),
        Section(
            "outsiders",
            "Against outsiders",
            OUTSIDERS,
            outsider_sentences(results),
            [training_table(results.outsiders)],
        ),
        Section("seeds", "From several seeds", PAIRED_LEGEND, [], seed_tables(results)),
    ]
    return [s for s in found if s.sentences or any(t.rows for t in s.tables)]


def outsider_sentences(results: Results) -> list[str]:
    said = training_sentence(results.outsiders, results.tests)
    return [f"{said[:1].upper()}{said[1:]}."] if said else []


def outcome_sentences(trainings: Sequence[Training]) -> list[str]:
    """Where all know the same to the last sample."""
    return [
        f"In {dtype} the confusion matrices of {', '.join(t.implementation for t in group)}"
        " are the same."
        for dtype, group in by_dtype(trainings)
        if group[1:] and all(t.confusion == group[0].confusion for t in group)
    ]


def outcome_tables(trainings: Sequence[Training]) -> Iterator[Table]:
    """Against the reference: the test samples that only one has right; and by class, where
    any differ.
    """
    others = [t for t in trainings if t.discordant is not None]
    rows = [
        [
            *(t.implementation, t.dtype, f"{t.test_predictions_differing:,}"),
            *(f"{t.discordant.only_this:,}", f"{t.discordant.only_reference:,}"),
            f"{t.discordant.p_value:.3g}",
        ]
        for t in others
        if t.discordant
    ]
    headers = [
        *("implementation", "dtype", "predictions differing"),
        *("right only by this", "right only by the reference", "p"),
    ]
    if rows:
        yield Table("Do they know the same?", headers, rows)
    for dtype, group in by_dtype(trainings):
        if any(t.confusion != group[0].confusion for t in group):
            yield class_table(dtype, group)
            yield confusion_table(dtype, group)
    yield from disagreement_tables(trainings)


def disagreement_tables(trainings: Sequence[Training]) -> Iterator[Table]:
    """The samples on which some network differs from the reference's, and the
    probabilities that each finds for the two classes it likes best.
    """
    for dtype in dict.fromkeys(t.dtype for t in trainings):
        group = [t for t in trainings if t.dtype == dtype and t.disagreements]
        names = [t.implementation for t in group]
        found: dict[int, dict[str, Disagreement]] = {}
        for t in group:
            for d in t.disagreements:
                found.setdefault(d.index, {})[t.implementation] = d
        rows = []
        for index, at in sorted(found.items()):
            first = next(iter(at.values()))
            cells = [likeliest(at[n].probabilities) if n in at else "=" for n in names]
            reference = likeliest(first.reference_probabilities)
            rows.append([f"{index:,}", str(first.label), reference, *cells])
        title = f"Test samples on which they disagree, {dtype}"
        if rows:
            yield Table(title, ["sample", "label", "reference", *names], rows)


def likeliest(probabilities: Sequence[float]) -> str:
    """The two likeliest classes and their probabilities."""
    best = np.argsort(probabilities)[::-1][:2]
    return ", ".join(f"{k}: {probabilities[k]:.2%}" for k in best)


def by_dtype(trainings: Iterable[Training]) -> Iterator[tuple[str, list[Training]]]:
    """Those of each dtype, the reference first, if it is there and says what it knows."""
    for dtype, found in groupby(trainings, lambda t: t.dtype):
        group = [t for t in found if t.confusion]
        if group and group[0].implementation == "reference":
            yield dtype, group


def class_table(dtype: str, group: Sequence[Training]) -> Table:
    """How many of each class the reference has right, and the others more or less."""
    rows = []
    for label, counts in enumerate(group[0].confusion):
        right = [t.confusion[label][label] for t in group]
        share = f"{right[0]:,} ({right[0] / max(sum(counts), 1):.2%})"
        more = [f"{n - right[0]:+d}" if n != right[0] else "=" for n in right[1:]]
        rows.append([str(label), f"{sum(counts):,}", share, *more])
    headers = ["class", "samples", *(t.implementation for t in group)]
    return Table(f"Right by class, {dtype}", headers, rows)


def confusion_table(dtype: str, group: Sequence[Training]) -> Table:
    """The cells of the confusion matrix that are not the same for all."""
    matrices = np.array([t.confusion for t in group])
    cells = np.argwhere((matrices != matrices[0]).any(axis=0))
    rows = [[str(i), str(j), *map(str, matrices[:, i, j])] for i, j in cells]
    headers = ["label", "classified as", *(t.implementation for t in group)]
    return Table(f"Where the confusion matrices differ, {dtype}", headers, rows)


def growth_table(trainings: Sequence[Training], partings: Sequence[Parting]) -> Table:
    """The drift of every tensor at powers of ten and at the end, and how it grows."""
    last = max((t.steps for t in trainings if t.drift), default=0)
    shown = [10**k for k in range(12) if 10**k < last] + [last] * bool(last)
    rows = []
    for t in trainings:
        parted = [p.step for p in partings if same_run(p, t) and p.first]
        for name, found in by_tensor(t.drift):
            at = {d.step: d.max_abs for d in found}
            exponent = fitted([d for d in found if d.step < min([*parted, np.inf])])
            cells = [number(at.get(step)) for step in shown]
            said = "" if exponent is None else f"{exponent:.2f}"
            rows.append([name, t.implementation, t.dtype, *cells, said])
    headers = [f"step {step:,}" for step in shown]
    headers = ["tensor", "implementation", "dtype", *headers, "exponent"]
    return Table("Growth of the differences", headers, rows)


def by_tensor(drift: Iterable[Drift]) -> Iterator[tuple[str, list[Drift]]]:
    found: dict[str, list[Drift]] = {}
    for d in drift:
        found.setdefault(d.quantity, []).append(d)
    yield from found.items()


def same_run(parting: Parting, training: Training) -> bool:
    run = training.implementation, training.dtype
    return (parting.implementation, parting.dtype) == run


def fitted(drift: Sequence[Drift]) -> float | None:
    """The exponent of a power of the step, by least squares of the logarithms from step
    100 on; None where there is too little to go by.
    """
    points = [(d.step, d.max_abs) for d in drift if d.step >= 100 and d.max_abs > 0]
    if len(points) < 5:
        return None
    steps, gaps = np.log(np.array(points)).T
    return float(np.polyfit(steps, gaps, 1)[0])


def parting_tables(partings: Sequence[Parting]) -> Iterator[Table]:
    """Where they part; what stood in front of that ReLU; and what came of it."""
    if not partings:
        return
    headers = [
        *("implementation", "dtype", "which", "step", "sample", "label", "unit"),
        *("difference before", "after", "added", "forced to agree", "replay"),
    ]
    rows = [
        [
            *(p.implementation, p.dtype, which(p), f"{p.step:,}"),
            *map(whole, (p.sample, p.label, p.unit)),
            *(number(p.gap_before), number(p.later[0].gap)),
            *(f"{p.ratio:.3g}", f"{p.forced_ratio:.3g}" if p.forced else ""),
            "proves it" if p.verified else "FAIL",
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


def paired_table(rows: Sequence[Paired]) -> Table:
    """Over several seeds: is the final test accuracy another than the reference's?"""
    cells = []
    for row in rows:
        count = len(row.differences)
        tested = ["0", f"all {count} differences are 0: nothing to test", ""]
        if row.interval is not None:
            low, high = row.interval
            tested = [f"{row.mean:+.5f}", f"{low:+.5f} to {high:+.5f}", f"{row.p:.3g}"]
        cells.append(
            [
                *(row.implementation, row.dtype, *tested),
                f"{row.seeds_differing} of {count}",
                str(row.test_predictions_differing),
            ]
        )
    headers = [
        *("implementation", "dtype", "mean difference", "95 % interval", "p"),
        *("seeds differing", "predictions differing"),
    ]
    return Table("Test accuracy at the end less the reference's", headers, cells)


def band_tables(bands: Sequence[Band]) -> Iterator[Table]:
    """The lecture's rows beside the reference's accuracies from several seeds."""
    for dtype in dict.fromkeys(band.dtype for band in bands):
        chosen = [band for band in bands if band.dtype == dtype]
        rows = [band_row(band, is_end=band is chosen[-1]) for band in chosen]
        headers = [
            *("epoch", "step", "lecture", "train, lowest to highest", "mean"),
            *("test, lowest to highest", "mean", "the lecture's"),
        ]
        title = f"The lecture and {chosen[0].seeds} seeds of the reference, {dtype}"
        yield Table(title, headers, rows)


def seed_tables(results: Results) -> list[Table]:
    """What there is to say of trainings from several seeds."""
    dataset = results.environment.dataset
    mnist = dataset is not None and dataset.name == "mnist"
    found = [*band_tables(results.bands)] if mnist else []
    return found + ([paired_table(results.seeds)] if results.seeds else [])


def band_row(band: Band, is_end: bool) -> list[str]:
    pair = lecture_accuracy(band.epoch, is_end)
    row = ["end" if is_end else str(band.epoch), str(band.step)]
    row.append(f"{pair[0]:.4f}/{pair[1]:.4f}" if pair else "")
    for low, mean, high in (band.train_accuracy, band.test_accuracy):
        row += [f"{low:.4f} to {high:.4f}", f"{mean:.4f}"]
    return [*row, placed(pair, band) if pair else ""]


def placed(lecture: tuple[float, float], band: Band) -> str:
    """Where the lecture's pair lies: `both inside`, `train inside, test below`."""

    def place(value: float, among: tuple[float, float, float]) -> str:
        low, _, high = among
        return "below" if value < low else "above" if value > high else "inside"

    train, test = (
        place(value, among)
        for value, among in zip(
            lecture, (band.train_accuracy, band.test_accuracy), strict=True
        )
    )
    return f"both {train}" if train == test else f"train {train}, test {test}"
