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
branches that are both taken wrongly. They are usually small where the bound is small
against s, so that beyond a tenth of it there is no claim; that tenth is a convention, not
a theorem. Where a derivative vanishes, as that of a variance by the mean, the first order
sees nothing, whatever the mean is off by. Then derivatives are taken where values are off:
by the mean value theorem, s is off by <ds/dw, error> with the derivatives at some point on
the way from the exact values to the computed ones. Where these are nobody knows: `farther`
looks at points at which every step is off by all of its bound, in directions drawn by lot.
What is quadratic in the errors, as a variance is, comes out twice as large as it can be.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gradparity.reference.rounding.bounded import Bounded, Bounds
from gradparity.reference.rounding.correctly_rounded import Arrays, Values, times
from gradparity.reference.rounding.floating_point import LAMBDA, Arithmetic
from gradparity.reference.rounding.programs import Program, local, pull_back

POINTS = 8  # at which derivatives are taken, where values are off
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
        with np.errstate(all="ignore"):  # some elements may be infinite
            value = sum(
                product(self.flow[name].value, v).sum() for name, v in seed.items()
            )
        return Budget(float(value), tuple(terms), adjoints)

    def farther(self, seed: Arrays) -> float:
        """The most that all steps together can add to s = sum(seed * value), with the
        largest derivatives that were found where values are off.
        """
        largest: Arrays = {}
        rng = np.random.default_rng(0)
        for _ in range(POINTS):
            found = pull_back(self.program, self.moved(rng), seed)
            for name, g in found.items():
                largest[name] = np.fmax(np.abs(g), largest.get(name, 0.0))
        for name, g in pull_back(self.program, self.flow, seed).items():
            largest[name] = np.fmax(np.abs(g), largest.get(name, 0.0))
        terms = (term(name, g, self.flow[name], None) for name, g in largest.items())
        return float(sum(each.certain for each in terms))

    def moved(self, rng: np.random.Generator) -> Bounds:
        """The values where every step is off by its local bound, up or down."""
        made = {step.name for step in self.program}
        found = {name: w for name, w in self.flow.items() if name not in made}
        with np.errstate(all="ignore"):
            for step in self.program:
                own = self.flow[step.name]
                operands = [found[name].given for name in step.operands]
                value = step.bounded(operands, own.arithmetic).value
                off = np.where(np.isfinite(own.error), own.error, 0)
                sign = rng.choice((-1.0, 1.0))
                found[step.name] = own.exactly(value + sign * off, own.error)
        return found


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
    dtypes = {step.dtype for step in program}
    if any(arithmetic.within(dtype).factor_u for dtype in dtypes):
        # The error of a factor that is rounded first is in all that it is multiplied with.
        return {}
    once = {name: w.given for name, w in flow.items()}
    unit = arithmetic.deviation
    with np.errstate(all="ignore"):
        return {
            step.name: step.bounded([once[name] for name in step.operands], unit)
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
