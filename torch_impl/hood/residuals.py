"""What autograd's nodes keep from forward to backward."""

from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from gradparity.torch_impl.hood.autograd import name_of, saved_tensors_of
from gradparity.torch_impl.hood.recording import record
from gradparity.torch_impl.hood.running import (
    NOT_AVAILABLE,
    Arrays,
    Function,
    Listed,
    apart,
)
from gradparity.torch_impl.hood.tensors import array_of, memory_of


def remembered(function: Function, inputs: Arrays) -> Listed:
    """What every autograd node keeps from forward to backward, in forward order.

    Read from the nodes' attributes `_saved_...`, a prefix that PyTorch's notes on autograd
    document, and from the `saved_tensors` of custom autograd functions. If there are none,
    but `saved_tensors_hooks` saw tensors pass, then those, under the name "not available
    in this version". The bytes are those of the elements that there are in memory; a
    number among the operands counts, as PyTorch keeps a tensor of it; so does what
    `torch.utils.checkpoint` computes again.

    Raises: TypeError as `graph`.
    """
    passed: list[Tensor] = []

    def pack(tensor: Tensor) -> Tensor:
        passed.append(tensor.detach())
        return passed[-1]

    with apart():
        recorder, out = record(function, inputs)
        edges = [recorder.edges[i] for i in recorder.finish(out)]
        where = {node: e.where for e in edges for node in reversed(e.nodes)}
        kept = [
            (name_of(node), name, tensor, line)
            for node, line in where.items()
            for name, tensor in saved_tensors_of(node)
        ]
        if not kept:
            with saved_tensors_hooks(pack, lambda tensor: tensor):
                recorder, out = record(function, inputs)
            edges = [recorder.edges[i] for i in recorder.finish(out)]
            kept = [("", NOT_AVAILABLE, tensor, "") for tensor in passed]
    there = {memory_of(edge.tensor)[0]: edge.name for edge in edges if not edge.op}
    there.setdefault(memory_of(out)[0], "out")
    found = []
    for owner, name, tensor, line in kept:
        address, size = memory_of(tensor)
        entry = {
            "name": name,
            "owner": owner,
            "shape": tuple(tensor.shape),
            "dtype": str(tensor.dtype).removeprefix("torch."),
            "bytes": min(tensor.numel() * tensor.element_size(), size),
            "same_as": there.get(address, ""),
            "where": line,
            "value": array_of(tensor),
        }
        there.setdefault(address, f"{owner}.{name}")
        found.append(entry)
    return found
