"""What a run of the suite finds: the rows of `results.json`.

The fields are a format that other programs read: they may be added to, not renamed.
"""

from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Record(BaseModel):
    """Infinity and NaN are written as strings, since JSON has no word for them."""

    model_config = ConfigDict(ser_json_inf_nan="strings")


class Verdict(StrEnum):
    """What came of one comparison."""

    IDENTICAL = "identical"
    WITHIN_BOUND = "within bound"
    NO_BOUND = "no bound"
    NOT_JUDGED = "not judged"
    DOCUMENTED = "documented divergence"
    FAIL = "FAIL"
    MISSING = "missing"


class Worst(Record):
    """The element at which the difference is largest for its bound."""

    index: list[int]
    value: float
    truth: float
    bound: float | None = None


class Check(Record):
    """One tensor of one implementation against the truth. `local_ratio` is that of a
    network's tensor to the bound of its own step, on what that step took.
    """

    scope: Literal["layer", "network"]
    case: str
    kind: Literal["typical", "edge", "invalid"]
    layer: str
    quantity: str
    dtype: str
    implementation: str
    shape: list[int] = []
    max_abs: float | None = None
    max_rel: float | None = None
    max_ulp: float | None = None
    bound_ratio: float | None = None
    probable_ratio: float | None = None
    max_abs_reference: float | None = None
    local_ratio: float | None = None
    worst: Worst | None = None
    verdict: Verdict
    note: str | None = None


class Exceeded(Record):
    """A function that this machine computes less accurately than the bounds allow: off by
    so many ulps at this number, in a layer or, where that is empty, by itself. `measured`
    is where what is allowed comes from.
    """

    function: str
    layer: str
    dtype: str
    framework: str
    ulps: float
    at: float
    allowed: float
    measured: str

    @property
    def sentence(self) -> str:
        where = f" in {self.layer}" if self.layer else ""
        return (
            f"{self.framework}'s {self.function}{where} is off by {self.ulps:.3g} ulps in "
            f"{self.dtype} here, at {self.at!r}: more than the {self.allowed:.3g} that "
            f"were measured ({self.measured}). Bounds may be too small: run "
            "`make elementary`."
        )


class TruthCheck(Record):
    """One tensor of the reference against another way to compute it."""

    method: str
    layer: str
    case: str
    quantity: str
    dtype: str
    elements: int
    mean_abs: float
    max_abs: float
    max_ulp: float
    bound_ratio: float
    worst: Worst
    verdict: Verdict


class StepError(Record):
    """What a step of a network adds to the error of a number: at most, probably, and what
    its own error did add, with its sign.
    """

    step: str
    certain: float
    probable: float
    actual: float | None = None


class ErrorBudget(Record):
    """A number that an implementation computed of a network, and how far off it is: the
    loss, or of a gradient an element or the sum along a direction.

    `composed` is the bound that follows errors step by step; `certain` and `probable` are
    the adjoint bounds to first order, None where they are more than a tenth of the value
    and claim nothing; `steps` has what they are made of, the most first.
    """

    case: str
    dtype: str
    implementation: str
    quantity: str
    of: str
    value: float
    composed: float
    certain: float | None
    probable: float | None
    actual: float
    steps: list[StepError]


class Divergence(Record):
    """A place where implementations legitimately differ, and why.

    `values` are those of one element there; `at` is what goes into it, or its case.
    """

    id: str
    layer: str = ""
    where: str
    dtype: str
    at: str = ""
    values: dict[str, str]
    why: str
    source: str


class Among(Record):
    """What was found of one kind of inputs; `documented` counts by reason."""

    kind: str
    inputs: int
    differing: int
    documented: dict[str, int]
    failed: int
    max_ulp: float
    at: float | None
    value: float | None
    truth: float | None


class Exhaustive(Record):
    """One quantity of one implementation on every float32, or as many as were tried.

    `differing`, `documented` and `failed` count inputs of all kinds: on how many the
    bits are not the reference's, the error is one that is documented, and nothing
    explains it. `max_ulp` and `at` are those of normal numbers; `seconds` is what the
    layer took, all implementations together.
    """

    layer: str
    quantity: str
    implementation: str
    inputs: int
    differing: int
    max_ulp: float
    at: float | None
    documented: dict[str, int]
    failed: int
    verdict: Verdict
    seconds: float
    kinds: list[Among]


