"""Functions of tensors: run once, and flat for the room's `record`."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np

from gradparity.parity_tests.functions.arguments import (
    Arguments,
    Call,
    Outputs,
    outputs,
    seed,
)
from gradparity.parity_tests.functions.holding import bindings, handed_over
from gradparity.parity_tests.functions.surroundings import reached
from gradparity.parity_tests.implementations.contract import framework
from gradparity.parity_tests.implementations.user_supplied import code_of

IN_PLACE = "a leaf Variable that requires grad"  # what writes into its inputs is told


def call(arguments: Arguments, seeds: Sequence[np.ndarray] | None) -> Call:
    """The function, after it has been run forward and backward."""
    function = Function(arguments)
    try:
        found = tried(function)
    except RuntimeError as error:
        if IN_PLACE not in str(error):
            raise
        function.copies = True
        found = tried(function)
    return Call(
        arguments.target,
        arguments.names,
        arguments.leaves,
        function,
        [*found.arrays],
        [tuple(each.shape) for each in found.arrays.values()],
        None if seeds is None else [*seeds],
        notes=found.notes + function.notes,
    )


def numbers(call: Call) -> list[np.ndarray]:
    """What the function returns on its leaves, of which it may take derivatives itself."""
    torch = framework("torch")
    leaves = [torch.tensor(leaf) for leaf in call.leaves]
    found = call.function(*(x.requires_grad_(x.is_floating_point()) for x in leaves))
    return [each.detach().numpy().copy() for each in found]


def tried(function: "Function") -> Outputs:
    """What it returns; it is differentiated once, since that may raise too."""
    torch = framework("torch")
    arguments = function.arguments
    leaves = [torch.tensor(leaf) for leaf in arguments.leaves]
    moving = [leaf.requires_grad_() for leaf in leaves if leaf.is_floating_point()]
    found = function.run(leaves)
    ends = [each for each in found.arrays.values() if each.requires_grad]
    if moving and ends:
        # Sums need no grad_outputs, for whose shapes torch would import sympy.
        torch.autograd.grad([e.sum() for e in ends], moving, allow_unused=True)
    return found


class Function:
    """Of tensors by position to a tuple of tensors."""

    def __init__(self, arguments: Arguments) -> None:
        self.arguments = arguments
        self.copies = False  # handed over, since it writes into its inputs
        self.dtype = getattr(framework("torch"), arguments.dtype)
        self.own = held_by(arguments, self.dtype)
        self.bindings = bindings(arguments.target.function)
        self.held = constants_of(arguments, self.dtype)
        self.notes: list[str] = []
        if self.own:
            self.notes.append(
                f"{arguments.target.name} holds tensors of its own, which are handed to "
                f"it in {arguments.dtype}"
            )

    def __call__(self, *leaves: Any) -> tuple[Any, ...]:
        return tuple(self.run(leaves).arrays.values())

    def run(self, leaves: Sequence[Any]) -> Outputs:
        """What it returns of these tensors."""
        torch, target = framework("torch"), self.arguments.target
        if self.copies:
            leaves = [leaf.clone() for leaf in leaves]
        by_position, by_name = self.arguments.build(leaves)
        with ExitStack() as around:
            around.enter_context(default_dtype(self.dtype))
            around.enter_context(handed_over(self.bindings, self.arguments.dtype))
            if self.own:
                around.enter_context(replacing(self.own))
            around.enter_context(code_of(target.name))
            seed()
            if target.kind == "module":
                state = self.arguments.parameters(leaves) | self.constants()
                returned = torch.func.functional_call(
                    target.function, state, tuple(by_position), by_name
                )
            else:
                returned = target.function(*by_position, **by_name)
        return outputs(target, returned, lambda end: isinstance(end, torch.Tensor))

    def constants(self) -> dict[str, Any]:
        """What a module holds beside its parameters: copies, since some write into it.
        They are made without an operation that would be recorded.
        """
        torch = framework("torch")
        return {name: torch.from_numpy(v.copy()) for name, v in self.held.items()}


def constants_of(arguments: Arguments, dtype: Any) -> dict[str, np.ndarray]:
    """What a module holds beside the parameters that are differentiated, by name; floats
    in this dtype.
    """
    target = arguments.target
    if target.kind != "module":
        return {}
    module = target.function
    found = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    arrays = {}
    for name, value in found.items():
        if name not in target.held:
            value = value.detach().cpu()
            value = value.to(dtype) if value.is_floating_point() else value
            arrays[name] = value.numpy().copy()
    return arrays


def held_by(arguments: Arguments, dtype: Any) -> dict[int, Any]:
    """The tensors that a function has of its own, in another dtype than the one under
    test: by id, what is to take their place.
    """
    torch, target = framework("torch"), arguments.target
    if target.kind == "module":
        return {}
    found: dict[int, Any] = {}
    for value in reached(target.function):
        every = [value] if isinstance(value, torch.Tensor) else []
        if isinstance(value, torch.nn.Module):
            every = [*value.parameters(), *value.buffers()]
        for each in every:
            if each.is_floating_point() and each.dtype != dtype:
                found[id(each)] = (
                    each.detach().to(dtype).requires_grad_(each.requires_grad)
                )
    return found


@contextmanager
def default_dtype(dtype: Any) -> Iterator[None]:
    """What a function makes, as by torch.ones(3), has this dtype."""
    torch = framework("torch")
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def replacing(own: Mapping[int, Any]) -> Any:
    """A context in which operations take these tensors for those of the ids."""
    from torch.overrides import TorchFunctionMode

    def exchanged(value: Any) -> Any:
        if isinstance(value, list | tuple):
            parts = [exchanged(part) for part in value]
            same = all(a is b for a, b in zip(parts, value, strict=True))
            return value if same else type(value)(parts)
        return own.get(id(value), value)

    class Exchange(TorchFunctionMode):
        def __torch_function__(
            self, function: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            named = {name: exchanged(each) for name, each in (kwargs or {}).items()}
            return function(*exchanged(tuple(args)), **named)

    return Exchange()
