"""Training by mini-batch stochastic gradient descent."""

from gradparity.reference.training.loop import Stop, choose_batches, train

__all__ = ["Stop", "choose_batches", "train"]
