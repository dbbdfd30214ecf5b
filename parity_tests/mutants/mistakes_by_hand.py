"""Mistakes in networks by hand: in chapter 4's, which other networks are kinds of, in one
of several layers, and in a convolutional one.
"""

from typing import Any

import numpy as np

from gradparity.parity_tests.mutants.mutant import OF_THE_COURSE, mistakes
from gradparity.parity_tests.mutants.networks_by_hand import ByHand, Convolved, Deep
from gradparity.reference.functions import sigmoid

mistake = mistakes("reference", "network", OF_THE_COURSE)
by_hand = mistake("TwoLayerNet by hand")
deep = mistake("MultiLayerNet")
convolved = mistake("SimpleConvNet")


# --- Forward --------------------------------------------------------------------------


@by_hand
class SigmoidBeforeTheSoftmax(ByHand):
    """Takes a sigmoid of the scores before their softmax: no score is below 0 or above 1,
    and no class can be likely.
    """

    def forward(self, x: Any) -> Any:
        return sigmoid(super().forward(x))


@by_hand
class SoftmaxOverTheWholeBatch(ByHand):
    """Divides by the sum over the whole batch in the softmax: that is right for one sample
    alone.
    """

    def softmax(self, scores: Any) -> Any:
        e = np.exp(scores - scores.max())
        return e / e.sum()


@by_hand
class HiddenLayerNotActivated(ByHand):
    """Leaves the activation of the hidden layer out: two affine layers in a row are only
    one.
    """

    def activate(self, a: Any) -> Any:
        return a

    def slope(self, z: Any) -> Any:
        return 1


@by_hand
class HiddenBiasForgotten(ByHand):
    """Leaves b1 out of the hidden layer."""

    def affine(self, n: int, x: Any) -> Any:
        return x @ self.matrix(n) if n == 1 else super().affine(n, x)


@by_hand
class LossOfTheBatchNotAveraged(ByHand):
    """Adds the loss up over the batch and does not divide by the batch size, as the
    gradient does.
    """

    def cross_entropy(self, y: Any, t: Any) -> Any:
        return super().cross_entropy(y, t) * len(y)


# --- Backward -------------------------------------------------------------------------


@by_hand
class SlopeForgotten(ByHand):
    """Goes past the activation in the gradient: its derivative is missing, and W1 and b1
    learn as if there were none.
    """

    def slope(self, z: Any) -> Any:
        return 1


@by_hand
class SlopeOfWhatIsActivatedAlready(ByHand):
    """Takes the activation once more in its derivative: it is handed what the activation
    has given, and not what went into it.
    """

    def slope(self, z: Any) -> Any:
        return super().slope(self.activate(z))


@by_hand
class OutputForSlope(ByHand):
    """Multiplies by what the activation has given where its derivative belongs: of a
    sigmoid z, that is z (1 - z).
    """

    def slope(self, z: Any) -> Any:
        return z


@by_hand
class GradientOfTheBatchNotAveraged(ByHand):
    """Forgets to divide the gradient by the batch size, as the loss does: it grows with
    the batch.
    """

    def of_scores(self, y: Any, t: Any) -> Any:
        return y - t


@by_hand
class GradientOfTheBatchAveragedTwice(ByHand):
    """Divides the gradient by the batch size twice."""

    def of_scores(self, y: Any, t: Any) -> Any:
        return super().of_scores(y, t) / len(y)


@by_hand
class LabelsMinusProbabilities(ByHand):
    """Takes t - y for y - t: a step against that gradient makes the loss larger."""

    def of_scores(self, y: Any, t: Any) -> Any:
        return super().of_scores(t, y)


@by_hand
class LabelsNotSubtracted(ByHand):
    """Takes y for y - t: the gradient knows nothing of the labels."""

    def of_scores(self, y: Any, t: Any) -> Any:
        return super().of_scores(y, 0)


@by_hand
class SoftmaxDifferentiatedTwice(ByHand):
    """Multiplies y - t by y (1 - y): in y - t the derivative of the softmax is already."""

    def of_scores(self, y: Any, t: Any) -> Any:
        return super().of_scores(y, t) * y * (1 - y)


@by_hand
class BiasesNotSummed(ByHand):
    """Returns a gradient of the biases for each sample, where they must be summed over the
    batch.
    """

    def of_bias(self, n: int, d: Any) -> Any:
        return d


@by_hand
class BiasesSummedOverUnits(ByHand):
    """Sums the gradients of the biases over the units of a layer, and not over the batch:
    axis 0 is that of the samples.
    """

    def of_bias(self, n: int, d: Any) -> Any:
        return d.sum(axis=1)


@by_hand
class BiasesAveraged(ByHand):
    """Averages the gradients of the biases over the batch, by whose size y - t is divided
    already.
    """

    def of_bias(self, n: int, d: Any) -> Any:
        return d.mean(axis=0)


# --- Several layers -------------------------------------------------------------------


