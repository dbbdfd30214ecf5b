"""Mistakes in the training loop: what is done with gradients that are right."""

from typing import Any

import numpy as np

from gradparity.parity_tests.implementations.contract import Arrays
from gradparity.parity_tests.implementations.loop import NumpyLoop
from gradparity.parity_tests.mutants.lazily import F, jax, jnp, torch
from gradparity.parity_tests.mutants.loops import JaxLoop, TorchLoop, jax_networks
from gradparity.parity_tests.mutants.mutant import mistakes
from gradparity.parity_tests.mutants.sources import GITHUB, TORCH_CROSS_ENTROPY
from gradparity.reference.networks import TwoLayerNet

ZERO_GRAD = "https://docs.pytorch.org/docs/stable/generated/torch.optim.Optimizer.zero_grad.html"
JAX_FAQ = "https://docs.jax.dev/en/latest/faq.html"

numpy_mistake = mistakes("reference", "training")
torch_mistake = mistakes("torch", "training")
jax_mistake = mistakes("jax", "training")


# --- NumPy: the data ------------------------------------------------------------------


@numpy_mistake()
class LastBatchDropped(NumpyLoop):
    """Stops one mini-batch early: range(steps - 1)."""

    def order(self, batches: Any) -> Any:
        return batches[:-1]


@numpy_mistake()
class BatchesInAnotherOrder(NumpyLoop):
    """Shuffles once more: the same data, and not the same training."""

    def order(self, batches: Any) -> Any:
        return batches[::-1]


@numpy_mistake()
class FirstBatchForever(NumpyLoop):
    """Chooses a mini-batch before the loop and not in it."""

    def order(self, batches: Any) -> Any:
        return np.broadcast_to(batches[0], batches.shape)


@numpy_mistake()
class LastSampleDropped(NumpyLoop):
    """Slices one sample too few: batch[0:size - 1]."""

    def choose(self, x: Any, t: Any, batch: Any) -> Any:
        return super().choose(x, t, batch[:-1])


@numpy_mistake()
class SamplesOffByOne(NumpyLoop):
    """Counts samples from 1: every index means the sample before it."""

    def choose(self, x: Any, t: Any, batch: Any) -> Any:
        return super().choose(x, t, batch - 1)


@numpy_mistake()
class LabelsNotShuffledAlong(NumpyLoop):
    """Shuffles the images and leaves the labels in their order: they belong to other
    images.
    """

    def choose(self, x: Any, t: Any, batch: Any) -> Any:
        return x[batch], t[np.sort(batch)]


# --- NumPy: the gradient --------------------------------------------------------------


@numpy_mistake()
class GradientsNotReset(NumpyLoop):
    """Adds each step's gradients to those of all steps before."""

    total: Arrays | None = None

    def gradient(self, x: Any, t: Any) -> Any:
        found, total = super().gradient(x, t), self.total or {}
        self.total = {name: g + total.get(name, 0) for name, g in found.items()}
        return self.total


@numpy_mistake()
class GradientClipped(NumpyLoop):
    """Leaves gradient clipping on: large gradients are cut down."""

    def gradient(self, x: Any, t: Any) -> Any:
        return {k: np.clip(g, -1e-2, 1e-2) for k, g in super().gradient(x, t).items()}


@numpy_mistake("TwoLayerNet", GITHUB + "VikParuchuri/zero_to_gpt/issues/12")
class WeightUpdatedBeforeItIsUsed(NumpyLoop):
    """Updates W2 before the gradient has passed through it: W1 learns from weights that
    did not make the error.
    """

    def gradient(self, x: Any, t: Any) -> Any:
        self.network.loss(x, t)
        affine1, relu, affine2 = self.network.layers.values()
        dout = self.network.lastLayer.backward()
        affine2.backward_params(dout)
        self.update({"W2": affine2.dW, "b2": affine2.db})
        affine1.backward_params(relu.backward(dout @ affine2.W.T))
        return {"W1": affine1.dW, "b1": affine1.db}


# --- NumPy: the update ----------------------------------------------------------------


@numpy_mistake()
class UpdateWithTheWrongSign(NumpyLoop):
    """Adds the gradient: the loss climbs."""

    def update(self, gradients: Any) -> None:
        super().update({name: -g for name, g in gradients.items()})


@numpy_mistake()
class LearningRateAppliedTwice(NumpyLoop):
    """Multiplies the gradient by the learning rate, and the update does so again."""

    def update(self, gradients: Any) -> None:
        super().update({name: self.rate * g for name, g in gradients.items()})


@numpy_mistake()
class LearningRateDecayed(NumpyLoop):
    """Leaves a decay of the learning rate on."""

    def update(self, gradients: Any) -> None:
        super().update(gradients)
        self.rate *= 0.99


