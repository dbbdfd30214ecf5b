"""Training on mini-batches: the loop, and the optimizers."""

from gradparity.reference.training.loop import Stop, choose_batches, train
from gradparity.reference.training.optimizers import SGD, State

__all__ = ["SGD", "State", "Stop", "choose_batches", "train"]
