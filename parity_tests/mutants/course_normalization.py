"""Batch normalization, in small steps, and mistakes, each of which is one of them."""

from typing import Any

import numpy as np

from gradparity.parity_tests.mutants.mutant import OF_THE_COURSE, mistakes

mistake = mistakes("reference", "layer", OF_THE_COURSE)


class BatchNormalization:
    """Every column less its mean, divided by its deviation; at test time with running
    means of these.
    """

    def __init__(self, gamma: Any, beta: Any, momentum: float = 0.9) -> None:
        self.gamma, self.beta, self.momentum = gamma, beta, momentum
        self.running_mean: Any = None
        self.running_var: Any = None
        self.dgamma: Any = None
        self.dbeta: Any = None

    def forward(self, x: Any, train_flg: bool = True) -> Any:
        if self.running_mean is None:
            self.running_mean = self.running_var = np.zeros(x.shape[1], x.dtype)
        if not train_flg:
            return self.at_test_time(x)
        mean = self.mean(x)
        self.xc = x - mean
        var = self.variance()
        self.std = self.deviation(var)
        self.xn = self.xc / self.std
        self.remember(mean, var)
        return self.scaled(self.xn)

    def mean(self, x: Any) -> Any:
        return x.mean(axis=0)

    def variance(self) -> Any:
        return (self.xc**2).mean(axis=0)

    def deviation(self, var: Any) -> Any:
        return np.sqrt(var + var.dtype.type(1e-6))

    def remember(self, mean: Any, var: Any) -> None:
        old, new = (mean.dtype.type(m) for m in (self.momentum, 1 - self.momentum))
        self.running_mean = old * self.running_mean + new * mean
        self.running_var = old * self.running_var + new * var

    def scaled(self, xn: Any) -> Any:
        return self.gamma * xn + self.beta

    def at_test_time(self, x: Any) -> Any:
        xn = (x - self.running_mean) / self.deviation(self.running_var)
        return self.scaled(xn)

    def backward(self, dout: Any) -> Any:
        self.backward_params(dout)
        dxc = self.from_normalised(dout) / self.std
        dxc = dxc + self.through_the_variance(self.from_normalised(dout))
        return self.through_the_mean(dxc)

    def backward_params(self, dout: Any) -> None:
        self.dgamma, self.dbeta = (dout * self.xn).sum(axis=0), dout.sum(axis=0)

    def from_normalised(self, dout: Any) -> Any:
        return dout * self.gamma

    def through_the_variance(self, dxn: Any) -> Any:
        return -self.xc * (dxn * self.xc).mean(axis=0) / self.std**3

    def through_the_mean(self, dxc: Any) -> Any:
        return dxc - dxc.mean(axis=0)


class AcrossFeaturesAsTheyAre(BatchNormalization):
    """`NormalizedAcrossFeatures`, without an axis of one: most shapes do not fit then."""

    def mean(self, x: Any) -> Any:
        return x.mean(axis=1)

    def variance(self) -> Any:
        return (self.xc**2).mean(axis=1)


@mistake("BatchNormalization", also=[AcrossFeaturesAsTheyAre])
class NormalizedAcrossFeatures(BatchNormalization):
    """Takes mean and variance of every sample, along axis=1; those of every feature, over
    the batch, are right.
    """

    def forward(self, x: Any, train_flg: bool = True) -> Any:
        if not train_flg:
            return super().forward(x, train_flg)
        super().forward(x)
        self.xc = x - x.mean(axis=1, keepdims=True)
        self.std = self.deviation((self.xc**2).mean(axis=1, keepdims=True))
        self.xn = self.xc / self.std
        return self.scaled(self.xn)

    def backward(self, dout: Any) -> Any:
        self.backward_params(dout)
        dxn = self.from_normalised(dout)
        dxc = dxn - self.xn * (dxn * self.xn).mean(axis=1, keepdims=True)
        return (dxc - dxc.mean(axis=1, keepdims=True)) / self.std


class MeanInARow(BatchNormalization):
    """`MeanOfEverySample`, with an axis of one."""

    def mean(self, x: Any) -> Any:
        return x.mean(axis=1, keepdims=True)


@mistake("BatchNormalization", also=[MeanInARow])
class MeanOfEverySample(BatchNormalization):
    """Takes the mean along axis=1, over the features of a sample; that over the batch,
    along axis=0, is right.
    """

    def mean(self, x: Any) -> Any:
        return x.mean(axis=1)


