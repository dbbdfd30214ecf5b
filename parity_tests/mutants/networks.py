"""Mistakes in the network: layers that are right, put together wrongly."""

from typing import Any

import numpy as np

from gradparity.parity_tests.mutants.mutant import mistakes
from gradparity.reference.layers import (
    Affine,
    Negate,
    Relu,
    Sigmoid,
    Softmax,
    SoftmaxWithLoss,
)
from gradparity.reference.networks import TwoLayerNet

mistake = mistakes("reference", "network")


@mistake()
class ReluOnTheScores(TwoLayerNet):
    """Applies a ReLU to the output layer too: no score can be negative any more."""

    def _build(self) -> None:
        super()._build()
        self.layers["Affine2"] = AffineThen(Relu(), self.layers["Affine2"])


class SigmoidThroughout(TwoLayerNet):
    """The same, with a sigmoid in the hidden layer too."""

    def _build(self) -> None:
        super()._build()
        self.layers["Relu1"] = Sigmoid()
        self.layers["Affine2"] = AffineThen(Sigmoid(), self.layers["Affine2"])


@mistake(also=[SigmoidThroughout])
class SigmoidOnTheScores(TwoLayerNet):
    """Has a second activation, a sigmoid, between the scores and the softmax: all scores
    lie between 0 and 1, and no class can be made sure of.
    """

    def _build(self) -> None:
        super()._build()
        self.layers["Affine2"] = AffineThen(Sigmoid(), self.layers["Affine2"])


@mistake()
class SoftmaxInPredict(TwoLayerNet):
    """Takes the softmax in predict, and the loss takes it once more."""

    def _build(self) -> None:
        super()._build()
        self.layers["Affine2"] = AffineThen(Softmax(), self.layers["Affine2"])


class AffineThen(Affine):
    """An affine layer with an activation of its own."""

    def __init__(self, activation: Any, affine: Any) -> None:
        super().__init__(affine.W, affine.b)
        self.activation = activation

    def forward(self, x: Any) -> Any:
        return self.activation.forward(super().forward(x))

    def backward(self, dout: Any) -> Any:
        return super().backward(self.activation.backward(dout))


@mistake()
class SigmoidForRelu(TwoLayerNet):
    """Has a sigmoid in the hidden layer, as in the book's chapter 4, where the lecture's
    network has a ReLU.
    """

    def _build(self) -> None:
        super()._build()
        self.layers["Relu1"] = Sigmoid()


@mistake()
class NoActivation(TwoLayerNet):
    """Leaves the activation out: two affine layers in a row are only one."""

    def _build(self) -> None:
        super()._build()
        self.layers["Relu1"] = Twice()


class Twice:
    """x, as -(-x)."""

    def __init__(self) -> None:
        self.nodes = [Negate(), Negate()]

    def forward(self, x: Any) -> Any:
        return self.nodes[1].forward(self.nodes[0].forward(x))

    def backward(self, dout: Any) -> Any:
        return self.nodes[0].backward(self.nodes[1].backward(dout))


@mistake()
class ReluSkippedInBackward(TwoLayerNet):
    """Goes past the ReLU in backward: units that were off are trained as well."""

    def _build(self) -> None:
        super()._build()
        relu: Any = self.layers["Relu1"]
        relu.backward = lambda dout: dout


@mistake()
class DropoutLeftOn(TwoLayerNet):
    """Leaves dropout on when the network is only to be evaluated."""

    def _build(self) -> None:
        super()._build()
        relu: Any = self.layers["Relu1"]
        right, keep = relu.forward, np.random.default_rng(0)
        relu.forward = lambda x: right(x) * (keep.random(x.shape) < 0.9)


@mistake()
class ActivationsInHalfPrecision(TwoLayerNet):
    """Stores the hidden activations as float16 and computes on with what is left."""

    def _build(self) -> None:
        super()._build()
        relu: Any = self.layers["Relu1"]
        right = relu.forward
        relu.forward = lambda x: right(x).astype(np.float16).astype(x.dtype)


@mistake()
class ImagesScaledTwice(TwoLayerNet):
    """Divides the pixels by 255 though they lie between 0 and 1 already."""

    def _cast(self, x: Any) -> Any:
        return super()._cast(x) / x.dtype.type(255)


@mistake()
class ImagesRoundedToSinglePrecision(TwoLayerNet):
    """Rounds the images to float32 before a network in float64 sees them."""

    def _cast(self, x: Any) -> Any:
        return super()._cast(x.astype(np.float32))


@mistake()
class ProbabilitiesOverwritten(TwoLayerNet):
    """Computes y - t in the array of y, for want of a copy: the probabilities are gone
    when somebody asks for them.
    """

    def _build(self) -> None:
        super()._build()
        self.lastLayer = GradientInPlace()


class GradientInPlace(SoftmaxWithLoss):
    """The loss layer of that network."""

    def backward(self, dout: Any = 1) -> Any:
        dx = self.y
        dx -= np.arange(dx.shape[-1]) == self.labels[..., np.newaxis]
        return dx * dout / self.labels.size


@mistake()
class FirstBiasNotUsed(TwoLayerNet):
    """Gives the first layer zeros for a bias: b1 has a gradient and no effect."""

    def _bind(self) -> None:
        super()._bind()
        self.layers["Affine1"].b = np.zeros_like(self.params["b1"])