@numpy_mistake()
class MomentumLeftOn(NumpyLoop):
    """Leaves momentum on: a step also goes on in the direction of the one before."""

    velocity: Arrays | None = None

    def update(self, gradients: Any) -> None:
        before = self.velocity or {}
        self.velocity = {k: g + 0.9 * before.get(k, 0) for k, g in gradients.items()}
        super().update(self.velocity)


@numpy_mistake()
class FirstWeightNotUpdated(NumpyLoop):
    """Forgets W1: the first layer stays what chance made it."""

    def update(self, gradients: Any) -> None:
        super().update({name: g for name, g in gradients.items() if name != "W1"})


@numpy_mistake()
class BiasesNotUpdated(NumpyLoop):
    """Updates the weights and forgets the biases."""

    def update(self, gradients: Any) -> None:
        super().update({name: g for name, g in gradients.items() if name[0] == "W"})


@numpy_mistake()
class ParametersRebound(NumpyLoop):
    """Rebinds the parameters in a network whose layers were given the old arrays: they
    never see the new ones.
    """

    def build(self, params: Any) -> Any:
        network: Any = super().build(params)
        network._bind = lambda: None
        return network

    def update(self, gradients: Any) -> None:
        params = self.network.params
        for name, gradient in gradients.items():
            params[name] = params[name] - self.rate * gradient


@numpy_mistake()
class StartingPointOverwritten(NumpyLoop):
    """Trains the arrays it was given and not copies: the next training starts where this
    one ended.
    """

    def __init__(self, params: Any, rate: float) -> None:
        super().__init__(params, rate)
        self.network = TwoLayerNet.from_params(params)


@numpy_mistake()
class ParametersInSinglePrecision(NumpyLoop):
    """Rounds the parameters to float32 after every step, for a smaller file."""

    def update(self, gradients: Any) -> None:
        super().update(gradients)
        for value in self.network.params.values():
            value[...] = value.astype(np.float32)


# --- NumPy: what is reported ----------------------------------------------------------


@numpy_mistake()
class LossAfterTheUpdate(NumpyLoop):
    """Computes the loss it reports after the update: it belongs to other parameters than
    the gradient.
    """

    def step(self, x: Any, t: Any) -> float:
        super().step(x, t)
        return float(self.network.loss(x, t))


@numpy_mistake()
class LossOfTheBatchSummed(NumpyLoop):
    """Reports the loss summed over the mini-batch, though it trains with the mean."""

    def step(self, x: Any, t: Any) -> float:
        return super().step(x, t) * len(t)


@numpy_mistake()
class AccuracyOfTheFirstHundred(NumpyLoop):
    """Measures the accuracy on the first hundred samples and reports it for all."""

    def accuracy(self, x: Any, t: Any) -> float:
        return super().accuracy(x[:100], t[:100])


# --- PyTorch --------------------------------------------------------------------------


@torch_mistake("TwoLayerNet", ZERO_GRAD)
class ZeroGradForgotten(TorchLoop):
    """Never calls zero_grad: backward adds to the gradients of all steps before."""

    def build_optimizer(self) -> Any:
        optimizer = super().build_optimizer()
        optimizer.zero_grad = lambda: None
        return optimizer


@torch_mistake()
class HiddenLayerDetached(TorchLoop):
    """Detaches the hidden activations: the first layer gets no gradient, and the
    optimizer skips it silently.
    """

    def loss(self, x: Any, t: Any) -> Any:
        n = self.network
        hidden = torch.relu(x @ n.W1 + n.b1).detach()
        return F.cross_entropy(hidden @ n.W2 + n.b2, t)


@torch_mistake()
class LossDetached(TorchLoop):
    """Calls backward on a detached loss, which knows no graph."""

    def loss(self, x: Any, t: Any) -> Any:
        return super().loss(x, t).detach()


@torch_mistake()
class LossSummedOverTheBatch(TorchLoop):
    """Trains with reduction="sum": every step is as many times too large as there are
    samples.
    """

    def loss(self, x: Any, t: Any) -> Any:
        return F.cross_entropy(self.network(x), t, reduction="sum")


@torch_mistake("TwoLayerNet", TORCH_CROSS_ENTROPY)
class DoubleSoftmax(TorchLoop):
    """Hands probabilities to cross_entropy, which takes their softmax once more."""

    def loss(self, x: Any, t: Any) -> Any:
        return F.cross_entropy(torch.softmax(self.network(x), dim=-1), t)


@torch_mistake()
class BackwardTwice(TorchLoop):
    """Calls backward twice with retain_graph: the gradients are there two times."""

    def loss(self, x: Any, t: Any) -> Any:
        loss = super().loss(x, t)
        loss.backward(retain_graph=True)
        return loss


@torch_mistake("TwoLayerNet", GITHUB + "pytorch/examples/pull/779")
class UpdateInsideTheGraph(TorchLoop):
    """Updates parameters in place without no_grad, which autograd refuses."""

    def step(self, x: Any, t: Any) -> float:
        loss = self.loss(torch.from_numpy(x), torch.from_numpy(t))
        loss.backward()
        for parameter in self.network.parameters():
            parameter -= self.rate * parameter.grad
        return loss.item()