class VarianceInARow(BatchNormalization):
    """`VarianceOfEverySample`, with an axis of one."""

    def variance(self) -> Any:
        return (self.xc**2).mean(axis=1, keepdims=True)


@mistake("BatchNormalization", also=[VarianceInARow])
class VarianceOfEverySample(BatchNormalization):
    """Takes the variance along axis=1, over the features of a sample; that over the
    batch, along axis=0, is right.
    """

    def variance(self) -> Any:
        return (self.xc**2).mean(axis=1)


@mistake("BatchNormalization")
class MeanOfAllFeatures(BatchNormalization):
    """Takes one mean over the batch and all features: every feature has its own."""

    def mean(self, x: Any) -> Any:
        return x.mean()


@mistake("BatchNormalization")
class VarianceOfAllFeatures(BatchNormalization):
    """Takes one variance over the batch and all features: every feature has its own."""

    def variance(self) -> Any:
        return (self.xc**2).mean()


@mistake("BatchNormalization")
class VarianceOfASample(BatchNormalization):
    """Divides the squares by N - 1, and not by N: the gradient is that of N."""

    def variance(self) -> Any:
        n = len(self.xc)
        return (self.xc**2).sum(axis=0) / self.xc.dtype.type(max(n - 1, 1))


class RightAtTestTime(BatchNormalization):
    """Whose mistakes are those of training alone."""

    def at_test_time(self, x: Any) -> Any:
        std = np.sqrt(self.running_var + self.running_var.dtype.type(1e-6))
        return self.gamma * (x - self.running_mean) / std + self.beta


class DividedByTheVarianceInTraining(RightAtTestTime):
    """`DividedByTheVariance`, and right at test time."""

    def deviation(self, var: Any) -> Any:
        return var + var.dtype.type(1e-6)


class ScaleForgottenInTraining(RightAtTestTime):
    """`ScaleForgotten`, and right at test time."""

    def scaled(self, xn: Any) -> Any:
        return xn + self.beta


class ShiftForgottenInTraining(RightAtTestTime):
    """`ShiftForgotten`, and right at test time."""

    def scaled(self, xn: Any) -> Any:
        return self.gamma * xn


@mistake("BatchNormalization", also=[DividedByTheVarianceInTraining])
class DividedByTheVariance(BatchNormalization):
    """Divides by the variance, and forgets the root."""

    def deviation(self, var: Any) -> Any:
        return var + var.dtype.type(1e-6)


@mistake("BatchNormalization", also=[ScaleForgottenInTraining])
class ScaleForgotten(BatchNormalization):
    """Leaves gamma out of forward, though it gets a gradient."""

    def scaled(self, xn: Any) -> Any:
        return xn + self.beta


@mistake("BatchNormalization", also=[ShiftForgottenInTraining])
class ShiftForgotten(BatchNormalization):
    """Leaves beta out of forward, though it gets a gradient."""

    def scaled(self, xn: Any) -> Any:
        return self.gamma * xn


@mistake("BatchNormalization")
class ScaleForgottenBackward(BatchNormalization):
    """Does not multiply dout by gamma on the way to dx."""

    def from_normalised(self, dout: Any) -> Any:
        return dout * 1


@mistake("BatchNormalization")
class GradientOfTheMeanForgotten(BatchNormalization):
    """Leaves out that the mean depends on x: dx is not less its own mean."""

    def through_the_mean(self, dxc: Any) -> Any:
        return dxc * 1


@mistake("BatchNormalization")
class GradientOfTheVarianceForgotten(BatchNormalization):
    """Leaves out that the variance depends on x."""

    def through_the_variance(self, dxn: Any) -> Any:
        return np.zeros_like(dxn)


@mistake("BatchNormalization")
class MeanAndVarianceTakenForConstants(BatchNormalization):
    """Only divides by the deviation backward: mean and variance depend on x, too."""

    def through_the_variance(self, dxn: Any) -> Any:
        return np.zeros_like(dxn)

    def through_the_mean(self, dxc: Any) -> Any:
        return dxc * 1


