"""Sums in every order, on numbers that are chosen to be bad: the bound holds, and is sharp.

Nine orders and a chain of fused multiply-adds, on terms of one sign and of both, of all
sizes, and on those whose every addition loses half a spacing.
"""

import math
from collections.abc import Callable, Iterator
from fractions import Fraction

import numpy as np
import pytest

from gradparity.reference.rounding import Arithmetic, Bounded

FLOAT32 = Arithmetic.of(np.float32)
U = 2.0**-24
Terms = np.ndarray  # of float32, along the last axis


def one_by_one(terms: Terms) -> np.ndarray:
    return np.add.accumulate(terms, axis=-1)[..., -1]


def pairwise(terms: Terms) -> np.ndarray:
    while (n := terms.shape[-1]) > 1:
        half = n // 2
        sums = terms[..., :half] + terms[..., half : 2 * half]
        terms = np.concatenate([sums, terms[..., 2 * half :]], axis=-1)
    return terms[..., 0]


def in_lanes(terms: Terms) -> np.ndarray:
    lanes = [one_by_one(terms[..., i::8]) for i in range(min(8, terms.shape[-1]))]
    return one_by_one(np.stack(lanes, axis=-1))


def compensated(terms: Terms) -> np.ndarray:
    total = np.zeros_like(terms[..., 0])
    lost = total.copy()
    for i in range(terms.shape[-1]):
        term = terms[..., i] - lost
        after = total + term
        lost, total = (after - total) - term, after
    return total


def sorted_by(key: Callable[[Terms], np.ndarray]) -> Callable[[Terms], np.ndarray]:
    def add(terms: Terms) -> np.ndarray:
        order = np.argsort(key(terms), axis=-1, kind="stable")
        return one_by_one(np.take_along_axis(terms, order, -1))

    return add


ORDERS: dict[str, Callable[[Terms], np.ndarray]] = {
    "one by one": one_by_one,
    "from the end": lambda terms: one_by_one(np.flip(terms, -1)),
    "pairwise": pairwise,
    "in lanes": in_lanes,
    "compensated": compensated,
    "as NumPy does": lambda terms: terms.sum(axis=-1),
    "smallest first": sorted_by(np.abs),
    "largest first": sorted_by(lambda terms: -np.abs(terms)),
    "positive first": sorted_by(lambda terms: -terms),
}


def bad(rng: np.random.Generator, rows: int, n: int) -> Iterator[Terms]:
    """Terms on which orders differ."""
    normal = rng.normal(size=(rows, n))
    yield normal
    yield np.abs(normal)
    yield normal * 10.0 ** rng.uniform(-15, 15, (rows, n))
    for lost in (U, U * (1 + 2.0**-20)):  # a tie, and a little more than that
        terms = np.full((rows, n), lost)
        terms[:, 0] = 1
        yield terms
    with_others = normal.copy()
    with_others[:, 1::2] = -with_others[:, : 2 * (n // 2) : 2]
    yield with_others * (1 + 1e-7 * normal)
    yield normal * 2.0**-140
    yield 1 + rng.integers(0, 2**23, (rows, n)) * 2.0**-23


def exact_sum(terms: np.ndarray) -> np.ndarray:
    return np.array([math.fsum(row) for row in terms.astype(np.float64)])


def ratio(computed: np.ndarray, exact: np.ndarray, bounded: Bounded) -> float:
    """The largest error as a multiple of its bound."""
    error = np.abs(computed.astype(np.float64) - exact)
    wrong = error > 0
    return float(np.max(error[wrong] / bounded.error[wrong], initial=0.0))


def worst_of_sums(seeds: range, sizes: tuple[int, ...]) -> dict[str, float]:
    worst = dict.fromkeys(ORDERS, 0.0)
    for seed in seeds:
        rng = np.random.default_rng(seed)
        for n in sizes:
            for wide in bad(rng, 4, n):
                terms = wide.astype(np.float32)
                bounded = Bounded.exact(terms, FLOAT32).sum(axis=-1)
                for name, add in ORDERS.items():
                    came = ratio(add(terms), exact_sum(terms), bounded)
                    worst[name] = max(worst[name], came)
    return worst


def worst_of_products(seeds: range, sizes: tuple[int, ...]) -> dict[str, float]:
    """Of dot products; with products rounded or fused, and with a further term."""
    worst = dict.fromkeys([*ORDERS, "fused"], 0.0)
    for seed in seeds:
        rng = np.random.default_rng(seed)
        for n in sizes:
            factors = [*zip(bad(rng, 1, n), bad(rng, 1, n), strict=True)]
            factors += [(x, np.ones((1, n))) for x in bad(rng, 1, n)]
            for number, (x, y) in enumerate(factors):
                x, y = x.astype(np.float32), y.astype(np.float32)
                plus = np.array([rng.normal() if number % 2 else 0], np.float32)
                one = [Bounded.exact(v, FLOAT32) for v in (x, y.T, plus)]
                bounded = one[0].matmul(one[1], plus=one[2])
                bounded = bounded.map(lambda v: v[:, 0])
                products = x.astype(np.float64) * y  # which is exact
                if not np.abs(products).max() < 1e30:
                    continue
                exact = exact_sum(np.concatenate([products, plus[None]], -1))
                rounded = np.concatenate([x * y, plus[None]], -1)
                found = {name: add(rounded) for name, add in ORDERS.items()}
                found["fused"] = fused(x[0], y[0], plus[0])
                for name, sums in found.items():
                    worst[name] = max(worst[name], ratio(sums, exact, bounded))
    return worst


def fused(x: np.ndarray, y: np.ndarray, start: np.float32) -> np.ndarray:
    """Every product is added to the sum before it is rounded."""
    total = start
    for a, b in zip(x, y, strict=True):
        whole = Fraction(float(a)) * Fraction(float(b)) + Fraction(float(total))
        total = nearest(whole)
    return np.array([total])


def nearest(number: Fraction) -> np.float32:
    """The float32 next to a number, which is rounded once."""
    near = np.float32(float(number))
    others = [near, np.nextafter(near, np.float32(np.inf)), np.nextafter(near, -np.inf)]
    return min(map(np.float32, others), key=lambda v: abs(Fraction(float(v)) - number))


def test_sums_in_any_order_stay_within_their_bound() -> None:
    for worst in (
        worst_of_sums(range(2), (1, 2, 3, 9, 100)),
        worst_of_products(range(2), (1, 2, 9, 40)),
    ):
        assert max(worst.values()) <= 1
        assert max(worst.values()) >= 0.9


@pytest.mark.deep
def test_no_order_and_no_terms_lead_out_of_the_bound() -> None:
    sums = worst_of_sums(range(200), (1, 2, 3, 4, 5, 8, 16, 50, 100, 300, 1000))
    products = worst_of_products(range(100), (1, 2, 3, 5, 8, 50, 100))
    for worst in (sums, products):
        assert all(came <= 1 for came in worst.values()), worst
        assert max(worst.values()) >= 0.9


def test_there_is_a_bound_for_any_number_of_terms() -> None:
    """Of more than 1/u of them, too: n u is no limit."""
    n = 2**24 + 8
    terms = np.broadcast_to(np.float32(1), (1, n))
    bounded = Bounded.exact(terms, FLOAT32).sum(axis=-1)
    assert np.isfinite(bounded.error).all()
    stuck = 2.0**24  # where one by one ends
    assert abs(stuck - n) <= bounded.error[0]
