"""Training by mini-batch stochastic gradient descent."""

from gradparity.torch_impl.training.loop import Stop, train

__all__ = ["Stop", "train"]