@mistake("BatchNormalization")
class GradientOfTheVarianceNotDivided(BatchNormalization):
    """Adds up what comes through the variance, and forgets to divide it by N."""

    def through_the_variance(self, dxn: Any) -> Any:
        return super().through_the_variance(dxn) * dxn.dtype.type(len(dxn))


@mistake("BatchNormalization")
class GradientOfTheVarianceAdded(BatchNormalization):
    """Has the wrong sign in what comes through the variance."""

    def through_the_variance(self, dxn: Any) -> Any:
        return -super().through_the_variance(dxn)


@mistake("BatchNormalization")
class DeviationNotSquaredBackward(BatchNormalization):
    """Divides by the deviation, and not by its square, on the way through it: the
    derivative of 1 / s is -1 / s**2.
    """

    def through_the_variance(self, dxn: Any) -> Any:
        return super().through_the_variance(dxn) * self.std


@mistake("BatchNormalization")
class GradientOfTheMeanNotDivided(BatchNormalization):
    """Adds up what comes through the mean, and forgets to divide it by N."""

    def through_the_mean(self, dxc: Any) -> Any:
        return dxc - dxc.sum(axis=0)


@mistake("BatchNormalization")
class ScaleGradientNotSummed(BatchNormalization):
    """Does not sum dgamma over the batch: every sample used the same gamma."""

    def backward_params(self, dout: Any) -> None:
        super().backward_params(dout)
        self.dgamma = dout * self.xn


@mistake("BatchNormalization")
class ScaleGradientFromTheInput(BatchNormalization):
    """Multiplies dout by x less its mean, and not by what that is once it is divided by
    the deviation.
    """

    def backward_params(self, dout: Any) -> None:
        super().backward_params(dout)
        self.dgamma = (dout * self.xc).sum(axis=0)


@mistake("BatchNormalization")
class ShiftGradientNotSummed(BatchNormalization):
    """Returns dout as dbeta: every sample used the same beta, so it is their sum."""

    def backward_params(self, dout: Any) -> None:
        super().backward_params(dout)
        self.dbeta = dout * 1


@mistake("BatchNormalization")
class ScaleAndShiftGradientsAveraged(BatchNormalization):
    """Averages dgamma and dbeta over the batch where it should sum them."""

    def backward_params(self, dout: Any) -> None:
        self.dgamma = (dout * self.xn).mean(axis=0)
        self.dbeta = dout.mean(axis=0)


@mistake("BatchNormalization")
class StatisticsOfTheBatchAtTestTime(BatchNormalization):
    """Takes mean and variance of the batch at test time, too: what is said of a sample
    then depends on the others.
    """

    def forward(self, x: Any, train_flg: bool = True) -> Any:
        return super().forward(x)


class AsItBeganAtOne(BatchNormalization):
    """`RunningStatisticsAsTheyBegan`, with a variance of 1."""

    def at_test_time(self, x: Any) -> Any:
        return self.scaled(x)


def as_it_began(added: float) -> type[BatchNormalization]:
    """`RunningStatisticsAsTheyBegan`, with so much added to a variance of 0."""

    class AsItBeganAtZero(BatchNormalization):
        def at_test_time(self, x: Any) -> Any:
            return self.scaled(x / np.sqrt(x.dtype.type(added)))

    return AsItBeganAtZero


@mistake(
    "BatchNormalization",
    also=[AsItBeganAtOne, *map(as_it_began, (1e-5, 1e-7, 1e-8))],
)
class RunningStatisticsAsTheyBegan(as_it_began(1e-6)):  # type: ignore[misc]
    """Never changes the running mean and variance: at test time they are as they began."""


@mistake("BatchNormalization")
class StatisticsOfTheLastBatch(BatchNormalization):
    """Keeps mean and variance of the last batch, in the place of running means."""

    def remember(self, mean: Any, var: Any) -> None:
        self.running_mean, self.running_var = mean, var


@mistake("BatchNormalization")
class DeviationKeptAsVariance(BatchNormalization):
    """Averages deviations, and takes the root of that again at test time."""

    def remember(self, mean: Any, var: Any) -> None:
        super().remember(mean, self.deviation(var))


@mistake("BatchNormalization")
class RunningMeanNotUsed(BatchNormalization):
    """Divides by the running deviation at test time, without the running mean taken off."""

    def at_test_time(self, x: Any) -> Any:
        return self.scaled(x / self.deviation(self.running_var))
