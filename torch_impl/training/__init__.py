"""Training on mini-batches: the loop, and the optimizers."""

from gradparity.torch_impl.training.loop import Stop, train
from gradparity.torch_impl.training.optimizers import SGD, State

__all__ = ["SGD", "State", "Stop", "train"]