@deep
class DecayForgottenInTheGradient(Deep):
    """Adds weight decay to the loss, and leaves it out of the gradients of the weights."""

    def decayed(self, dW: Any, W: Any) -> Any:
        return dW


@deep
class DecayForgottenInTheLoss(Deep):
    """Adds weight decay to the gradients of the weights, and leaves it out of the loss."""

    def penalty(self) -> Any:
        return 0.0


@deep
class WeightDecayIgnored(Deep):
    """Takes weight_decay_lambda and makes no use of it."""

    def penalty(self) -> Any:
        return 0.0

    def decayed(self, dW: Any, W: Any) -> Any:
        return dW


@deep
class BiasesDecayed(Deep):
    """Lets the biases decay as well as the weights."""

    def penalty(self) -> Any:
        biases = [b for name, b in self.params.items() if name[0] == "b"]
        return super().penalty() + self.decay * sum((b * b).sum() for b in biases) / 2

    def of_bias(self, n: int, d: Any) -> Any:
        return super().of_bias(n, d) + self.decay * self.params[f"b{n}"]


@deep
class DecayNotHalved(Deep):
    """Adds the squares of the weights to the loss where half of them belong: the gradients
    are those of half of them.
    """

    def penalty(self) -> Any:
        return 2 * super().penalty()


@deep
class DecayDoubledInTheGradient(Deep):
    """Adds twice the decay to the gradients of the weights: the squares in the loss are
    halved.
    """

    def decayed(self, dW: Any, W: Any) -> Any:
        return dW + 2 * self.decay * W


@deep
class ScoresActivated(Deep):
    """Applies the activation to the scores, too, after the last layer."""

    def forward(self, x: Any) -> Any:
        self.scored = self.activate(super().forward(x))
        return self.scored

    def of_scores(self, y: Any, t: Any) -> Any:
        return super().of_scores(y, t) * self.slope(self.scored)


@deep
class ActivationIgnored(Deep):
    """Takes the name of an activation and has a ReLU whatever it is."""

    def activate(self, a: Any) -> Any:
        return np.maximum(a, 0)

    def slope(self, z: Any) -> Any:
        return z > 0


@deep
class LayersNotActivated(Deep):
    """Leaves the activations out: affine layers in a row are only one."""

    def activate(self, a: Any) -> Any:
        return a

    def slope(self, z: Any) -> Any:
        return 1


@deep
class ActivationsSkippedInBackward(Deep):
    """Goes past the activations in backward."""

    def slope(self, z: Any) -> Any:
        return 1


# --- Convolution ----------------------------------------------------------------------


@convolved
class ConvolutionNotActivated(Convolved):
    """Leaves the ReLU between convolution and pooling out."""

    def activate(self, a: Any) -> Any:
        return a if a.ndim > 2 else super().activate(a)

    def slope(self, z: Any) -> Any:
        return 1 if z.ndim > 2 else super().slope(z)


@convolved
class ReluOfConvolutionSkippedInBackward(Convolved):
    """Goes past the ReLU between convolution and pooling in backward."""

    def slope(self, z: Any) -> Any:
        return 1 if z.ndim > 2 else super().slope(z)


@convolved
class HiddenReluForgotten(Convolved):
    """Leaves the ReLU between the two affine layers out."""

    def activate(self, a: Any) -> Any:
        return super().activate(a) if a.ndim > 2 else a

    def slope(self, z: Any) -> Any:
        return super().slope(z) if z.ndim > 2 else 1


@convolved
class ReluAfterTheScores(Convolved):
    """Applies a ReLU to the scores, too."""

    def forward(self, x: Any) -> Any:
        self.scored = self.activate(super().forward(x))
        return self.scored

    def of_scores(self, y: Any, t: Any) -> Any:
        return super().of_scores(y, t) * (self.scored > 0)


@convolved
class AveragePooling(Convolved):
    """Pools the mean of every two by two, where the largest belongs."""

    def leave(self, n: int, z: Any) -> Any:
        if n > 1:
            return z
        four = z.reshape(len(z), z.shape[1] // 2, 2, z.shape[2] // 2, 2, -1)
        return four.mean(axis=(2, 4)).transpose(0, 3, 1, 2).reshape(len(z), -1)

    def enter_back(self, n: int, d: Any, z: Any) -> Any:
        if n > 1:
            return d
        samples, height, width, filters = z.shape
        d = d.reshape(samples, filters, height // 2, width // 2).transpose(0, 2, 3, 1)
        return d.repeat(2, axis=1).repeat(2, axis=2) / 4


@convolved
class FiltersUpsideDown(Convolved):
    """Turns the filters by half a turn, as in a convolution of mathematics: the book's is
    a correlation.
    """

    def matrix(self, n: int) -> Any:
        W = self.params[f"W{n}"]
        return W[:, :, ::-1, ::-1].reshape(len(W), -1).T if n == 1 else W

    def decayed(self, dW: Any, W: Any) -> Any:
        return dW[:, :, ::-1, ::-1] if W.ndim > 2 else dW
