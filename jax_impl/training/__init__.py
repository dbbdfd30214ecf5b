"""Training on mini-batches: the loop, and the optimizers."""

from gradparity.jax_impl.training.loop import Stop, run_steps, train
from gradparity.jax_impl.training.optimizers import SGD, State

__all__ = ["SGD", "State", "Stop", "run_steps", "train"]
