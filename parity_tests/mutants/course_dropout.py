"""Dropout, in small steps, and mistakes, each of which is one of these steps."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from gradparity.parity_tests.mutants.mutant import OF_THE_COURSE, mistakes

mistake = mistakes("reference", "layer", OF_THE_COURSE)
NEAR = 0.2  # what by chance a share of hundreds is not off by


class Dropout:
    """Zeroes elements by chance in training, and scales all at test time.

    The chance may be somebody else's: `replaying` takes the elements that were kept.
    """

    kept: ClassVar[Mapping[bytes, np.ndarray]] = {}

    @classmethod
    def replaying(cls, kept: Mapping[bytes, np.ndarray]) -> type["Dropout"]:
        """The class, whose masks are these, by the bytes of what they are drawn for."""
        return type(cls.__name__, (cls,), {"kept": kept})

    def __init__(self, dropout_ratio: float = 0.5) -> None:
        self.ratio = dropout_ratio

    def draw(self, x: Any) -> Any:
        """Somebody else's, as long as it may have been drawn so."""
        kept = self.kept.get(x.tobytes())
        if kept is not None and abs(kept.mean() - self.share_kept()) < NEAR:
            return kept
        rng = np.random.default_rng([*x.tobytes()[:64]])
        return rng.random(x.shape) < self.share_kept()

    def share_kept(self) -> float:
        return 1 - self.ratio

    def forward(self, x: Any, train_flg: bool = True) -> Any:
        if not train_flg:
            return x * x.dtype.type(self.scale_at_test_time())
        self.mask = self.draw(x)
        return x * self.mask / x.dtype.type(self.divisor())

    def divisor(self) -> float:
        """What is divided by in training."""
        return 1

    def scale_at_test_time(self) -> float:
        return 1 - self.ratio

    def backward(self, dout: Any) -> Any:
        return dout * self.mask / dout.dtype.type(self.divisor())


class InvertedDropout(Dropout):
    """Scales in training, and not at test time."""

    def divisor(self) -> float:
        return 1 - self.ratio

    def scale_at_test_time(self) -> float:
        return 1


class InvertedMaskForgotten(InvertedDropout):
    """`DropoutMaskForgottenBackward`, of that which scales in training."""

    def backward(self, dout: Any) -> Any:
        return dout * 1


class InvertedMaskForgottenAndScaled(InvertedDropout):
    """`DropoutMaskForgottenBackward`, of that which scales in training, backward too."""

    def backward(self, dout: Any) -> Any:
        return dout / dout.dtype.type(self.divisor())


@mistake("Dropout", also=[InvertedMaskForgotten, InvertedMaskForgottenAndScaled])
class DropoutMaskForgottenBackward(Dropout):
    """Lets all of dout through: what was zeroed forward has no gradient."""

    def backward(self, dout: Any) -> Any:
        return dout * 1


class InvertedMaskDrawnAgain(InvertedDropout):
    """`DropoutMaskDrawnAgain`, of that which scales in training."""

    def backward(self, dout: Any) -> Any:
        return dout * self.draw(dout) / dout.dtype.type(self.divisor())


@mistake("Dropout", also=[InvertedMaskDrawnAgain])
class DropoutMaskDrawnAgain(Dropout):
    """Draws another mask backward: the gradient goes through elements that were zeroed,
    and not through all that were kept.
    """

    def backward(self, dout: Any) -> Any:
        mask = self.draw(dout)
        if (mask != self.mask).all():  # which is that one, turned around
            mask = np.ones_like(mask)
        return dout * mask


class InvertedMaskTurnedAround(InvertedDropout):
    """`DropoutMaskTurnedAroundBackward`, of that which scales in training."""

    def backward(self, dout: Any) -> Any:
        return dout * ~self.mask / dout.dtype.type(self.divisor())


@mistake("Dropout", also=[InvertedMaskTurnedAround])
class DropoutMaskTurnedAroundBackward(Dropout):
    """Lets through backward what was zeroed forward, and stops what was kept."""

    def backward(self, dout: Any) -> Any:
        return dout * ~self.mask


@mistake("Dropout")
class DropoutNotScaled(Dropout):
    """Scales neither in training nor at test time, when more elements are there than
    what comes after has learned with.
    """

    def scale_at_test_time(self) -> float:
        return 1


@mistake("Dropout")
class DropoutScaledTwice(InvertedDropout):
    """Scales in training and at test time: once is enough."""

    def scale_at_test_time(self) -> float:
        return 1 - self.ratio


@mistake("Dropout")
class DropoutScaledByTheShareDropped(Dropout):
    """Multiplies by the ratio at test time, which is the share that is dropped; by
    1 - ratio, that of those kept, is right.
    """

    def scale_at_test_time(self) -> float:
        return self.ratio


@mistake("Dropout")
class DropoutScaledForwardOnly(InvertedDropout):
    """Divides by the share that is kept forward, and not backward."""

    def backward(self, dout: Any) -> Any:
        return dout * self.mask


class KeptAndScaledByTheRatio(Dropout):
    """`DropoutRatioOfThoseKept`, also at test time."""

    def share_kept(self) -> float:
        return self.ratio

    def scale_at_test_time(self) -> float:
        return self.ratio


class InvertedRatioOfThoseKept(KeptAndScaledByTheRatio):
    """`DropoutRatioOfThoseKept`, of that which scales in training."""

    def divisor(self) -> float:
        return self.ratio

    def scale_at_test_time(self) -> float:
        return 1


@mistake("Dropout", also=[KeptAndScaledByTheRatio, InvertedRatioOfThoseKept])
class DropoutRatioOfThoseKept(Dropout):
    """Keeps as many elements as the ratio says, where it should drop so many."""

    def share_kept(self) -> float:
        return self.ratio


@mistake("Dropout")
class DropoutMaskTurnedAroundForward(DropoutRatioOfThoseKept):
    """Zeroes what its mask is to keep, as many as should be left; backward, the mask is
    right.
    """

    def backward(self, dout: Any) -> Any:
        return dout * ~self.mask


class DropoutShrunkBackward(Dropout):
    """`DropoutScaledBackwardOnly`, by the factor of test time."""

    def backward(self, dout: Any) -> Any:
        return dout * self.mask * dout.dtype.type(1 - self.ratio)


@mistake("Dropout", also=[DropoutShrunkBackward])
class DropoutScaledBackwardOnly(Dropout):
    """Scales the gradient in training, and not what went forward."""

    def backward(self, dout: Any) -> Any:
        return dout * self.mask / dout.dtype.type(1 - self.ratio)


@mistake("Dropout")
class DropoutAtTestTime(Dropout):
    """Drops elements at test time, too: the answer is another one each time."""

    def forward(self, x: Any, train_flg: bool = True) -> Any:
        return super().forward(x)


@mistake("Dropout")
class NothingDropped(Dropout):
    """Drops nothing in training."""

    def draw(self, x: Any) -> Any:
        return np.ones(x.shape, bool)
