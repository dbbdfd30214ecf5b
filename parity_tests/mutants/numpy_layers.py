"""Mistakes in layers with forward and backward: the right layer, but for what is here."""

from typing import Any

import numpy as np

from gradparity.parity_tests.mutants.mutant import mistakes
from gradparity.reference.functions import (
    cross_entropy_error,
    sigmoid,
    softmax,
    to_labels,
)
from gradparity.reference.layers import (
    AddLayer,
    Affine,
    BuyFruit,
    CrossEntropy,
    Exp,
    Log,
    MulLayer,
    Negate,
    PlusOne,
    Reciprocal,
    Relu,
    Sigmoid,
    SigmoidGraph,
    Softmax,
    SoftmaxWithLoss,
)

mistake = mistakes("reference")
GITHUB = "https://github.com/"
BOOK = GITHUB + "oreilly-japan/deep-learning-from-scratch/"
SECOND_BOOK = GITHUB + "oreilly-japan/deep-learning-from-scratch-2/"
TORCH_CROSS_ENTROPY = (
    "https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html"
)
BOOK_LAYERS = BOOK + "blob/master/common/layers.py"
BOOK_FUNCTIONS = BOOK + "blob/master/common/functions.py"


# --- The nodes of the bill ------------------------------------------------------------


@mistake("AddLayer")
class AdditionTreatedAsMultiplication(AddLayer):
    """Multiplies the derivative by the other input, as the product does: a sum passes it
    on unchanged.
    """

    def forward(self, x: Any, y: Any) -> Any:
        self.x, self.y = x, y
        return super().forward(x, y)

    def backward(self, dout: Any) -> Any:
        return dout * self.y, dout * self.x


@mistake("AddLayer")
class DerivativeSharedBetweenInputs(AddLayer):
    """Gives each input half of the derivative: both get all of it."""

    def backward(self, dout: Any) -> Any:
        return dout / 2, dout / 2


@mistake("AddLayer")
class SecondDerivativeForgotten(AddLayer):
    """Returns one derivative, though there are two inputs."""

    def backward(self, dout: Any) -> Any:
        return dout * 1


@mistake("MulLayer")
class FactorsNotSwapped(MulLayer):
    """Multiplies by the input itself: the derivative of a factor is the other one."""

    def backward(self, dout: Any) -> Any:
        return dout * self.x, dout * self.y


@mistake("MulLayer")
class ProductWithoutDout(MulLayer):
    """Returns the other factor alone: what arrives from above is lost, and with it the
    chain rule.
    """

    def backward(self, dout: Any) -> Any:
        return self.y * 1, self.x * 1


@mistake("MulLayer")
class ProductWrittenIntoItsInput(MulLayer):
    """Multiplies with *=: the caller's x is overwritten, and backward uses what is there
    now.
    """

    def forward(self, x: Any, y: Any) -> Any:
        self.x, self.y = x, y
        self.x *= y
        return self.x


@mistake("BuyFruit")
class TaxOnApplesOnly(BuyFruit):
    """Takes the derivative of the tax from the price of the apples: the oranges are
    taxed as well.
    """

    def backward(self, dout: Any) -> Any:
        *fruit, _ = super().backward(dout)
        return *fruit, dout * self.mul_apple.x * self.mul_apple.y


@mistake("BuyFruit")
class FruitMixedUp(BuyFruit):
    """Returns the derivatives in another order than the inputs came in."""

    def backward(self, dout: Any) -> Any:
        apple, apple_num, orange, orange_num, tax = super().backward(dout)
        return orange, orange_num, apple, apple_num, tax


# --- Activations ----------------------------------------------------------------------


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


@mistake("Negate")
class SignNotPassedBack(Negate):
    """Negates in forward only: the gradient points the wrong way."""

    def backward(self, dout: Any) -> Any:
        return dout * 1


@mistake("Exp")
class PowerRuleForExp(Exp):
    """Differentiates exp(x) like a power, x exp(x - 1): exp is its own derivative."""

    def forward(self, x: Any) -> Any:
        self.x = x
        return super().forward(x)

    def backward(self, dout: Any) -> Any:
        return dout * self.x * np.exp(self.x - 1)


