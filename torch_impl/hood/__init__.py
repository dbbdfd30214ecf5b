"""What PyTorch does with a function of tensors, in plain dicts, strings and arrays.

One function at three depths: the operations its author wrote, the operators that ATen
executed, and autograd's nodes with what they keep from forward to backward. Apart from
the layers, since it looks into any function.
"""

from gradparity.torch_impl.hood.execution import autograd_nodes, steps
from gradparity.torch_impl.hood.graphs import graph
from gradparity.torch_impl.hood.residuals import remembered

__all__ = ["graph", "steps", "remembered", "autograd_nodes"]
