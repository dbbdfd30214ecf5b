"""Mistakes in the activations: the right layer, but for what is here."""

from typing import Any

import numpy as np

from gradparity.parity_tests.mutants.mutant import mistakes
from gradparity.parity_tests.mutants.sources import (
    BOOK,
    BOOK_FUNCTIONS,
    BOOK_LAYERS,
    GITHUB,
)
from gradparity.reference.functions import sigmoid
from gradparity.reference.layers import (
    LeakyRelu,
    Relu,
    Sigmoid,
    SigmoidGraph,
    Softmax,
    Tanh,
)

mistake = mistakes("reference")


@mistake("Relu", BOOK_FUNCTIONS)
class MaskBelowZero(Relu):
    """Stops the gradient where x < 0 and not where x <= 0: at exactly 0 it leaks."""

    def forward(self, x: Any) -> Any:
        out = super().forward(x)
        self.mask = x < 0
        return out


@mistake("Relu")
class MaskTheWrongWayRound(Relu):
    """Stops the gradient where x was positive, and passes it where x was not."""

    def backward(self, dout: Any) -> Any:
        return np.where(self.mask, dout, 0)[()]


@mistake("Relu")
class MaskOfTheGradient(Relu):
    """Stops negative gradients: it is the sign of the input that counts, not that of
    the gradient.
    """

    def backward(self, dout: Any) -> Any:
        return np.where(dout <= 0, 0, dout)[()]


@mistake("Relu")
class MaskAppliedToTheInput(Relu):
    """Masks x once more and returns it: it is dout that must be masked."""

    def forward(self, x: Any) -> Any:
        self.x = x
        return super().forward(x)

    def backward(self, dout: Any) -> Any:
        return np.where(self.mask, 0, self.x)[()]


@mistake("Relu")
class MaskOfTheFirstBatch(Relu):
    """Keeps the mask of the first batch it saw, and uses it for all later ones."""

    def forward(self, x: Any) -> Any:
        first = self.mask
        out = super().forward(x)
        self.mask = self.mask if first is None else first
        return out


@mistake("Relu", BOOK_LAYERS)
class DoutWrittenInPlace(Relu):
    """Sets elements of dout itself to zero: whoever else uses that array finds it
    changed.
    """

    def backward(self, dout: Any) -> Any:
        dout[self.mask] = 0
        return dout


@mistake("Relu")
class InputWrittenInPlace(Relu):
    """Sets elements of x itself to zero, for want of a copy."""

    def forward(self, x: Any) -> Any:
        out = super().forward(x)
        x[self.mask] = 0
        return out


@mistake("Relu")
class GradientNotStopped(Relu):
    """Passes all of the gradient on, as if there were no ReLU."""

    def backward(self, dout: Any) -> Any:
        return dout * 1


@mistake("Relu")
class MaskMultiplied(Relu):
    """Multiplies by a mask of zeros and ones: where the gradient has overflown, 0 times
    infinity is NaN.
    """

    def backward(self, dout: Any) -> Any:
        return dout * ~self.mask


@mistake("Relu")
class LeakyBelowZero(Relu):
    """Lets a hundredth of what is negative through: that is another activation, the
    leaky ReLU.
    """

    def forward(self, x: Any) -> Any:
        return np.where(super().forward(x) == 0, x * x.dtype.type(0.01), x)[()]


@mistake("Relu")
class NanStopped(Relu):
    """Passes the gradient where x > 0, which a NaN is not: the sign that something went
    wrong is lost.
    """

    def forward(self, x: Any) -> Any:
        out = super().forward(x)
        self.mask = ~(x > 0)
        return out


@mistake("Sigmoid")
class DerivativeFromTheInput(Sigmoid):
    """Computes x (1 - x): the rule y (1 - y) is meant for the output."""

    def forward(self, x: Any) -> Any:
        self.x = x
        return super().forward(x)

    def backward(self, dout: Any) -> Any:
        return dout * (1 - self.x) * self.x