@mistake("Log")
class LogarithmToBaseTen(Log):
    """Takes log10 for the natural logarithm: the output is 2.3 times too small, and 1 / x
    the derivative of another function.
    """

    def forward(self, x: Any) -> Any:
        super().forward(x)
        return np.log10(x)


@mistake("Log")
class MultipliedInsteadOfDivided(Log):
    """Multiplies by x: the derivative of log(x) is 1 / x."""

    def backward(self, dout: Any) -> Any:
        return dout * self.x


@mistake("Log", BOOK_FUNCTIONS)
class LogOfSlightlyMore(Log):
    """Adds 1e-7 before the logarithm, against log(0): every other value is changed too,
    the small ones most.
    """

    def forward(self, x: Any) -> Any:
        super().forward(x)
        return np.log(x + x.dtype.type(1e-7))


@mistake("PlusOne")
class ConstantDifferentiatedAsOne(PlusOne):
    """Adds 1 to the derivative as well: a constant has the derivative 0."""

    def backward(self, dout: Any) -> Any:
        return dout + 1


@mistake("Reciprocal")
class ReciprocalWithoutItsSign(Reciprocal):
    """Forgets the minus sign of -1 / x**2: the gradient points the wrong way."""

    def backward(self, dout: Any) -> Any:
        return dout * self.out**2


@mistake("Reciprocal")
class SquareForgotten(Reciprocal):
    """Divides by x where it should divide by x**2."""

    def backward(self, dout: Any) -> Any:
        return -dout * self.out


# --- Affine ---------------------------------------------------------------------------


@mistake("Affine")
class BiasForgotten(Affine):
    """Leaves the bias out of forward, though it gets a gradient."""

    def forward(self, x: Any) -> Any:
        return super().forward(x) - self.b


@mistake("Affine")
class WeightNotTransposed(Affine):
    """Computes dx with W and not with its transpose: with as many outputs as inputs
    nothing complains, and the gradient is wrong.
    """

    def backward(self, dout: Any) -> Any:
        self.backward_params(dout)
        return (dout @ self.W).reshape(self.original_x_shape)


@mistake("Affine")
class WeightReshapedNotTransposed(Affine):
    """Gives W the transpose's shape by reshape, which leaves the numbers in their
    order.
    """

    def backward(self, dout: Any) -> Any:
        self.backward_params(dout)
        turned = self.W.reshape(self.W.shape[::-1])
        return (dout @ turned).reshape(self.original_x_shape)


@mistake("Affine")
class WeightGradientTransposed(Affine):
    """Computes dout.T @ x, the transpose of dW."""

    def backward_params(self, dout: Any) -> None:
        super().backward_params(dout)
        self.dW = self.dW.T


@mistake("Affine", GITHUB + "SkalskiP/ILearnDeepLearning.py/issues/29")
class WeightGradientAveraged(Affine):
    """Divides dW by the batch size, which the loss has already done: the larger the
    batch, the slower it learns.
    """

    def backward_params(self, dout: Any) -> None:
        super().backward_params(dout)
        self.dW = self.dW / len(self.x)


@mistake("Affine")
class WeightGradientOfOneSample(Affine):
    """Takes dW from the first sample alone: every sample used W, so all count."""

    def backward_params(self, dout: Any) -> None:
        super().backward_params(dout)
        self.dW = np.outer(self.x[0], dout.reshape(len(self.x), -1)[0])


@mistake("Affine")
class WeightDecayLeftOn(Affine):
    """Adds a share of W to its gradient: that is the gradient of another loss."""

    def backward_params(self, dout: Any) -> None:
        super().backward_params(dout)
        self.dW = self.dW + self.W * self.W.dtype.type(1e-4)


@mistake("Affine", GITHUB + "SkalskiP/ILearnDeepLearning.py/issues/29")
class BiasGradientAveraged(Affine):
    """Averages db over the batch where it should sum it."""

    def backward_params(self, dout: Any) -> None:
        super().backward_params(dout)
        self.db = self.db / len(self.x)


