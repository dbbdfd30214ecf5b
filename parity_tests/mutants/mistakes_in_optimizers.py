"""Mistakes in optimizers."""

from typing import Any

import numpy as np

from gradparity.parity_tests.mutants.mutant import OF_THE_COURSE, mistakes
from gradparity.parity_tests.mutants.optimizers import (
    OPTIMIZERS,
    SGD,
    AdaGrad,
    Adam,
    Arrays,
    Momentum,
    Nesterov,
    Optimizer,
    RMSprop,
)

mistake = mistakes("reference", "optimizer", OF_THE_COURSE)


# --- In all of them -------------------------------------------------------------------


class Uphill(Optimizer):
    """Adds the step that is to be subtracted: the loss climbs."""

    def add(self, params: Arrays, name: str, step: Any) -> None:
        super().add(params, name, -step)


class StepThrownAway(Optimizer):
    """Computes new parameters and does not put them into `params`: they stay what they
    are.
    """

    def add(self, params: Arrays, name: str, step: Any) -> None:
        params[name] + step


class FirstParameterOnly(Optimizer):
    """Returns within the loop over the parameters: all but the first stay what they are."""

    def update(self, params: Arrays, grads: Arrays) -> None:
        self.begin(len(params))
        for name in params:
            self.add(params, name, self.step(name, grads[name]))
            return


class NothingKept(Optimizer):
    """Begins with zeros in every step: nothing is kept from one to the next."""

    def begin(self, count: int) -> None:
        super().begin(count)
        self.kept.clear()


class KeptInOneForAll(Optimizer):
    """Keeps one array for all parameters, which each of them changes: each needs one of
    its own.
    """

    def place(self, what: str, name: str) -> tuple[str, str]:
        return what, ""


class RootForgotten(AdaGrad):
    """Divides by the sum of squares, and not by its root."""

    def root(self, squares: Any) -> Any:
        return squares + squares.dtype.type(self.epsilon)


class MultipliedByTheRoot(AdaGrad):
    """Multiplies by the root where it should divide by it: large gradients take larger
    steps yet.
    """

    def root(self, squares: Any) -> Any:
        return 1 / super().root(squares)


class EpsilonForgotten(AdaGrad):
    """Adds nothing to the root: where a gradient has always been 0, that is 0 / 0."""

    def root(self, squares: Any) -> Any:
        return np.sqrt(squares)


class TenThousandthAdded(AdaGrad):
    """Adds 1e-4 to the root, which is too much: 1e-7 keeps it from 0 as well, and changes
    no step.
    """

    def root(self, squares: Any) -> Any:
        return np.sqrt(squares) + squares.dtype.type(1e-4)


class ThousandthAdded(AdaGrad):
    """Adds 1e-3 to the root, which is too much: 1e-7 keeps it from 0 as well, and changes
    no step.
    """

    def root(self, squares: Any) -> Any:
        return np.sqrt(squares) + squares.dtype.type(1e-3)


def planted(*kinds: type[Optimizer]) -> None:
    """Each of these in all optimizers that it goes with."""
    for name, right in OPTIMIZERS.items():
        for kind in kinds:
            keeps = kind in (NothingKept, KeptInOneForAll)
            needed = kind.__mro__[1]
            if issubclass(right, needed) and not (keeps and right is SGD):
                about = {"__doc__": kind.__doc__}
                within = f"{kind.__name__}In{name.capitalize()}"
                mistake(name)(type(within, (kind, right), about))


planted(Uphill, StepThrownAway, FirstParameterOnly, NothingKept, KeptInOneForAll)
planted(RootForgotten, MultipliedByTheRoot, EpsilonForgotten)
planted(TenThousandthAdded, ThousandthAdded)


# --- In one ---------------------------------------------------------------------------


@mistake("SGD")
class RateNotUsed(SGD):
    """Leaves the learning rate out: the step is the whole gradient."""

    def rate(self, g: Any) -> Any:
        return g.dtype.type(1)


@mistake("Momentum")
class RateNotInTheVelocity(Momentum):
    """Leaves the learning rate out: the velocity takes up the whole gradient."""

    def rate(self, g: Any) -> Any:
        return g.dtype.type(1)


@mistake("Momentum")
class VelocityNotSlowed(Momentum):
    """Leaves momentum out: the velocity is never multiplied by it, and grows for ever."""

    def velocity(self, name: str, g: Any) -> Any:
        return self.of("velocity", name, g) - self.rate(g) * g


@mistake("Momentum")
class VelocityAveraged(Momentum):
    """Multiplies the gradient by one minus momentum, as in a mean: the book's velocity is
    a sum, and ten times as fast where momentum is 0.9.
    """

    def velocity(self, name: str, g: Any) -> Any:
        m = g.dtype.type(self.momentum)
        return m * self.of("velocity", name, g) - (1 - m) * self.rate(g) * g


