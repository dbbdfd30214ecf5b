"""What people come for, under the one name that an installation has."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gradparity.parity_tests.checking.assertions import assert_parity
    from gradparity.parity_tests.functions.assertions import (
        assert_gradients,
        assert_same,
    )
    from gradparity.reference.rounding import bounds
    from gradparity.reports.interface import check, compare, grade

    __version__: str

__all__ = [
    "__version__",
    "assert_gradients",
    "assert_parity",
    "assert_same",
    "bounds",
    "check",
    "compare",
    "grade",
]

# Imported when they are asked for, so that `import gradparity` pays for none of them.
FACE = {
    "assert_gradients": "parity_tests.functions.assertions",
    "assert_parity": "parity_tests.checking.assertions",
    "assert_same": "parity_tests.functions.assertions",
    "bounds": "reference.rounding",
    "check": "reports.interface",
    "compare": "reports.interface",
    "grade": "reports.interface",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version  # which takes its time

        return version("gradparity")
    if name in FACE:
        return getattr(import_module(f"gradparity.{FACE[name]}"), name)
    raise AttributeError(f"module 'gradparity' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
