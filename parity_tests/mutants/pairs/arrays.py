"""The arrays that a pair is tried on: made anew and alike every time."""

from collections.abc import Callable, Mapping

import numpy as np

Arrays = dict[str, np.ndarray]
Maker = Callable[[np.random.Generator], np.ndarray]


def drawn(makers: Mapping[str, Maker], seed: int) -> Arrays:
    """An array from each maker."""
    rng = np.random.default_rng(seed)
    return {name: make(rng) for name, make in makers.items()}


def normal(*shape: int, mean: float = 0.0, scale: float = 1.0) -> Maker:
    """Normally distributed numbers."""
    return lambda rng: rng.normal(mean, scale, shape)


def between(low: float, high: float, *shape: int) -> Maker:
    """Evenly distributed numbers."""
    return lambda rng: rng.uniform(low, high, shape)


def with_zeros(*shape: int) -> Maker:
    """Normally distributed numbers, every third of them 0."""

    def make(rng: np.random.Generator) -> np.ndarray:
        found = rng.normal(size=shape)
        found.flat[::3] = 0
        return found

    return make


def halves(*shape: int) -> Maker:
    """Multiples of one half, many of which are equal."""
    return lambda rng: rng.integers(-3, 4, shape) / 2


def integers(below: int, *shape: int) -> Maker:
    """Integers from 0 on: labels, or indices; the largest occurs."""

    def make(rng: np.random.Generator) -> np.ndarray:
        found = rng.integers(below, size=shape)
        found.flat[-1] = below - 1
        return found

    return make


def some_ignored(classes: int, count: int) -> Maker:
    """Labels, every third of which is -100."""

    def make(rng: np.random.Generator) -> np.ndarray:
        found = rng.integers(classes, size=count)
        found[1::3] = -100
        return found

    return make


def mask(*shape: int) -> Maker:
    """True and False; each row has a True first and a False last."""

    def make(rng: np.random.Generator) -> np.ndarray:
        found = rng.random(shape) < 0.6
        found[..., 0], found[..., -1] = True, False
        return found

    return make
