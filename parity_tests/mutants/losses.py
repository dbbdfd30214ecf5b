"""Mistakes in the losses: the right layer, but for what is here."""

from collections.abc import Callable
from typing import Any

import numpy as np

from gradparity.parity_tests.mutants.functions import SWAPPED, arguments_swapped
from gradparity.parity_tests.mutants.mutant import mistakes
from gradparity.parity_tests.mutants.sources import (
    BOOK_FUNCTIONS,
    BOOK_LAYERS,
    GITHUB,
    SECOND_BOOK,
    TORCH_CROSS_ENTROPY,
)
from gradparity.reference.functions import (
    at_labels,
    cross_entropy_error,
    softmax,
    to_labels,
)
from gradparity.reference.layers import CrossEntropy, SoftmaxWithLoss

mistake = mistakes("reference")


@mistake("CrossEntropy", BOOK_FUNCTIONS)
class SmallNumberInTheLogarithm(CrossEntropy):
    """Computes -log(y + 1e-7): a slightly other function, whose gradient is not the one
    that is used.
    """

    def forward(self, y: Any, t: Any) -> Any:
        super().forward(y, t)
        return y.dtype.type(cross_entropy_error(y, t))


@mistake("CrossEntropy")
class ProbabilityClipped(CrossEntropy):
    """Keeps y above 1e-15, against log(0): where the label has less, the loss no longer
    grows.
    """

    def forward(self, y: Any, t: Any) -> Any:
        return super().forward(np.maximum(y, y.dtype.type(1e-15)), t)


@mistake("CrossEntropy")
class LogarithmToBaseTwo(CrossEntropy):
    """Measures the loss in bits: the gradient belongs to the natural logarithm."""

    def forward(self, y: Any, t: Any) -> Any:
        return super().forward(y, t) / y.dtype.type(np.log(2))


@mistake("CrossEntropy")
class MinusForgotten(CrossEntropy):
    """Returns the mean logarithm itself: a loss that is to be made as small as possible
    must be its negative.
    """

    def forward(self, y: Any, t: Any) -> Any:
        return -super().forward(y, t)


@mistake("CrossEntropy")
class AveragedOverEverything(CrossEntropy):
    """Averages over samples and classes, with np.mean: the loss is as many times too
    small as there are classes.
    """

    def forward(self, y: Any, t: Any) -> Any:
        return super().forward(y, t) / y.dtype.type(y.shape[-1])


@mistake("CrossEntropy")
class LossSummed(CrossEntropy):
    """Sums the loss over the batch where it should average it."""

    def forward(self, y: Any, t: Any) -> Any:
        loss = super().forward(y, t)
        return loss * y.dtype.type(self.labels.size)


@mistake("CrossEntropy")
class TailOfTheLossesDropped(CrossEntropy):
    """Sums the losses of chunks of 101 samples and leaves out what remains: of 10,000
    samples, the last.
    """

    def forward(self, y: Any, t: Any) -> Any:
        super().forward(y, t)
        losses = -np.log(at_labels(y, self.labels)).reshape(-1)
        n = losses.size // 101 * 101 or losses.size
        return losses[:n].sum() / losses.size


@mistake("CrossEntropy")
class ProbabilityNotInverted(CrossEntropy):
    """Multiplies by the probability where it should divide: the surer and wronger, the
    smaller the gradient.
    """

    def backward(self, dout: Any = 1) -> Any:
        return super().backward(dout) * self.y**2


@mistake("SoftmaxWithLoss", GITHUB + "hunkim/DeepLearningZeroToAll/issues/173")
class BatchSizeForgotten(SoftmaxWithLoss):
    """Forgets to divide by the batch size: the gradient grows with the batch."""

    def backward(self, dout: Any = 1) -> Any:
        return super().backward(dout) * self.y.dtype.type(self.labels.size)


@mistake("SoftmaxWithLoss", GITHUB + "ShusenTang/Dive-into-DL-PyTorch/issues/75")
class BatchSizeDividedTwice(SoftmaxWithLoss):
    """Divides by the batch size twice: the larger the batch, the slower it learns."""

    def backward(self, dout: Any = 1) -> Any:
        return super().backward(dout) / self.y.dtype.type(self.labels.size)


@mistake("SoftmaxWithLoss", SECOND_BOOK + "issues/25")
class BatchSizeFromTheLabels(SoftmaxWithLoss):
    """Takes the length of t for the batch size: a single one-hot label is as long as
    there are classes.
    """

    def backward(self, dout: Any = 1) -> Any:
        dx = super().backward(dout) * self.y.dtype.type(self.labels.size)
        return dx / self.y.dtype.type(self.t.shape[0])


@mistake("SoftmaxWithLoss")
class BatchSizeOfTheFirstBatch(SoftmaxWithLoss):
    """Divides by the size of the first batch it saw: the last one of an epoch may be
    smaller.
    """

    first: int | None = None

    def backward(self, dout: Any = 1) -> Any:
        self.first = self.first or self.labels.size
        dx = super().backward(dout) * self.y.dtype.type(self.labels.size)
        return dx / self.y.dtype.type(self.first)


@mistake("SoftmaxWithLoss", BOOK_LAYERS)
class DoutIgnored(SoftmaxWithLoss):
    """Ignores dout, taking the loss for the end of the graph: whatever is computed from
    the loss has no say.
    """

    def backward(self, dout: Any = 1) -> Any:
        return super().backward()


@mistake("SoftmaxWithLoss", BOOK_LAYERS)
class LabelsTakenForOneHot(SoftmaxWithLoss):
    """Takes labels for one-hot if there are as many numbers in t as in y: with one class,
    that is so for both.
    """

    def backward(self, dout: Any = 1) -> Any:
        if self.t.size != self.y.size:
            return super().backward(dout)
        t = self.t.astype(self.y.dtype)
        return (self.y - t) * dout / self.y.dtype.type(len(t))