@mistake("Sigmoid")
class OneMinusYForgotten(Sigmoid):
    """Multiplies by y alone: far from the middle the gradient no longer vanishes."""

    def backward(self, dout: Any) -> Any:
        return dout * self.out


@mistake("Sigmoid", GITHUB + "Bot-Academy/NeuralNetworkFromScratch/pull/3")
class SigmoidDerivativeForgotten(Sigmoid):
    """Passes the gradient on as it came: the activation's own derivative is missing."""

    def backward(self, dout: Any) -> Any:
        return dout * 1


@mistake("Sigmoid", GITHUB + "rasmusbergpalm/DeepLearnToolbox/issues/165")
class SigmoidTakenTwice(Sigmoid):
    """Applies the sigmoid to its output before it takes y (1 - y)."""

    def backward(self, dout: Any) -> Any:
        y = sigmoid(self.out)
        return dout * (1 - y) * y


@mistake("Sigmoid", GITHUB + "DrBigMau/LSTM-from-Scratch-in-Python/issues/1")
class OutputClipped(Sigmoid):
    """Keeps y between 1e-7 and 1 - 1e-7: where it saturates, output and gradient are
    made up.
    """

    def forward(self, x: Any) -> Any:
        self.out = np.clip(super().forward(x), 1e-7, 1 - 1e-7)
        return self.out


@mistake("Sigmoid")
class InputClipped(Sigmoid):
    """Keeps x between -500 and 500, against the overflow of exp: beyond them nothing
    changes any more.
    """

    def forward(self, x: Any) -> Any:
        return super().forward(np.clip(x, -500, 500))


@mistake("Sigmoid")
class OutputOverwrittenByBackward(Sigmoid):
    """Computes the gradient in the array that holds the output, which somebody may
    still need.
    """

    def backward(self, dout: Any) -> Any:
        self.out *= (1 - self.out) * dout
        return self.out


@mistake("SigmoidGraph")
class NodeLeftOutInBackward(SigmoidGraph):
    """Goes past the exp node in backward: every node on the way has its factor."""

    def backward(self, dout: Any) -> Any:
        negate, _, plus_one, reciprocal = self.nodes
        return negate.backward(plus_one.backward(reciprocal.backward(dout)))


@mistake("Softmax", BOOK + "issues/85")
class NormalisedOverTheWholeBatch(Softmax):
    """Divides by the sum over the whole batch: it is each row that must sum to 1."""

    def forward(self, x: Any) -> Any:
        e = np.exp(x - x.max())
        self.y = e / e.sum()
        return self.y


@mistake("Softmax")
class NormalisedOverColumns(Softmax):
    """Normalises each column: the probabilities of one class over the batch, not those of
    the classes for one sample.
    """

    def forward(self, x: Any) -> Any:
        e = np.exp(x - x.max(axis=0))
        self.y = e / e.sum(axis=0)
        return self.y


@mistake("Softmax", GITHUB + "jhcross/span-parser/issues/2")
class MaximumNotSubtracted(Softmax):
    """Takes exp of the logits as they are: beyond 88 in float32 that is infinite, and
    infinity over infinity is NaN.
    """

    def forward(self, x: Any) -> Any:
        e = np.exp(x)
        self.y = e / e.sum(axis=-1, keepdims=True)
        return self.y


@mistake("Softmax", BOOK + "issues/85")
class MaximumOfTheWholeBatch(Softmax):
    """Subtracts the largest logit of the batch: a row far below it underflows, and 0 / 0
    is NaN.
    """

    def forward(self, x: Any) -> Any:
        e = np.exp(x - x.max())
        self.y = e / e.sum(axis=-1, keepdims=True)
        return self.y