class Epoch(Record):
    """Where a training stands after `step` steps; the loss is that of this step."""

    epoch: int
    step: int
    loss: float
    train_accuracy: float
    test_accuracy: float


class Drift(Record):
    """How far a parameter tensor is from the reference's in the same dtype."""

    step: int
    quantity: str
    max_abs: float
    max_rel: float


class Disagreement(Record):
    """A test sample that a final network classifies unlike the reference's, with the
    probabilities that the two give to every class.
    """

    index: int
    label: int
    reference: int
    predicted: int
    probabilities: list[float] = []
    reference_probabilities: list[float] = []


class Discordant(Record):
    """The test samples that one of two networks has right and the other wrong; and
    McNemar's exact test of the hypothesis that either is as likely.
    """

    only_reference: int
    only_this: int
    p_value: float


class Training(Record):
    """One training from start to end.

    `losses` has the mean since the last stop; `flips` counts, on the mini-batch of a stop,
    the ReLUs that its parameters open and the reference's shut, or the other way round,
    in exact arithmetic. `confusion` counts the test samples of each label (row) by the
    class that the final network gives them (column).
    """

    implementation: str
    dtype: str
    steps: int
    batch_size: int
    learning_rate: float
    seed: int
    seconds: float
    epochs: list[Epoch] = Field(min_length=1)
    losses: list[tuple[int, float]] = []
    drift: list[Drift] = []
    flips: list[tuple[int, int]] = []
    test_predictions_differing: int
    disagreements: list[Disagreement] = []
    confusion: list[list[int]] = []
    discordant: Discordant | None = None

    @property
    def largest_drift(self) -> float:
        """Of any parameter at any step; 0 for the reference itself."""
        return max((d.max_abs for d in self.drift), default=0.0)


class Untrained(Record):
    """A training that did not come to its end. The verdict is `missing` where a framework
    cannot be imported, and `FAIL` where an error was raised; `note` says which.
    """

    implementation: str
    dtype: str
    seed: int
    verdict: Verdict
    note: str

    @property
    def sentence(self) -> str:
        return f"{self.implementation} in {self.dtype} does not train: {self.note}"


class Apart(Record):
    """How far the parameters are from the reference's after a step; and how far they
    would be, had the masks agreed in the step that parted them.
    """

    step: int
    gap: float
    forced: float | None = None


class Parting(Record):
    """A step that parts a training from the reference's by more than rounding: the first
    of all, or the first leap, which moves a tensor by more than rounding could any of it.

    Gaps are the largest differences of any parameter. `jump` is what this step has added
    to the difference of the element where that is most against `allowed`, what rounding
    can add. `flips` ReLUs were open in one and shut in the other; the one that moved a
    parameter furthest is that of `unit` for the training image `sample`. `preactivation`
    is what stood before it, by implementation from its own parameters, and the truth from
    the reference's; `exact` the truth from each one's own. `bound` and `probable_bound`
    are what rounding can do to it; `masks` tell which of the units are open for this
    image. With `forced` masks made to agree, the ratio of jump to allowed is
    `forced_ratio`; that is verified if it is at most 1. `local_ratio` is the largest share
    of its bound that any tensor of this step uses, judged on what the implementation itself
    computed it from, and `local_quantity` that tensor: at most 1 where all are right.
    """

    implementation: str
    dtype: str
    step: int
    sample: int | None = None
    label: int | None = None
    unit: int | None = None
    preactivation: dict[str, float] = {}
    exact: dict[str, float] = {}
    bound: float | None = None
    probable_bound: float | None = None
    masks: dict[str, list[bool]] = {}
    flips: int
    forced: int
    gap_before: float
    jump: float
    allowed: float
    ratio: float
    forced_ratio: float
    verified: bool
    local_ratio: float | None = None
    local_quantity: str | None = None
    first: bool = False
    leap: bool = False
    later: list[Apart]
    seconds: float = 0.0


class Together(Record):
    """A training that no step parts from the reference's: how far apart the parameters
    are in the end, and how near zero any pre-activation of the reference came.
    """

    implementation: str
    dtype: str
    steps: int
    gap: float
    nearest: float
    seconds: float = 0.0