@mistake("Affine", GITHUB + "rasbt/stat453-deep-learning-ss21/issues/5")
class BiasGradientSummedOverAll(Affine):
    """Sums db over the outputs too: one number, which the update then subtracts from
    every bias.
    """

    def backward_params(self, dout: Any) -> None:
        super().backward_params(dout)
        self.db = dout.sum()


@mistake("Affine")
class BiasGradientOverTheWrongAxis(Affine):
    """Sums db over the outputs and not over the batch."""

    def backward_params(self, dout: Any) -> None:
        super().backward_params(dout)
        self.db = dout.sum(axis=-1)


@mistake("Affine")
class BiasGradientInARow(Affine):
    """Keeps the summed axis of db: its shape is (1, out), that of b is (out,)."""

    def backward_params(self, dout: Any) -> None:
        super().backward_params(dout)
        self.db = self.db[np.newaxis]


@mistake("Affine")
class BiasGradientNotSummed(Affine):
    """Returns dout as db: every sample used the same bias, so db is their sum."""

    def backward_params(self, dout: Any) -> None:
        super().backward_params(dout)
        self.db = dout * 1


@mistake("Affine")
class GradientsAccumulated(Affine):
    """Adds to dW and db and never clears them: each step goes along all earlier
    gradients too.
    """

    def backward_params(self, dout: Any) -> None:
        before = (0, 0) if self.dW is None else (self.dW, self.db)
        super().backward_params(dout)
        self.dW, self.db = self.dW + before[0], self.db + before[1]


@mistake("Affine")
class InputOfTheFirstBatch(Affine):
    """Keeps the input of the first batch: dW belongs to data long gone."""

    def forward(self, x: Any) -> Any:
        first = self.x
        out = super().forward(x)
        self.x = self.x if first is None else first
        return out


@mistake("Affine")
class ShapeNotRestored(Affine):
    """Leaves dx flat: the layer below gave a tensor and gets a matrix back."""

    def backward(self, dout: Any) -> Any:
        dx = super().backward(dout)
        return dx.reshape(len(self.x), -1)


@mistake("Affine")
class FlattenedColumnsFirst(Affine):
    """Flattens the tensors with their first axis running fastest: inputs meet the
    weights of others.
    """

    def forward(self, x: Any) -> Any:
        if x.ndim < 3:
            return super().forward(x)
        return super().forward(x.reshape(len(x), -1, order="F").reshape(x.shape))


@mistake("Affine")
class BatchOfOneSqueezed(Affine):
    """Calls squeeze: a batch of one, or a single output, loses that axis."""

    def forward(self, x: Any) -> Any:
        return super().forward(x).squeeze()


@mistake("Affine", GITHUB + "numpy/numpy/issues/22208")
class SummedInHalfPrecision(Affine):
    """Multiplies and sums in float16: three digits are left."""

    def forward(self, x: Any) -> Any:
        super().forward(x)
        product = self.x.astype(np.float16) @ self.W.astype(np.float16)
        return product.astype(x.dtype).reshape(self.out_shape) + self.b


@mistake("Affine")
class PromotedToDouble(Affine):
    """Makes float64 of float32 on the way, through a constant that has that dtype: twice
    the memory, half the speed.
    """

    def forward(self, x: Any) -> Any:
        return super().forward(x) * np.float64(1)


# --- Softmax and the losses -----------------------------------------------------------


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
class SoftmaxNotDifferentiated(Softmax):
    """Passes the gradient on as it came: only together with the cross entropy does the
    softmax have so simple a derivative.
    """

    def backward(self, dout: Any) -> Any:
        return dout * 1


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
class LossThroughAnUnderflow(SoftmaxWithLoss):
    """Takes the logarithm of the softmax when that is already 0: the loss is infinite
    where it should be large.
    """

    def forward(self, x: Any, t: Any) -> Any:
        super().forward(x, t)
        return CrossEntropy().forward(self.y, t)


@mistake("SoftmaxWithLoss")
class LargestInsteadOfSum(SoftmaxWithLoss):
    """Takes the largest loss of the batch for the mean."""

    def forward(self, x: Any, t: Any) -> Any:
        super().forward(x, t)
        return -np.log(np.take_along_axis(self.y, self.labels[..., None], -1)).min()
