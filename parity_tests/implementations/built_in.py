"""The implementations and outsiders that are built in, by name.

A framework is imported when an implementation is made, not before.
"""

from collections.abc import Callable

from gradparity.parity_tests.implementations.contract import Implementation
from gradparity.parity_tests.implementations.jax_adaptor import JaxStyle
from gradparity.parity_tests.implementations.numpy_adaptor import LectureStyle
from gradparity.parity_tests.implementations.outsiders import (
    Optax,
    ScikitLearn,
    TorchSgd,
)
from gradparity.parity_tests.implementations.torch_adaptor import TorchStyle

IMPLEMENTATIONS: dict[str, Callable[[], Implementation]] = {
    "reference": lambda: LectureStyle("reference", "reference"),
    "torch": lambda: TorchStyle("torch"),
    "torch-composed": lambda: TorchStyle("torch-composed", form="_composed"),
    "jax": lambda: JaxStyle("jax"),
    "jax-composed": lambda: JaxStyle("jax-composed", form="_composed", jit=True),
    "jax-jit": lambda: JaxStyle("jax-jit", jit=True),
}
# Trainings by the frameworks' own means, of which no layer can be seen.
OUTSIDERS: dict[str, Callable[[], Implementation]] = {
    "sklearn": ScikitLearn,
    "optax": Optax,
    "torch-sgd": TorchSgd,
}
