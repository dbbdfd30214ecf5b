"""What happens under the hood: the pages of `gradparity explain`.

What a call can be refused for stands here, where it needs none of the page's libraries.
"""

from gradparity.parity_tests.functions import UnusableFunction, UnusableInput

__all__ = ["UnusableFunction", "UnusableInput"]