@mistake("SoftmaxWithLoss", BOOK_LAYERS)
class LabelsSetTheDtype(SoftmaxWithLoss):
    """Makes one-hot rows of the labels with np.eye, which is float64, and subtracts them
    from probabilities of float32, which makes the gradient float64.
    """

    def backward(self, dout: Any = 1) -> Any:
        one_hot = np.eye(self.y.shape[-1])[self.labels]
        return (self.y - one_hot) * dout / self.labels.size


@mistake("SoftmaxWithLoss")
class LossAsPythonNumber(SoftmaxWithLoss):
    """Returns float(loss), which is always float64."""

    def forward(self, x: Any, t: Any) -> Any:
        return float(super().forward(x, t))


@mistake("SoftmaxWithLoss")
class BatchesOnly(SoftmaxWithLoss):
    """Normalises along axis=1, which a single sample does not have."""

    def forward(self, x: Any, t: Any) -> Any:
        return super().forward(x - x.max(axis=1, keepdims=True), t)


@mistake("SoftmaxWithLoss")
class OneHotTakenForLabels(SoftmaxWithLoss):
    """Uses one-hot rows as if they were labels: zeros and ones pick the first two
    classes.
    """

    def forward(self, x: Any, t: Any) -> Any:
        return super().forward(x, t.astype(int)[..., 0] if t.shape == x.shape else t)


@mistake("SoftmaxWithLoss", GITHUB + "hunkim/DeepLearningZeroToAll/issues/20")
class ClassesCountedFromOne(SoftmaxWithLoss):
    """Picks the class after the one that is meant: labels count from 0."""

    def forward(self, x: Any, t: Any) -> Any:
        labels = to_labels("SoftmaxWithLoss", t, x.shape)
        return super().forward(x, (labels + 1) % x.shape[-1])


@mistake("SoftmaxWithLoss")
class TargetMinusOutput(SoftmaxWithLoss):
    """Computes t - y: with the usual update, that climbs the loss."""

    def backward(self, dout: Any = 1) -> Any:
        return -super().backward(dout)


@mistake("SoftmaxWithLoss")
class ScoresMinusTarget(SoftmaxWithLoss):
    """Subtracts t from the scores: it is the probabilities that belong there."""

    def forward(self, x: Any, t: Any) -> Any:
        loss = super().forward(x, t)
        self.y = x
        return loss


@mistake("SoftmaxWithLoss")
class GradientAtTheLabelOnly(SoftmaxWithLoss):
    """Sets the gradient of all classes but the label's to zero: their scores must fall
    as well.
    """

    def backward(self, dout: Any = 1) -> Any:
        return super().backward(dout) * (
            np.arange(self.y.shape[-1]) == self.labels[..., np.newaxis]
        )


@mistake("SoftmaxWithLoss", TORCH_CROSS_ENTROPY)
class SoftmaxAppliedTwice(SoftmaxWithLoss):
    """Takes the softmax of probabilities: the network can never be sure, and learns
    slowly.
    """

    def forward(self, x: Any, t: Any) -> Any:
        return super().forward(softmax(x), t)


@mistake("SoftmaxWithLoss", BOOK_FUNCTIONS)
class LossOfSlightlyMore(SoftmaxWithLoss):
    """Computes -log(y + 1e-7) of the softmax: where a label is improbable the loss stops
    growing.
    """

    def forward(self, x: Any, t: Any) -> Any:
        super().forward(x, t)
        return x.dtype.type(cross_entropy_error(self.y, t))


@mistake("SoftmaxWithLoss")
class SoftmaxOfSlightlyLess(SoftmaxWithLoss):
    """Adds 1e-7 to the sum of the exponentials, against a division by 0 that cannot
    happen: probabilities, loss and gradient are off by as much.
    """

    def forward(self, x: Any, t: Any) -> Any:
        super().forward(x, t)
        z = x - x.max(axis=-1, keepdims=True)
        total = np.exp(z).sum(axis=-1, keepdims=True) + x.dtype.type(1e-7)
        self.y = np.exp(z) / total
        return (np.log(total[..., 0]) - at_labels(z, self.labels)).mean()


@mistake("SoftmaxWithLoss")
class LossThroughAnUnderflow(SoftmaxWithLoss):
    """Takes the logarithm of the softmax when that is already 0: the loss is infinite
    where it should be large.
    """

    def forward(self, x: Any, t: Any) -> Any:
        super().forward(x, t)
        return CrossEntropy().forward(self.y, t)


def with_loss(loss: Callable[[Any, Any], Any]) -> type[SoftmaxWithLoss]:
    """The layer with another loss, and the right gradient."""

    class WithLoss(SoftmaxWithLoss):
        def forward(self, x: Any, t: Any) -> Any:
            super().forward(x, t)
            return loss(self.y, t)

    return WithLoss


@mistake("SoftmaxWithLoss", also=[with_loss(loss) for loss in SWAPPED])
class LossArgumentsSwapped(SoftmaxWithLoss):
    """Hands the labels to the loss as if they were the probabilities, and these as if they
    were the labels: it is cross_entropy_error(y, t).
    """

    def forward(self, x: Any, t: Any) -> Any:
        super().forward(x, t)
        return arguments_swapped(self.y, t)


@mistake("SoftmaxWithLoss")
class LargestInsteadOfSum(SoftmaxWithLoss):
    """Takes the largest loss of the batch for the mean."""

    def forward(self, x: Any, t: Any) -> Any:
        super().forward(x, t)
        return -np.log(np.take_along_axis(self.y, self.labels[..., None], -1)).min()
