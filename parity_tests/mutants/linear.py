"""Mistakes in the linear layer: the right one, but for what is here."""

from typing import Any

import numpy as np

from gradparity.parity_tests.mutants.mutant import mistakes
from gradparity.parity_tests.mutants.sources import GITHUB
from gradparity.reference.layers import Affine

mistake = mistakes("reference")


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
class FactorsSwappedInForward(Affine):
    """Multiplies W by x, where x comes first: with as many samples, inputs and outputs
    nothing complains, else the shapes do not fit.
    """

    def forward(self, x: Any) -> Any:
        super().forward(x)
        return self.W @ x + self.b


@mistake("Affine")
class FactorsOfDxSwapped(Affine):
    """Multiplies W.T by dout, where dout comes first: with as many samples, inputs and
    outputs nothing complains, else the shapes do not fit.
    """

    def backward(self, dout: Any) -> Any:
        self.backward_params(dout)
        return self.W.T @ dout


@mistake("Affine")
class FactorsOfDwSwapped(Affine):
    """Multiplies dout by x.T, where x.T comes first: with as many samples, inputs and
    outputs nothing complains, else the shapes do not fit.
    """

    def backward_params(self, dout: Any) -> None:
        super().backward_params(dout)
        self.dW = dout @ self.x.T


@mistake("Affine")
class InputNotTransposed(Affine):
    """Computes dW with x and not with its transpose: with as many samples as inputs
    nothing complains, and the gradient is wrong.
    """

    def backward_params(self, dout: Any) -> None:
        super().backward_params(dout)
        self.dW = self.x @ dout


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
class TailOfTheBatchDropped(Affine):
    """Sums dW and db over chunks of 101 samples and leaves out what remains: of 10,000
    samples, the last.
    """

    def backward_params(self, dout: Any) -> None:
        super().backward_params(dout)
        n = len(self.x) // 101 * 101 or len(self.x)
        dout = dout.reshape(len(self.x), -1)[:n]
        self.dW, self.db = self.x[:n].T @ dout, dout.sum(axis=0)


@mistake("Affine")
class OneWeightOfTenThousand(Affine):
    """Is off by 1 % in one element of a large dW, as a processor may be of which one core
    miscalculates.
    """

    def backward_params(self, dout: Any) -> None:
        super().backward_params(dout)
        if self.dW.size >= 10_000:
            self.dW.flat[np.abs(self.dW).argmin()] *= self.dW.dtype.type(1.01)


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
