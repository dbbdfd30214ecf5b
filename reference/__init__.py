"""Backpropagation from scratch in NumPy: the ground truth. Start with `layers/`."""
