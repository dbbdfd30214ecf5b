"""The steps of two programs side by side: all of them, each once, in an order in which they
could have run; and nothing that differs stands there as the same.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from gradparity.parity_tests.functions import inputs, targets
from gradparity.parity_tests.functions.comparison import Pair, compare_functions
from gradparity.parity_tests.functions.parting import Side, same_value
from gradparity.parity_tests.functions.programs import Executed
from gradparity.parity_tests.mutants.pairs import ALIKE, DIFFERENT

torch: Any = pytest.importorskip("torch")

IN_TORCH = [p for p in (*DIFFERENT, *ALIKE) if set(p.frameworks) == {"torch"}]
WRITTEN = [  # all of them take long
    pytest.param(pair, id=pair.name, marks=[pytest.mark.deep] if n % 4 else [])
    for n, pair in enumerate(IN_TORCH)
]
X = np.array([[0.3, -1.2, 2.5], [1.1, 0.4, -0.7]])


def compared(one: Any, other: Any, given: Any) -> Pair:
    both = [targets.of(f, framework="torch") for f in (one, other)]
    (pair,) = compare_functions(both, inputs.of(given), ["float64"]).pairs
    return pair


def steps(pair: Pair, which: str) -> list[Executed]:
    found = [getattr(row, which) for row in pair.rows]
    return [step for step in found if step is not None]


def operators(pair: Pair, *, phase: str = "forward") -> list[tuple[str, str, str]]:
    """Rows of a phase in short: the operators, and = where they make the same."""
    return [
        (
            row.one.operator.removeprefix("aten::") if row.one else "",
            "=" if row.same else "",
            row.other.operator.removeprefix("aten::") if row.other else "",
        )
        for row in pair.rows
        if row.phase == phase
    ]


@pytest.mark.parametrize("written", WRITTEN)
def test_every_step_has_its_row_and_what_is_joined_is_the_same(written: Any) -> None:
    pair = compared(written.f, written.g, written.inputs())
    assert pair.sides is not None
    one, other = pair.sides
    for which, side in zip(("one", "other"), pair.sides, strict=True):
        found = steps(pair, which)
        executed = side.recording.executed
        assert sorted(step.number for step in found) == [*range(len(executed))]
        assert_could_have_run(found)
    own = [step.number for step in steps(pair, "one") if step.phase == "forward"]
    assert own == sorted(own)
    suspects = [each.suspects for each in pair.partings or ()]
    for row in pair.rows:
        if row.same:
            assert row.one is not None
            assert row.other is not None
            assert row.one.phase == row.other.phase
            assert made_alike(one, row.one, other, row.other)
            assert not any(row.one in each or row.other in each for each in suspects)


def made_alike(one: Side, step: Executed, other: Side, partner: Executed) -> bool:
    """Whether two steps make the same numbers, in whatever order, shape or number."""
    for number in step.results:
        for found in partner.results:
            a, b = (side.distinct(n) for side, n in ((one, number), (other, found)))
            if all(
                p.shape == q.shape and np.allclose(p, q, rtol=1e-9, equal_nan=True)
                for p, q in zip(a, b, strict=True)
            ) or same_value(one, number, other, found):
                return True
    return False


def assert_could_have_run(found: Sequence[Executed]) -> None:
    made: set[int] = set()
    makers = {number for step in found for number in step.results}
    for step in found:
        assert made.issuperset(makers.intersection(step.operands) - {*step.results})
        made.update(step.results)


def test_where_they_part_both_stand_in_one_row_that_is_not_the_same() -> None:
    pair = compared(
        lambda x: torch.tanh(x) * 2 + x, lambda x: torch.sin(x) * 2 + x, {"x": X}
    )
    assert operators(pair) == [
        ("tanh", "", "sin"),
        ("mul", "", ""),
        ("add", "", ""),
        ("", "", "mul"),
        ("", "", "add"),
    ]


def test_a_planted_difference_of_1e_9_is_not_joined() -> None:
    pair = compared(
        lambda x: torch.exp(torch.sin(x) * 1.0000000001),
        lambda x: torch.exp(torch.sin(x) * 1.0000000011),
        {"x": X},
    )
    assert operators(pair) == [
        ("sin", "=", "sin"),
        ("mul", "", "mul"),
        ("exp", "", ""),
        ("", "", "exp"),
    ]


def test_another_order_of_what_is_independent_changes_nothing() -> None:
    def one(x: Any) -> Any:
        a, b = torch.sin(x), torch.exp(x)
        return a * b

    def other(x: Any) -> Any:
        b, a = torch.exp(x), torch.sin(x)
        return b * a

    pair = compared(one, other, {"x": X})
    assert operators(pair) == [
        *(("sin", "=", "sin"), ("exp", "=", "exp"), ("mul", "=", "mul")),
    ]
    assert [row.other.number for row in pair.rows[:2] if row.other] == [1, 0]


def test_a_value_that_is_made_elsewhere_is_led_to() -> None:
    pair = compared(
        lambda x: torch.sin(x) * torch.exp(x),
        lambda x: torch.sin(x) * (torch.exp(x.T).T + torch.sin(x) - torch.sin(x)),
        {"x": X},
    )
    again = [row for row in pair.rows if row.one is None and row.twin is not None]
    twins = [row.twin.operator for row in again if row.twin and row.other]
    assert "aten::sin" in twins