class Paired(Record):
    """An implementation against the reference in the same dtype, from several seeds.

    `differences` are those of the final test accuracy, by seed; `mean` is theirs, with a
    95 % `interval`, and `p` is the probability of a mean as large if signs were chance.
    They are None where all differences are 0. Then how many seeds end with predictions
    unlike the reference's, how many there are of those, and what disagrees.
    """

    implementation: str
    dtype: str
    differences: list[float]
    mean: float
    interval: tuple[float, float] | None = None
    p: float | None = None
    seeds_differing: int
    test_predictions_differing: int
    disagreements: list[str] = []


class Band(Record):
    """The reference's accuracies after `step` steps, from several seeds: lowest, mean and
    highest.
    """

    dtype: str
    epoch: int
    step: int
    seeds: int
    train_accuracy: tuple[float, float, float]
    test_accuracy: tuple[float, float, float]


class Fault(Record):
    """A relative fault, and where it is certainly caught: in which case, of what shape,
    and whether by the bound of the whole or by that of the step that made the tensor.
    """

    size: float
    case: str
    shape: list[int]
    by: Literal["whole", "step"] = "whole"


class Power(Record):
    """How small a fault of a quantity is certainly caught, in an implementation.

    `every` is that of all elements at once, `one` of a single one, wherever it is: None
    where there is no case in which it is certain, or no tensor of several elements.
    `rounding` is the typical one of the reference, the median of its relative errors.
    """

    layer: str
    quantity: str
    dtype: str
    implementation: str
    every: Fault | None = None
    one: Fault | None = None
    rounding: float | None = None


class MutantResult(Record):
    """What the suite says of a planted mistake, and the first check that noticed it.

    `caught` is None where the framework is missing; `bound_ratio` is None where there was
    nothing to measure, because it crashed or returned another shape or dtype. `largest`
    has the largest ratio of any check that noticed it for each dtype in which one did:
    None where none of these measured anything.
    """

    name: str
    scope: Literal["layer", "function", "network", "training"]
    layer: str
    implementation: str
    sentence: str
    source: str
    caught: bool | None
    checks: int = 0
    failed: int = 0
    by: list[str] = []
    first: str | None = None
    quantity: str | None = None
    dtype: str | None = None
    bound_ratio: float | None = None
    note: str | None = None
    largest: dict[str, float | None] = {}


class MutantSummary(Record):
    """How many mistakes were planted, and what became of them."""

    mutants: int
    caught: int
    survived: int
    missing: int

    @classmethod
    def of(cls, mutants: list[MutantResult]) -> "MutantSummary":
        caught = [mutant.caught for mutant in mutants]
        return cls(
            mutants=len(mutants),
            caught=caught.count(True),
            survived=caught.count(False),
            missing=caught.count(None),
        )


class Summary(Record):
    """How many checks came to which verdict."""

    checks: int
    identical: int
    within_bound: int
    no_bound: int = 0
    not_judged: int = 0
    documented: int
    failed: int
    missing: int

    @classmethod
    def of(cls, checks: list[Check]) -> "Summary":
        count: dict[Any, int] = dict.fromkeys(Verdict, 0)
        for check in checks:
            count[check.verdict] += 1
        return cls(
            checks=len(checks),
            identical=count[Verdict.IDENTICAL],
            within_bound=count[Verdict.WITHIN_BOUND],
            no_bound=count[Verdict.NO_BOUND],
            not_judged=count[Verdict.NOT_JUDGED],
            documented=count[Verdict.DOCUMENTED],
            failed=count[Verdict.FAIL],
            missing=count[Verdict.MISSING],
        )


class BenchRow(Record):
    """What `bench` measured of one thing: the median of its repeats, and the quartiles."""

    part: Literal["step", "sweep", "suite", "report"]
    name: str
    kind: Literal["floor", "ours", "idiomatic", "lecture", "cost"]
    framework: str | None = None  # numpy, torch, jax, sklearn
    dtype: str | None = None
    threads: int | None = None
    batch_size: int | None = None
    hidden: int | None = None
    unit: Literal["µs", "s", "GiB", "count"]
    median: float
    low: float
    high: float
    repeats: int
    note: str | None = None


class BenchRatio(Record):
    """Two of them, divided repeat by repeat; or a cost, held against a limit."""

    name: str
    what: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    at_most: float | None = None
    note: str | None = None  # why there is no value


class Bench(Record):
    """A run of `bench`: every row, and what is made of them."""

    rows: list[BenchRow]
    ratios: list[BenchRatio]
    missing: dict[str, str] = {}  # by name or part: why it was not measured
