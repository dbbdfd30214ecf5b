"""An implementation by its name, whoever wrote it."""

from gradparity.parity_tests.implementations import user_supplied
from gradparity.parity_tests.implementations.built_in import IMPLEMENTATIONS, OUTSIDERS
from gradparity.parity_tests.implementations.contract import Implementation


def load(name: str) -> Implementation:
    """The implementation or the outsider of that name, or a user-supplied one.

    Raises:
        NotInstalled: its framework cannot be imported.
        UnusableImplementation: there is none.
    """
    built_in = IMPLEMENTATIONS | OUTSIDERS
    return built_in[name]() if name in built_in else user_supplied.load(name)
