"""The implementations and outsiders that are built in, by name.

A framework is imported when an implementation is made, not before.
"""

from collections.abc import Callable
from functools import partial

from gradparity.parity_tests.implementations import outsiders
from gradparity.parity_tests.implementations.backends import BACKENDS, Backend
from gradparity.parity_tests.implementations.contract import Implementation
from gradparity.parity_tests.implementations.jax_adaptor import JaxStyle
from gradparity.parity_tests.implementations.numpy_adaptor import LectureStyle
from gradparity.parity_tests.implementations.torch_adaptor import TorchStyle

STYLES: dict[str, Callable[[str, Backend], Implementation]] = {
    "numpy": lambda name, backend: LectureStyle(name, backend=backend),
    "torch": TorchStyle,
    "jax": JaxStyle,
}
IMPLEMENTATIONS: dict[str, Callable[[], Implementation]] = {
    name: partial(STYLES[backend.framework], name, backend)
    for name, backend in BACKENDS.items()
}
# Trainings by the frameworks' own means, of which no layer can be seen.
OUTSIDERS: dict[str, Callable[[], Implementation]] = {
    "sklearn": outsiders.ScikitLearn,
    "optax": outsiders.Optax,
    "torch-sgd": outsiders.TorchSgd,
}