@torch_mistake()
class UpdateOfALocalName(TorchLoop):
    """Writes p = p - rate * p.grad: that binds a name anew, and the network keeps its
    parameters.
    """

    def step(self, x: Any, t: Any) -> float:
        self.network.zero_grad()
        loss = self.loss(torch.from_numpy(x), torch.from_numpy(t))
        loss.backward()
        for parameter in self.network.parameters():
            parameter = parameter - self.rate * parameter.grad
        return loss.item()


@torch_mistake("TwoLayerNet", GITHUB + "pytorch/pytorch/issues/54765")
class OptimizerOfAnotherNetwork(TorchLoop):
    """Makes the optimizer before the network is replaced: it trains the old one."""

    def build_optimizer(self) -> Any:
        optimizer = super().build_optimizer()
        self.network = self.build(self.params())
        return optimizer


@torch_mistake()
class WeightDecayInTheOptimizer(TorchLoop):
    """Leaves weight_decay on in the optimizer."""

    def build_optimizer(self) -> Any:
        parameters = self.network.parameters()
        return torch.optim.SGD(parameters, lr=self.rate, weight_decay=1e-4)


@torch_mistake()
class DefaultDtypeOfTorch(TorchLoop):
    """Trains in float32, PyTorch's default, where float64 was asked for."""

    def build(self, params: Any) -> Any:
        return super().build({k: v.astype(np.float32) for k, v in params.items()})

    def loss(self, x: Any, t: Any) -> Any:
        return super().loss(x.float(), t)


# --- JAX ------------------------------------------------------------------------------


@jax_mistake("TwoLayerNet", GITHUB + "jax-ml/jax/issues/435")
class WrongArgnums(JaxLoop):
    """Differentiates the loss with respect to the images, which are argument 1."""

    def loss_and_gradients(self, params: Any, x: Any, t: Any) -> Any:
        return jax.value_and_grad(jax_networks.loss, argnums=1)(params, x, t)


@jax_mistake("TwoLayerNet", JAX_FAQ)
class BatchCompiledIn(JaxLoop):
    """Closes over the batch in a jitted step: the first one is compiled in as a constant,
    and used for ever.
    """

    def step(self, x: Any, t: Any) -> float:
        self.batch = x, t
        return super().step(x, t)

    def loss_and_gradients(self, params: Any, x: Any, t: Any) -> Any:
        return super().loss_and_gradients(params, *self.batch)


@jax_mistake("TwoLayerNet", JAX_FAQ)
class SideEffectUnderJit(JaxLoop):
    """Keeps the loss in an attribute within the jitted step: what is kept stands for a
    number while JAX traces, and never becomes one.
    """

    def updated(self, params: Any, x: Any, t: Any) -> Any:
        updated, self.loss = super().updated(params, x, t)
        return updated, self.loss

    def step(self, x: Any, t: Any) -> float:
        super().step(x, t)
        return float(self.loss)


@jax_mistake()
class HiddenLayerStopped(JaxLoop):
    """Puts stop_gradient around the hidden layer: the first layer is not trained."""

    def loss_and_gradients(self, params: Any, x: Any, t: Any) -> Any:
        def loss(params: Any) -> Any:
            hidden = jax.nn.relu(x @ params["W1"] + params["b1"])
            scores = jax.lax.stop_gradient(hidden) @ params["W2"] + params["b2"]
            return -jnp.take_along_axis(
                jax.nn.log_softmax(scores), t[:, None], axis=-1
            ).mean()

        return jax.value_and_grad(loss)(params)


@jax_mistake()
class GradientsOfSamplesSummed(JaxLoop):
    """Sums the gradients that vmap gives for each sample: the mean is wanted."""

    def loss_and_gradients(self, params: Any, x: Any, t: Any) -> Any:
        each = jax.vmap(jax.value_and_grad(jax_networks.loss), in_axes=(None, 0, 0))
        losses, gradients = each(params, x, t)
        return losses.mean(), jax.tree.map(lambda g: g.sum(axis=0), gradients)


@jax_mistake()
class NewParametersThrownAway(JaxLoop):
    """Drops what the step returns: arrays never change, and nothing is trained."""

    def step(self, x: Any, t: Any) -> float:
        before = self.network
        loss = super().step(x, t)
        self.network = before
        return loss


@jax_mistake("TwoLayerNet", GITHUB + "jax-ml/jax/issues/470")
class DoublePrecisionNotEnabled(JaxLoop):
    """Forgets to enable 64 bits: JAX makes float32 of everything."""

    def build(self, params: Any) -> Any:
        return super().build({k: v.astype(np.float32) for k, v in params.items()})

    def step(self, x: Any, t: Any) -> float:
        return super().step(x.astype(np.float32), t)