@mistake("Softmax", GITHUB + "deeplearning4j/libnd4j/issues/440")
class DiagonalOfTheJacobian(Softmax):
    """Uses y (1 - y), as for the sigmoid: every output depends on every input of its
    row.
    """

    def backward(self, dout: Any) -> Any:
        return dout * self.y * (1 - self.y)


@mistake("Softmax")
class KeepdimsForgotten(Softmax):
    """Subtracts the row sums without keepdims: with as many samples as classes they are
    taken for a row, else it crashes.
    """

    def backward(self, dout: Any) -> Any:
        return self.y * (dout - (dout * self.y).sum(axis=-1))


@mistake("Softmax")
class SumOfSlightlyMore(Softmax):
    """Adds 1e-7 to the sum, against a division by 0 that cannot happen, for the largest
    exponential is 1: the probabilities sum to less than 1.
    """

    def forward(self, x: Any) -> Any:
        e = np.exp(x - x.max(axis=-1, keepdims=True))
        self.y = e / (e.sum(axis=-1, keepdims=True) + x.dtype.type(1e-7))
        return self.y


@mistake("Softmax")
class TailOfTheClassesDropped(Softmax):
    """Sums over chunks of 101 classes and leaves out what remains: of 10,000 classes, the
    last.
    """

    def forward(self, x: Any) -> Any:
        n = x.shape[-1] // 101 * 101 or x.shape[-1]
        e = np.exp(x - x.max(axis=-1, keepdims=True))
        self.y = e / e[..., :n].sum(axis=-1, keepdims=True)
        return self.y


@mistake("Softmax")
class SoftmaxNotDifferentiated(Softmax):
    """Passes the gradient on as it came: only together with the cross entropy does the
    softmax have so simple a derivative.
    """

    def backward(self, dout: Any) -> Any:
        return dout * 1


@mistake("Tanh")
class TanhDerivativeFromTheInput(Tanh):
    """Computes 1 - x**2: the rule 1 - y**2 is meant for the output."""

    def forward(self, x: Any) -> Any:
        self.x = x
        return super().forward(x)

    def backward(self, dout: Any) -> Any:
        return dout * (1 - self.x * self.x)


@mistake("Tanh")
class SquareOfTheOutputForgotten(Tanh):
    """Multiplies by 1 - y: right at 0 and where y has come to 1, and nowhere else."""

    def backward(self, dout: Any) -> Any:
        return dout * (1 - self.out)


@mistake("Tanh")
class TanhTakenForTheSigmoid(Tanh):
    """Uses y (1 - y), which is the derivative of the sigmoid: at 0 nothing passes, where
    the tanh is steepest.
    """

    def backward(self, dout: Any) -> Any:
        return dout * (1 - self.out) * self.out


@mistake("Tanh")
class TanhFromExponentials(Tanh):
    """Divides exp(x) - exp(-x) by exp(x) + exp(-x): far from 0 one of them overflows, and
    infinity over infinity is NaN.
    """

    def forward(self, x: Any) -> Any:
        up, down = np.exp(x), np.exp(-x)
        self.out = (up - down) / (up + down)
        return self.out


@mistake("LeakyRelu")
class NothingLeaksBack(LeakyRelu):
    """Stops the gradient below 0, as if there were no slope: units that are below 0 never
    learn, which the slope is there to prevent.
    """

    def backward(self, dout: Any) -> Any:
        return np.where(self.mask, 0, dout)[()]


@mistake("LeakyRelu")
class SlopeOnTheWrongSide(LeakyRelu):
    """Multiplies the gradient by the slope where x > 0, and passes it elsewhere."""

    def backward(self, dout: Any) -> Any:
        return np.where(self.mask, dout, self.slope * dout)[()]


@mistake("LeakyRelu")
class SlopeOfAnotherLibrary(LeakyRelu):
    """Ignores the slope that it is given and keeps 0.3, the default of Keras, where that
    of PyTorch and JAX is 0.01.
    """

    def __init__(self, *, slope: float) -> None:
        super().__init__(slope=0.3)
