"""How far a number is off that a program computes, and which steps make it so.

The computed values are those of the exact program, whose every step is off by no more than
its local bound. To first order, a number s is then off by the sum of these errors, each
times the derivative of s with respect to what the step makes: signs and cancellations on
the way are in that derivative, which one reverse pass finds for all steps (Christianson,
Reverse accumulation and accurate rounding error estimates for Taylor series coefficients,
Optimization Methods and Software 1(1), 1992; FPTaylor and Satire, arXiv 2004.11960, bound
expressions so). So

    certain     sum over steps of <|ds/dw|, local bound>
    probable    LAMBDA sqrt(sum of (ds/dw local)**2), with sqrt(n) in place of n for a sum
                of n terms (Higham and Mary, SIAM J. Sci. Comput. 41(5), 2019): it holds
                for independent roundings of mean zero with a probability of at least
                1 - 2 exp(-LAMBDA**2 / 2), by Hoeffding's inequality. Errors that need not
                be so are added as in `certain`: those of elementary functions, of rounded
                constants, and jumps from one branch to another.

This is proved to first order: what is left out are products of two errors, and of two
branches that are both taken wrongly. Nothing here bounds these. They are usually small
where the bound is small against s, so that beyond a tenth of it there is no claim; that
tenth is a convention, not a theorem. Where a derivative vanishes by chance, as that of
1 + w**2 at w = 0, the first order sees nothing, whatever w is off by.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from gradparity.reference.rounding.bounded import Bounded, Bounds
from gradparity.reference.rounding.correctly_rounded import Arrays, Values, times
from gradparity.reference.rounding.floating_point import LAMBDA, Arithmetic
from gradparity.reference.rounding.programs import Program, local, pull_back

MOST = 0.1  # of the value: a bound that is larger claims nothing


@dataclass(frozen=True)
class Term:
    """What a step adds to the error of a number: at most, and probably. Terms that are
    `independent` probably add up as their squares do.
    """

    step: str
    certain: float
    probable: float
    independent: bool


@dataclass(frozen=True, eq=False)
class Budget:
    """A number that a program computes, and what each step can add to its error, the most
    first; and its derivatives by the values that steps make.
    """

    value: float
    terms: tuple[Term, ...]
    adjoints: Arrays = field(repr=False)

    @property
    def certain(self) -> float:
        """The most that all steps together can add, to first order."""
        return float(sum(term.certain for term in self.terms))

    @property
    def probable(self) -> float:
        """What they add with the probability that LAMBDA stands for, to first order."""
        found = [term.probable for term in self.terms if term.independent]
        squares = [each * each for each in found]  # where ** would raise OverflowError
        others = sum(term.certain for term in self.terms if not term.independent)
        return float(min(np.sqrt(sum(squares)) + others, self.certain))

    def claimed(self, bound: float) -> float | None:
        """The bound; None where it is no claim, being more than a tenth of the value, or
        no number.
        """
        return bound if bound <= MOST * abs(self.value) else None

    def share(self, errors: Mapping[str, Values]) -> dict[str, float]:
        """What errors that steps are known to have made add to this number's, by step."""
        return {
            name: float(np.sum(self.adjoints[name] * error))
            for name, error in errors.items()
            if name in self.adjoints
        }


@dataclass(frozen=True, eq=False)
class Adjoint:
    """A program with its values and local bounds, for the budgets of any numbers that it
    computes.
    """

    program: Program
    flow: Bounds
    likely: Bounds

    @classmethod
    def of(
        cls,
        program: Program,
        given: Arrays,
        arithmetic: Arithmetic,
        errors: Arrays | None = None,
    ) -> "Adjoint":
        """That of a program on given values; the arguments are those of `local`."""
        flow = local(program, given, arithmetic, errors)
        return cls(program, flow, independent(program, flow, arithmetic))

    def budget(self, seed: Arrays) -> Budget:
        """The error budget of s = sum(seed * value)."""
        adjoints = pull_back(self.program, self.flow, seed)
        terms = [
            term(name, g, self.flow[name], self.likely.get(name))
            for name, g in adjoints.items()
        ]
        terms = [each for each in terms if each.certain != 0]
        terms.sort(key=lambda each: -each.certain)
        value = sum(np.sum(v * self.flow[name].value) for name, v in seed.items())
        return Budget(float(value), tuple(terms), adjoints)


def error_budgets(
    program: Program,
    given: Arrays,
    seeds: Mapping[Any, Arrays],
    arithmetic: Arithmetic,
    errors: Arrays | None = None,
) -> dict[Any, Budget]:
    """The error budgets of several numbers that a program computes.

    Args:
        program, given, arithmetic, errors: as for `local`.
        seeds: each number, s = sum(seed * value), by what some values are multiplied with:
            1 at an element, or a direction.
    """
    adjoint = Adjoint.of(program, given, arithmetic, errors)
    return {key: adjoint.budget(seed) for key, seed in seeds.items()}


def independent(program: Program, flow: Bounds, arithmetic: Arithmetic) -> Bounds:
    """The values whose errors are independent roundings, with sqrt(n) in place of n."""
    if arithmetic.factor_u:
        # The error of a factor that is rounded first is in all that it is multiplied with.
        return {}
    once = {
        name: replace(w.given, arithmetic=arithmetic.deviation)
        for name, w in flow.items()
    }
    with np.errstate(all="ignore"):
        return {
            step.name: step.bounded([once[name] for name in step.operands])
            for step in program
            if step.operation.independent
        }


def term(name: str, g: Values, bounded: Bounded, likely: Bounded | None) -> Term:
    """What the step of this name adds to a number with this derivative. What the number
    does not depend on may have no bound.
    """
    with np.errstate(all="ignore"):  # where there is no bound, there is no term
        certain = float(product(bounded.spread, np.abs(g)).sum())
        if likely is None:
            return Term(name, certain, certain, False)
        deviation = float(np.sqrt((product(likely.spread, g) ** 2).sum()))
    return Term(name, certain, min(LAMBDA * deviation, certain), True)


def product(error: Values, factor: Values) -> Values:
    """0 where either of the two is, even times an infinity."""
    return np.where(factor == 0, 0, times(error, factor))