@mistake("Momentum")
class VelocityOfTheStepBefore(Momentum):
    """Adds the velocity to the parameters before the gradient is in it: every step is that
    of the step before.
    """

    def step(self, name: str, g: Any) -> Any:
        before = self.of("velocity", name, g)
        self.keep("velocity", name, self.velocity(name, g))
        return before


@mistake("Nesterov")
class NotLookedAhead(Nesterov):
    """Adds the velocity, which is plain momentum: Nesterov's step looks one further."""

    def step(self, name: str, g: Any) -> Any:
        return self.keep("velocity", name, self.velocity(name, g))


@mistake("AdaGrad")
class GradientsNotSquared(AdaGrad):
    """Adds up gradients, and not their squares: of a sum below 0 there is no root."""

    def squares(self, name: str, g: Any) -> Any:
        return self.of("squares", name, g) + g


@mistake("RMSprop")
class NewSquareNotWeighted(RMSprop):
    """Leaves the factor 1 - decay_rate of the new square out: that is no mean, and the
    steps become too small.
    """

    def squares(self, name: str, g: Any) -> Any:
        rho = g.dtype.type(self.decay_rate)
        return rho * self.of("squares", name, g) + g * g


@mistake("RMSprop")
class SquaresNeverForgotten(RMSprop):
    """Adds all squares up, as AdaGrad does: RMSprop forgets the old ones."""

    def squares(self, name: str, g: Any) -> Any:
        return self.of("squares", name, g) + g * g


@mistake("RMSprop")
class OldAndNewSwapped(RMSprop):
    """Multiplies the new square by decay_rate and the old ones by 1 - decay_rate, which
    are the wrong way round.
    """

    def squares(self, name: str, g: Any) -> Any:
        rho = g.dtype.type(self.decay_rate)
        return (1 - rho) * self.of("squares", name, g) + rho * g * g


@mistake("Adam")
class MeansNotCorrected(Adam):
    """Leaves the corrections of the means out, which begin with 0 and are too small at
    first.
    """

    def corrections(self, g: Any) -> tuple[Any, Any]:
        return g.dtype.type(1), g.dtype.type(1)


@mistake("Adam")
class FirstMeanNotCorrected(Adam):
    """Corrects the mean of the squares, and not that of the gradients."""

    def corrections(self, g: Any) -> tuple[Any, Any]:
        return g.dtype.type(1), super().corrections(g)[1]


@mistake("Adam")
class SecondMeanNotCorrected(Adam):
    """Corrects the mean of the gradients, and not that of the squares."""

    def corrections(self, g: Any) -> tuple[Any, Any]:
        return super().corrections(g)[0], g.dtype.type(1)


@mistake("Adam")
class StepsNotCounted(Adam):
    """Does not count the steps: the means are corrected as in the first one for ever."""

    def begin(self, count: int) -> None:
        self.steps = 1


@mistake("Adam")
class StepsCountedFromZero(Adam):
    """Counts the steps from 0: in the first one, the correction is a division by 0."""

    def begin(self, count: int) -> None:
        super().begin(count)
        if not self.kept:
            self.steps = 0


@mistake("Adam")
class StepsCountedForEachParameter(Adam):
    """Counts a step for each parameter, within the loop: the corrections end too soon."""

    def begin(self, count: int) -> None:
        pass

    def step(self, name: str, g: Any) -> Any:
        self.steps += 1
        return super().step(name, g)


@mistake("Adam")
class MeansSwapped(Adam):
    """Divides the mean of the squares by the root of the mean of the gradients: m and v
    are swapped.
    """

    def step(self, name: str, g: Any) -> Any:
        m = self.keep("mean", name, self.mean("mean", name, g, self.beta1))
        squares = self.mean("squares", name, self.square(g), self.beta2)
        v = self.keep("squares", name, squares)
        first, second = self.corrections(g)
        rate = self.rate(g) * np.sqrt(second) / first
        return -rate * v / self.root(m)


@mistake("Adam")
class BetasSwapped(Adam):
    """Uses beta2 for the mean of the gradients and beta1 for that of their squares."""

    def __init__(
        self, lr: float = 0.001, beta1: float = 0.9, beta2: float = 0.999
    ) -> None:
        super().__init__(lr, beta2, beta1)


@mistake("Adam")
class SecondMeanNotOfSquares(Adam):
    """Takes the mean of the gradients twice: the second one must be that of their
    squares.
    """

    def square(self, g: Any) -> Any:
        return g
