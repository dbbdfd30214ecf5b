"""Looks into a layer while it runs: every statement with the number that it gave, the
computational graph with the values on its edges, and what is kept for backward.

The layers are run as they stand; what one recording of such a run holds (`recording.py`)
is all that the functions here read.
"""

from gradparity.reference.hood.execution import listing, statements, steps
from gradparity.reference.hood.graphs import graph
from gradparity.reference.hood.residuals import remembered
from gradparity.reference.hood.running import build

__all__ = ["graph", "steps", "remembered", "listing", "statements", "build"]
