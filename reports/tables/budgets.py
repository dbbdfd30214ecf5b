"""Which step of a network makes the error of a gradient."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gradparity.parity_tests.checking.budgets import RANDOM
from gradparity.parity_tests.measuring.records import ErrorBudget, StepError
from gradparity.parity_tests.measuring.wording import grouped
from gradparity.reports.tables.table import Table, number

BUDGETS = "error-budget"  # the name of the figure
TITLE = "Which step makes the error"
LEGEND = (
    "A number that a network computes is off by what each step was off by, times the "
    "derivative of the number by what the step makes. One reverse pass finds these "
    "derivatives, and so how much each step can add (certain), how much it adds with a "
    "probability of all but 5e-11 if roundings are independent and of mean zero "
    "(probable), and how much it did add, with its sign. Both bounds are proved to first "
    "order: products of two errors are left out. Composed is the bound that knows no "
    "signs. All of them are shares of the number; of a bound that is more than a tenth of "
    "it, there is no claim."
)
NO_CLAIM = "no claim"


@dataclass(frozen=True)
class Compared:
    """A number in a case and a dtype, by all implementations."""

    by: dict[str, ErrorBudget]

    @property
    def any(self) -> ErrorBudget:
        return next(iter(self.by.values()))

    @property
    def title(self) -> str:
        of = f" {self.any.of}" if self.any.of else ""
        return f"{self.any.quantity}{of}"

    @property
    def size(self) -> float:
        """What everything is a share of."""
        return abs(self.any.value)

    def largest(self, bound: str) -> float | None:
        """The largest of the implementations' bounds; None where one is no claim."""
        found = [getattr(each, bound) for each in self.by.values()]
        return None if None in found else max(found) / self.size

    def actual(self, name: str) -> float:
        return self.by[name].actual / self.size

    @property
    def steps(self) -> dict[str, dict[str, StepError]]:
        """By step, those of all implementations, in the order of the first."""
        found: dict[str, dict[str, StepError]] = {}
        for name, each in self.by.items():
            for step in each.steps:
                found.setdefault(step.step, {})[name] = step
        return found


def compared(budgets: Sequence[ErrorBudget]) -> Iterator[Compared]:
    """All numbers that are not 0, in the order in which they were found."""
    for group in grouped(budgets, "case", "dtype", "quantity", "of").values():
        if group[0].value:
            yield Compared({each.implementation: each for each in group})


def shown(budgets: Sequence[ErrorBudget]) -> Compared | None:
    """The one that is drawn: of dW1, after a training if there was one, where it is
    known what each step lost; None where there is none.
    """
    numbers = [
        each
        for each in compared(budgets)
        if (each.any.quantity, each.any.of) == ("dW1", RANDOM)
        and any(step.actual is not None for step in each.any.steps)
    ]
    return numbers[-1] if numbers else None


def budget_tables(budgets: Sequence[ErrorBudget]) -> Iterator[Table]:
    """Step by step, what is drawn; and the bounds and errors of all numbers."""
    drawn, numbers = shown(budgets), list(compared(budgets))
    if drawn is not None:
        yield step_table(drawn)
    if numbers:
        yield number_table(numbers)


def step_table(drawn: Compared) -> Table:
    names = list(drawn.by)
    rows = [
        [
            step,
            number(max(each.certain for each in found.values()) / drawn.size),
            number(max(each.probable for each in found.values()) / drawn.size),
            *(taken(found.get(name), drawn.size) for name in names),
        ]
        for step, found in drawn.steps.items()
    ]
    case, dtype = drawn.any.case.rpartition("/")[2], drawn.any.dtype
    title = f"The error of {drawn.title} by step, {dtype}, in the case “{case}”"
    return Table(title, ["step", "certain", "probable", *names], rows)


def taken(step: StepError | None, size: float) -> str:
    return "" if step is None or step.actual is None else number(step.actual / size)


def number_table(numbers: Sequence[Compared]) -> Table:
    names = list(dict.fromkeys(name for each in numbers for name in each.by))
    rows = []
    for each in numbers:
        bounds = [each.largest(bound) for bound in ("certain", "probable")]
        rows.append(
            [
                each.any.case.rpartition("/")[2],
                each.any.dtype,
                each.title,
                number(each.any.value),
                number(each.largest("composed")),
                *(NO_CLAIM if bound is None else number(bound) for bound in bounds),
                *(number(each.actual(n)) if n in each.by else "" for n in names),
            ]
        )
    headers = ["case", "dtype", "number", "value", "composed", "certain", "probable"]
    return Table("Bounds and errors of the network's numbers", [*headers, *names], rows)
