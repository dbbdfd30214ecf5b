"""A function of tensors as a program: the ATen operators that ran, forward and backward.

Seen by `TorchDispatchMode`, below autograd: what a derivative is made of is recorded as it
runs, and nothing needs to be known of who wrote it. What every operator means is said in
`meanings.py`, in words that any room's program has.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gradparity.torch_impl.hood.autograd import following_nodes, in_order
from gradparity.torch_impl.hood.autograd import name_of as name_of_node
from gradparity.torch_impl.hood.places import line_of_user
from gradparity.torch_impl.hood.running import apart
from gradparity.torch_impl.hood.tensors import (
    array_of,
    as_text,
    memory_of,
    place_of,
    tensors_in,
)
from gradparity.torch_impl.meanings import (
    SHAPED,
    UNSET,
    arguments_of,
    meaning_of,
    settings_of,
)
from gradparity.torch_impl.moves import name_of, positions

Arrays = list[np.ndarray]
# What is written to without a word in the operator's schema, by the names of arguments.
KEPT = {"native_batch_norm": ("running_mean", "running_var")}
Changed = Callable[[Arrays], Arrays]


def record(
    function: Callable[..., tuple[Any, ...]],
    leaves: Sequence[np.ndarray],
    seeds: Sequence[np.ndarray | None] | None = None,
    *,
    noise: tuple[float, int] | None = None,
    replace: dict[int, Changed] | None = None,
    widen: bool = False,
) -> dict[str, Any]:
    """What ran when a function and its gradients were computed.

    Args:
        function: takes tensors by position and returns a tuple of tensors.
        leaves: its inputs; those of a floating dtype get a gradient.
        seeds: what is to arrive at each output; None for ones.
        noise: (scale, seed): every floating result is multiplied with 1 + scale r, with r
            from -1 to 1, to see how far rounding carries.
        replace: by number of a step, what is to become of its results.
        widen: what the function casts to a narrower dtype, or makes in one, is float64.

    Returns `values` (arrays), their `dtypes`, `inputs`, `outputs`, `seeds` and `gradients`
    (each a list of numbers of values), and `steps`, each with operator, code, phase, where,
    module, operands, results, settings and meaning.

    Raises TypeError where an output is no tensor, and ValueError where there is something
    on the way that is not compared, as complex numbers or sparse tensors: Python takes a
    TypeError for an operator that is not there.
    """
    with apart():
        given = [torch.from_numpy(np.array(leaf, order="C")) for leaf in leaves]
        for leaf in given:
            leaf.requires_grad_(leaf.is_floating_point())
        watch = watching(noise, replace or {}, widen)
        watch.inputs = [watch.new_value(leaf) for leaf in given]
        with watch, entered(watch.modules):
            outputs = [*function(*given)]
        for output in outputs:
            if not isinstance(output, Tensor):
                raise TypeError(f"expected tensors, got {type(output).__name__}")
        watch.settle()
        return watch.finished(given, outputs, seeds)


def watching(noise: Any, replace: dict[int, Changed], widen: bool = False) -> Any:
    """A dispatch mode that records. Its base is imported here, and not for everybody who
    imports this module: it is PyTorch's, but not public.
    """
    from torch.utils._python_dispatch import TorchDispatchMode

    return type("Watch", (Watch, TorchDispatchMode), {})(noise, replace, widen)


@contextmanager
def entered(modules: list[Any]) -> Iterator[None]:
    """Within, the modules that run are in this list, the innermost last."""
    from torch.nn.modules import module

    def enter(one: Any, args: Any) -> None:
        modules.append(one)

    def leave(one: Any, args: Any, result: Any) -> None:
        modules.pop()

    handles = [
        module.register_module_forward_pre_hook(enter),
        module.register_module_forward_hook(leave, always_call=True),
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


class Watch:
    """Which operators ran, on which values: the same memory, read in the same way, is one
    value until it is written to.
    """

    def __init__(
        self, noise: tuple[float, int] | None, replace: Any, widen: bool
    ) -> None:
        super().__init__()
        self.scale = noise[0] if noise else 0.0
        self.rng = np.random.default_rng(noise[1] if noise else 0)
        self.replace = replace
        self.widen = widen
        self.values: Arrays = []
        self.dtypes: list[str] = []
        self.steps: list[dict[str, Any]] = []
        self.inputs: list[int] = []
        self.unset: set[Any] = set()  # the memory that nobody wrote to at first
        self.known: dict[Any, int] = {}
        self.views: dict[Any, dict[Any, Tensor]] = {}  # by the memory they lie in
        self.kept: list[Any] = []  # so that no memory is used again
        # The line and the module of the forward step of a node.
        self.nodes: dict[Any, tuple[str, str]] = {}
        self.modules: list[Any] = []  # that run, the innermost last
        self.arriving: dict[int, np.ndarray] = {}  # what is to arrive at outputs
        self.last: Tensor | None = None
        self.phase = "forward"

    # --- Values -----------------------------------------------------------------------

    def new_value(self, tensor: Tensor) -> int:
        value = array_of(tensor)
        assert value is not None
        self.values.append(value)
        self.dtypes.append(str(tensor.dtype).removeprefix("torch."))
        self.keep(tensor, len(self.values) - 1)
        return len(self.values) - 1

    def keep(self, tensor: Tensor, number: int) -> None:
        place = place_of(tensor)
        self.known[place] = number
        self.kept.append(tensor)
        self.views.setdefault(memory_of(tensor), {})[place] = tensor

    def number(self, tensor: Tensor) -> int:
        """Of the value that a tensor holds now; a new one if it comes from outside."""
        found = self.known.get(place_of(tensor))
        if found is None:
            found = self.seen_elsewhere(tensor)
        elif memory_of(tensor) in self.unset and self.has_changed(tensor, found):
            found = None  # PyTorch filled it where nobody looked
        if found is None and self.arriving:
            found = self.arrived(tensor)
        return self.new_value(tensor) if found is None else found

    def has_changed(self, tensor: Tensor, number: int) -> bool:
        value = array_of(tensor)
        return value is not None and value.tobytes() != self.values[number].tobytes()

    def arrived(self, tensor: Tensor) -> int | None:
        """Of what was to arrive at an output, and does."""
        value = array_of(tensor)
        assert value is not None
        for number, seed in self.arriving.items():
            if seed.shape == value.shape and seed.tobytes() == value.tobytes():
                self.keep(tensor, number)
                return number
        return None

    def seen_elsewhere(self, tensor: Tensor) -> int | None:
        """Of a view of what is known, made where nobody looked."""
        for other in self.views.get(memory_of(tensor), {}).values():
            source = positions(tensor, other)
            if source is not None and (source >= 0).all():
                return self.moved(tensor, [self.known[place_of(other)]], source)
        return None

    def moved(self, tensor: Tensor, of: list[int], source: np.ndarray) -> int:
        number = self.new_value(tensor)
        meaning = [("move", of, {"source": source, "fill": 0.0}, number)]
        self.add("aten::alias", "alias", of, [number], {}, meaning)
        return number

    # --- Steps ------------------------------------------------------------------------

    def add(
        self,
        operator: str,
        code: str,
        operands: list[int],
        results: list[int],
        settings: dict[str, Any],
        meaning: Any,
    ) -> None:
        where, module = self.place()
        self.steps.append(
            {
                "operator": operator,
                "code": code,
                "phase": self.phase,
                "where": where,
                "module": module,
                "operands": operands,
                "results": results,
                "settings": settings,
                "meaning": meaning,
            }
        )

    def place(self) -> tuple[str, str]:
        """The line of the source that runs, and the path in the module tree."""
        if self.phase == "backward":
            return self.nodes.get(torch._C._current_autograd_node(), ("", ""))
        return line_of_user(), path_of(self.modules)

    def settle(self) -> None:
        """Autograd has recorded the last result by now: remember its line by its node."""
        last, self.last = self.last, None
        if last is None or self.phase != "forward" or not self.steps:
            return
        if last.grad_fn is not None:
            step = self.steps[-1]
            self.nodes.setdefault(last.grad_fn, (step["where"], step["module"]))

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        self.settle()
        kwargs = kwargs or {}
        if self.widen and func.overloadpacket is not torch.ops.aten.view:
            args = tuple(map(widened, args))
            kwargs = {name: widened(value) for name, value in kwargs.items()}
        if self.phase == "backward" and self.seeding():
            return func(*args, **kwargs)
        name = func.name().partition(".")[0]
        operands = [*tensors_in((args, kwargs))]
        if any(tensor.is_meta for tensor in operands):  # shapes alone
            return func(*args, **kwargs)
        self.check(operands, name)
        numbers = [self.number(tensor) for tensor in operands]
        before = {id(t): n for t, n in zip(operands, numbers, strict=True)}
        code = f"{name}({self.code(args, kwargs)})"
        short = name_of(func)
        unset = short in UNSET or (short == "resize_" and not operands[0].numel())
        result = func(*args, **kwargs)
        results = [*tensors_in(result)]
        if any(tensor.is_meta for tensor in results):
            return result
        self.check(results, name)
        if unset:  # whatever was there before
            for each in results:
                each.zero_()
                self.unset.add(memory_of(each))
        if unset or short in SHAPED:  # nothing but its shape comes of the operand
            numbers = []
        self.last = results[0] if results else None
        written = func._schema.is_mutable
        self.change([r for r in results if written or memory_of(r) not in self.views])
        made = [each for each in results if written or not self.unchanged(each)]
        kept = self.kept_by(func, args, kwargs, before)
        made += kept
        if not made:  # the same memory, read in the same way
            self.kept += results
            return result
        new = [self.new_value(each) for each in made]
        by_result = {id(each): n for each, n in zip(made, new, strict=True)}
        meaning: Any = None  # nobody asks for it where there is noise
        if unset:
            meaning = []
        elif not self.scale:
            made_all = [*results, *kept]
            meaning = meaning_of(func, args, kwargs, made_all, before, by_result)
        settings = settings_of(func, args, kwargs)
        self.add(name, code, numbers, new, settings, meaning)
        for each, number in zip(made, new, strict=True):
            if written or any(each is other for other in kept):
                self.written(each, number)
        return result

    def kept_by(
        self, func: Any, args: Any, kwargs: Any, before: dict[int, int]
    ) -> list[Tensor]:
        """The operands that an operator has written to without a word in its schema."""
        named = arguments_of(func, args, kwargs)
        found = [named[each] for each in KEPT.get(name_of(func), ())]
        found = [each for each in found if each is not None]
        changed = any(self.has_changed(each, before[id(each)]) for each in found)
        return found if changed else []

    def check(self, tensors: Sequence[Tensor], name: str) -> None:
        """Raise ValueError where there are some of a kind that is not compared, with the
        operator's name. Where in the forward phase, a traceback says.
        """
        for kind in filter(None, map(kind_of, tensors)):
            where = self.place()[0] if self.phase == "backward" else ""
            at = f" in the backward of {where}" if where else ""
            raise ValueError(f"{kind} are not compared, as in {name}{at}")

    def seeding(self) -> bool:
        """Whether what runs only leads to what arrives at the outputs."""
        node = torch._C._current_autograd_node()
        if node is None:
            return self.steps[-1]["phase"] == "forward" if self.steps else True
        return node not in self.nodes

    def unchanged(self, tensor: Tensor) -> bool:
        return place_of(tensor) in self.known

    def written(self, tensor: Tensor, number: int) -> None:
        """Whatever else lies in memory that was written to has another value, too."""
        place = place_of(tensor)
        for other_place, other in [*self.views[memory_of(tensor)].items()]:
            source = positions(other, tensor)
            if other_place == place or source is None or (source < 0).all():
                continue
            old = self.known[other_place]
            rest = (
                np.arange(source.size).reshape(source.shape) + self.values[number].size
            )
            self.moved(other, [number, old], np.where(source < 0, rest, source))

    def change(self, results: list[Tensor]) -> None:
        """Add noise, or what a step is to be replaced by. Zeros without memory stay so."""
        results = [each for each in results if not each._is_zerotensor()]
        changed = self.replace.get(len(self.steps))
        if changed is not None:
            new = changed([array_of(each) for each in results])
            for each, value in zip(results, new, strict=True):
                each.copy_(torch.from_numpy(np.array(value)))
        if self.scale:
            for each in results:
                if each.is_floating_point():
                    r = np.asarray(self.rng.uniform(-1, 1, tuple(each.shape)))
                    each.mul_(
                        torch.from_numpy(np.array(1 + self.scale * r)).to(each.dtype)
                    )

    def code(self, args: Any, kwargs: Any) -> str:
        names: dict[Any, str] = {}
        for tensor in tensors_in((args, kwargs)):
            names[place_of(tensor)] = f"v{self.known[place_of(tensor)]}"
        texts = [as_text(value, names) for value in args]
        texts += [f"{key}={as_text(value, names)}" for key, value in kwargs.items()]
        return ", ".join(texts)

    # --- Backward ---------------------------------------------------------------------

    def finished(
        self, leaves: list[Tensor], outputs: list[Tensor], seeds: Any
    ) -> dict[str, Any]:
        """Go back, and tell all."""
        numbers = [self.number(output) for output in outputs]
        roots = [output for output in outputs if output.requires_grad]
        for node in in_order_of(roots):
            if node not in self.nodes:
                self.nodes[node] = "", ""
        self.phase = "backward"
        arriving: list[Tensor | None] = []
        for position, output in enumerate(outputs):
            seed = None if seeds is None else seeds[position]
            if not output.is_floating_point():
                arriving.append(None)
            elif seed is None:
                arriving.append(torch.ones_like(output))
            else:
                arriving.append(torch.from_numpy(np.array(seed)).to(output.dtype))
        seeded = [None if each is None else self.new_value(each) for each in arriving]
        self.arriving = {n: self.values[n] for n in seeded if n is not None}
        wanted = [leaf for leaf in leaves if leaf.requires_grad]
        found: Sequence[Tensor | None] = [None] * len(wanted)
        if roots and wanted:
            # The derivative of this sum is what is to arrive, bit for bit. Given that,
            # PyTorch would import sympy to check its shape.
            pairs = zip(outputs, arriving, strict=True)
            total: Any = sum(
                (out * d).sum()
                for out, d in pairs
                if out.requires_grad and d is not None
            )
            with self:  # type: ignore[attr-defined]
                found = torch.autograd.grad(total, wanted, allow_unused=True)
        queue = iter(found)
        gradients: list[int | None] = []
        for leaf in leaves:
            gradient = next(queue) if leaf.requires_grad else None
            if gradient is None and leaf.requires_grad:
                gradient = torch.zeros_like(leaf)
            gradients.append(None if gradient is None else self.number(gradient))
        return {
            "values": self.values,
            "dtypes": self.dtypes,
            "inputs": self.inputs,
            "outputs": numbers,
            "seeds": seeded,
            "gradients": gradients,
            "steps": self.steps,
        }


def widened(argument: Any) -> Any:
    """float64 for a narrower dtype; any other argument as it is."""
    is_dtype = isinstance(argument, torch.dtype) and argument.is_floating_point
    return torch.float64 if is_dtype else argument


def in_order_of(roots: list[Tensor]) -> list[Any]:
    nodes: list[Any] = []
    for root in roots:
        nodes += in_order(root.grad_fn, following_nodes) if root.grad_fn else []
    return [node for node in nodes if name_of_node(node)]


def kind_of(tensor: Tensor) -> str:
    """What is not compared, of whatever this holds; "" of numbers in memory."""
    if tensor.is_complex():
        return "complex numbers"
    if tensor.is_nested:
        return "nested tensors"
    if tensor.is_quantized:
        return "quantized tensors"
    return "" if tensor.layout is torch.strided else "sparse tensors"


def path_of(modules: Sequence[Any]) -> str:
    """Where the innermost of these modules stands in the tree of the outermost, which has
    no name itself; one that is called from elsewhere goes by its class.
    """
    names: list[str] = []
    for outer, inner in pairwise(modules):
        found = (name for name, each in outer.named_modules() if each is inner)
        names.append(next(found, type(inner).__name__))
    return ".".join(name for name in names if name)
