"""How an implementation computes: the numbers that there are, and what rounding does."""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gradparity.reference.rounding.elementary import ELEMENTARY

LAMBDA = 7.0


@dataclass(frozen=True)
class Arithmetic:
    """How an implementation computes in a dtype.

    Args:
        u: the unit roundoff of what is stored, half the distance from 1 to the next number.
        underflow: the largest error of a product or quotient that underflows: half the
            smallest subnormal number, or the smallest normal one where results are
            flushed to zero.
        flushed: numbers smaller than this count as zero; 0 where none do.
        largest: the largest finite number.
        elementary: the largest relative errors of the elementary functions
            (`elementary.py`) by name, in units of u (an error of k ulps is at most 2 k u),
            of those that are `absolute` the largest errors; 1 for each that is rounded
            correctly, infinite for one of which nothing is known.
        composed: layers are spelled from primitive operations, a loss as the logarithm
            of a softmax.
        any_form: it is not known by which algorithm: a rule allows all that it lists,
            where otherwise it allows those of the frameworks and of the reference.
        factor_u: the unit roundoff to which the factors of a matrix product are rounded
            before they are multiplied: 2**-10 for TF32, whose digits may be cut off (2**-11
            only where they are known to be rounded), 2**-8 for bfloat16, 0 where they are
            not rounded.
        accumulator: the arithmetic that sums, and products in them, are computed in, if it
            is another one; a sum is rounded once to what is stored. (A single
            operation that is computed in float32 and then rounded to bfloat16 or float16
            comes to what it would be if it were rounded only once: Figueroa, When is
            double rounding innocuous?, SIGNUM Newsletter 30(3), 1995.)
        block: how many terms are aligned to the largest of them and added at a time.
        probable: use `probable_gamma` for sums, which may fail, in place of `gamma`.
        lambda_: how sure that is then.
        overflows: there is no bound where something may overflow on the way; otherwise
            the bound is that of what has not overflown.
        others: by dtype, the arithmetic of steps that are computed in another one.
    """

    u: float
    underflow: float
    flushed: float
    largest: float
    elementary: tuple[tuple[str, float], ...] = tuple(
        (name, 1.0) for name in ELEMENTARY
    )
    composed: bool = False
    any_form: bool = False
    factor_u: float = 0.0
    accumulator: "Arithmetic | None" = None
    block: float = math.inf
    probable: bool = False
    lambda_: float = LAMBDA
    overflows: bool = True
    others: "tuple[tuple[str, Arithmetic], ...]" = ()

    @classmethod
    def of(cls, dtype: Any, *, flushes: bool = False, **more: Any) -> "Arithmetic":
        """That of a dtype, or of its `finfo` where NumPy does not know it; with or without
        subnormal numbers.
        """
        info = dtype if hasattr(dtype, "smallest_normal") else np.finfo(dtype)
        smallest_normal = float(info.smallest_normal)
        # Which np.finfo takes for 0 where the processor does.
        subnormal = float(np.nextafter(info.dtype.type(0), info.dtype.type(1)))
        half_subnormal = subnormal / 2 or subnormal  # float64 has no half of its own
        return cls(
            u=float(info.eps) / 2,
            underflow=smallest_normal if flushes else half_subnormal,
            flushed=smallest_normal if flushes else 0.0,
            largest=float(min(info.max, np.finfo(np.float64).max)),
            **more,
        )

    def within(self, dtype: str) -> "Arithmetic":
        """That of steps in this dtype, which is this one if nothing else is known."""
        for name, other in self.others:
            if name == dtype:
                return replace(
                    other,
                    probable=self.probable,
                    lambda_=self.lambda_,
                    overflows=self.overflows,
                )
        return self

    @property
    def unlimited(self) -> "Arithmetic":
        """The same where nothing overflows on the way."""
        return replace(self, overflows=False)

    @property
    def likely(self) -> "Arithmetic":
        """The same with sums judged by `probable_gamma`."""
        inner = self.accumulator and self.accumulator.likely
        return replace(self, probable=True, accumulator=inner)

    @property
    def inner(self) -> "Arithmetic":
        """What sums are computed in, before they are stored."""
        return self.accumulator or self

    @property
    def stores(self) -> bool:
        """Whether a sum is rounded once more when it is stored."""
        return self.inner.u < self.u

    @property
    def deviation(self) -> "Arithmetic":
        """The same with sqrt(n) in place of n and nothing more: for who adds up squares."""
        return replace(self, probable=True, lambda_=1.0)

    def roundings(self, function: str) -> float:
        """The largest relative error of an elementary function, in units of u."""
        return dict(self.elementary)[function]

    def growth(self, n: Any) -> Any:
        """How much n roundings can change a value, relative to it; 0 for n = 0."""
        worst = gamma(n, self.u)
        return np.minimum(worst, self._probably(n)) if self.probable else worst

    def has(self, number: float) -> bool:
        """Whether a number has no more digits than this arithmetic."""
        return math.isfinite(number) and (math.frexp(number)[0] / self.u).is_integer()

    def additions(self, n: Any) -> Any:
        """How much n additions can change a sum, relative to the largest partial sum:
        n u, for any n (Jeannerod and Rump, Improved error bounds for inner products in
        floating-point arithmetic, SIAM J. Matrix Anal. Appl. 34(2), 2013).
        """
        n = self.operations(n)
        worst = n * self.u
        return min(worst, self._probably(n)) if self.probable else worst

    def _probably(self, n: Any) -> Any:
        return probable_gamma(n, self.u, self.lambda_)

    def operations(self, additions: Any) -> Any:
        """As how many roundings so many additions count.

        Where n terms are added in blocks, what ends below the largest of a block is cut
        off: of each term, of the sum so far, and of the result. That is n + 2 n / block,
        less one, for the largest loses nothing (Fasi, Higham, Mikaitis and Pranesh,
        Numerical behavior of NVIDIA tensor cores, PeerJ Computer Science 7:e330, 2021).
        """
        return additions + 2 * math.ceil((additions + 1) / self.block)


# The upper half of float32.
BFLOAT16 = Arithmetic(
    u=2.0**-8, underflow=2.0**-134, flushed=0.0, largest=(2 - 2.0**-7) * 2.0**127
)
# float32 as the tensor cores of a V100 add it up: cut off, not rounded.
TENSOR_CORE = replace(Arithmetic.of(np.float32), u=2.0**-23, block=4)


def gamma(n: Any, u: float) -> Any:
    """|prod (1 + d_i)^(+-1) - 1| for n roundings |d_i| <= u: n u / (1 - n u).

    Higham, Lemma 3.1; infinite where n u >= 1.
    """
    n = np.asarray(n, np.float64)
    room = 1 - n * u
    return np.where(room > 0, n * u / np.where(room > 0, room, 1), np.inf)


def probable_gamma(n: Any, u: float, lambda_: float = LAMBDA) -> Any:
    """exp(lambda sqrt(n) u + n u**2 / (1 - u)) - 1: with sqrt(n) in place of n.

    It holds for n independent roundings of mean zero with a probability of at least
    1 - 2 exp(-lambda**2 (1 - u)**2 / 2), by Hoeffding's inequality for the sum of their
    logarithms (Higham and Mary, A new approach to probabilistic rounding error analysis,
    SIAM J. Sci. Comput. 41(5), 2019, Theorem 2.4). With lambda = 7 one value fails with a
    probability of 5e-11, and a sum of n terms with n times that (Theorem 3.1).
    """
    n = np.asarray(n, np.float64)
    return np.expm1(lambda_ * np.sqrt(n) * u + n * u**2 / (1 - u))
