"""What a class may be by right, where there is more than one answer.

A submission is held against one of the variants of what it offers: that which its own
numbers, or what it uses, speak for.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from gradparity.parity_tests.grading.outcomes import NETWORK


@dataclass(frozen=True, eq=False)
class Variant:
    """One of several answers that are right; the first of a class is that of the book.

    Args:
        name: the kind of the remark that it gets; none of the first.
        settings: what makes it what it is.
        told_by: the quantities that tell it, if all of them are right; all if none are
            named.
        not_with: what it does not use.
        uses: what speaks for it, where its numbers do not.
        in_doubt: whether what is wrong everywhere may be meant to be it.
        mistakes: in what its known mistakes are, if not in the class of its name.
        section: where the book has it, if it is elsewhere.
        sentence: the remark, with `{name}`; none if it needs none.
    """

    name: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    told_by: tuple[str, ...] = ()
    not_with: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()
    in_doubt: bool = True
    mistakes: str = ""
    section: str = ""
    sentence: str = ""

    def of(self, definition: Any) -> Any:
        """A class that may be any of the variants, as this one."""
        if not self.settings:
            return definition
        return type(definition.__name__, (definition,), dict(self.settings))


FIRST = Variant()
# What is added to a root, so that it is not 0.
ADDED = (1e-7, 1e-8, 1e-6, 1e-5, 1e-10, 1e-12)
BY_HAND = "TwoLayerNet by hand"


def roots() -> Iterator[dict[str, Any]]:
    """How a root is kept from 0: beside it, or inside."""
    for inside in (False, True):
        for epsilon in ADDED:
            yield {"epsilon": epsilon, "inside": inside}


VARIANTS: dict[str, tuple[Variant, ...]] = {
    NETWORK: (
        Variant(
            settings={"hidden": "relu", "predicts": "scores"},
            told_by=("predict",),
            uses=("Affine", "Relu", "SoftmaxWithLoss"),
        ),
        Variant(
            "chapter-4",
            {"hidden": "sigmoid", "predicts": "probabilities"},
            told_by=("predict",),
            not_with=("Relu",),
            uses=("sigmoid",),
            mistakes=BY_HAND,
            section="section 4.5.1",
            sentence="`{name}` is graded as the network of chapter 4: with a sigmoid in "
            "the hidden layer, and a softmax in `predict`.",
        ),
        Variant(
            "sigmoid-in-chapter-5",
            {"hidden": "sigmoid", "predicts": "scores"},
            told_by=("predict", "loss"),
            not_with=("Relu",),
            in_doubt=False,
            mistakes=BY_HAND,
            sentence="`{name}` is graded with the sigmoid that it has in the hidden layer: "
            "as in chapter 4, where chapter 5 has a ReLU. `predict` returns scores, as in "
            "chapter 5.",
        ),
        Variant(
            "softmax-in-predict",
            {"hidden": "relu", "predicts": "probabilities"},
            told_by=("predict", "loss"),
            in_doubt=False,
            mistakes=BY_HAND,
            sentence="`{name}` is graded with the softmax that it has in `predict`: as in "
            "chapter 4, where chapter 5 returns scores. The hidden layer has a ReLU, as "
            "in chapter 5, and the loss takes the softmax once.",
        ),
    ),
    "Nesterov": tuple(Variant(settings={"velocity_first": v}) for v in (True, False)),
    "AdaGrad": tuple(Variant(settings=settings) for settings in roots()),
    "RMSprop": tuple(Variant(settings=settings) for settings in roots()),
    "Adam": tuple(
        Variant(settings={**settings, "folded": folded})
        for settings in roots()
        for folded in (True, False)
    ),
}


def variants(name: str) -> tuple[Variant, ...]:
    """Those of a class or function, of which there is one at least."""
    return VARIANTS.get(name, (FIRST,))
