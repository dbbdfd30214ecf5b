"""Training by mini-batch stochastic gradient descent."""

from gradparity.jax_impl.training.loop import Stop, run_steps, train

__all__ = ["Stop", "run_steps", "train"]
