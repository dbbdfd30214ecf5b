"""Mini-batch stochastic gradient descent; mirrors `reference/training/`.

The update is `torch.optim.SGD`'s, to the last bit: with `alpha`, PyTorch rounds the product
and the difference once, where NumPy rounds each.
"""

from collections.abc import Collection, Iterator

import numpy as np
import torch
from jaxtyping import Float, Int

from gradparity.torch_impl.networks import TwoLayerNet

NumpyParams = dict[str, Float[np.ndarray, "..."]]
Stop = tuple[int, NumpyParams, Float[np.ndarray, "steps"], tuple[float, float] | None]


def train(
    params: NumpyParams,
    train_set: tuple[Float[np.ndarray, "samples in"], Int[np.ndarray, "samples"]],
    test_set: tuple[Float[np.ndarray, "tests in"], Int[np.ndarray, "tests"]],
    batches: Int[np.ndarray, "steps batch"],
    learning_rate: float = 0.1,
    *,
    stops: Collection[int] = (),
    evaluate: Collection[int] = (),
) -> Iterator[Stop]:
    """Train a copy of `params` on the given mini-batches; arguments and what is yielded
    as in the reference.
    """
    x_train, t_train = map(torch.from_numpy, train_set)
    x_test, t_test = map(torch.from_numpy, test_set)
    network = TwoLayerNet.from_params(
        {k: torch.from_numpy(v.copy()) for k, v in params.items()}
    )
    parameters = list(network.parameters())
    losses: list[torch.Tensor] = []
    for step, batch in enumerate(torch.from_numpy(batches), start=1):
        x = x_train.index_select(0, batch)  # 1. choose a mini-batch
        t = t_train.index_select(0, batch)
        loss = network.loss(x, t)  # 2. compute the gradient
        gradients = torch.autograd.grad(loss, parameters)
        with torch.no_grad():  # 3. update the parameters
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter.sub_(gradient, alpha=learning_rate)
        losses.append(loss.detach())  # 4. repeat
        if step in stops or step == len(batches):
            accuracies = (
                (network.accuracy(x_train, t_train), network.accuracy(x_test, t_test))
                if step in evaluate
                else None
            )
            reached = {k: v.numpy().copy() for k, v in network.state_dict().items()}
            yield step, reached, torch.stack(losses).numpy(), accuracies
            losses = []
