"""What ATen's operators mean, in the words of `reference/rounding/operations.py`.

Three ways lead to a meaning: a row of `operators.py`; for whatever only moves elements, the
operator itself, run on the numbers of the elements; and PyTorch's own decomposition of a
fused operator into others. An operator without any has none: None is never a guess.
"""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gradparity.torch_impl import (  # noqa: F401  (they add rows)
    attention,
    normalizations,
    windows,
)
from gradparity.torch_impl.hood.tensors import array_of, tensors_in
from gradparity.torch_impl.moves import MOVES, Entry, Meaning, moves, name_of
from gradparity.torch_impl.operators import ROWS, Row

# What PyTorch's own decomposition does not compute: it adds what stands for no label.
NOT_AS_DECOMPOSED = frozenset({"multilabel_margin_loss_forward"})
# What gives data that nothing is rounded for.
DATA = frozenset(
    {
        "_efficientzerotensor",
        "arange",
        "bernoulli",
        "bernoulli_",
        "ceil",
        "empty",
        "empty_like",
        "empty_strided",
        "eye",
        "floor",
        "full",
        "full_like",
        "new_empty",
        "new_empty_strided",
        "new_full",
        "new_ones",
        "new_zeros",
        "normal_",
        "ones",
        "ones_like",
        "rand",
        "rand_like",
        "randn",
        "randn_like",
        "random_",
        "round",
        "scalar_tensor",
        "sgn",
        "sign",
        "trunc",
        "uniform_",
        "zeros",
        "zeros_like",
        "exponential_",
        "geometric_",
        "log_normal_",
        "cauchy_",
        "linspace",
        "one_hot",
    }
)

# Memory that nothing was written to, and what has nothing of an operand but its shape.
UNSET = frozenset(name for name in DATA if "empty" in name)
SHAPED = frozenset(
    name for name in DATA if name.endswith("_like") or name.startswith("new_")
)


def arguments_of(func: Any, args: Any, kwargs: Any) -> dict[str, Any]:
    """The arguments of an operator by name, those that were left out as well."""
    found = {}
    for position, argument in enumerate(func._schema.arguments):
        if position < len(args):
            found[argument.name] = args[position]
        elif argument.name in kwargs:
            found[argument.name] = kwargs[argument.name]
        elif argument.has_default_value():
            found[argument.name] = argument.default_value
    return found


def settings_of(func: Any, args: Any, kwargs: Any) -> dict[str, Any]:
    """What an operator was told beside its tensors."""
    named = arguments_of(func, args, kwargs)
    plain = (bool, int, float, str, list, tuple)
    return {
        name: value
        for name, value in named.items()
        if isinstance(value, plain) and not [*tensors_in(value)]
    }


def meaning_of(
    func: Any,
    args: Any,
    kwargs: Any,
    results: Sequence[Tensor],
    operands: Mapping[int, int],
    made: Mapping[int, int],
) -> list[Entry] | None:
    """What an operator computed.

    Args:
        func, args, kwargs: the operator as it was called.
        results: the tensors that it returned.
        operands, made: the numbers of values by the identity of tensors: of those that it
            took (before it may have written to them), and of those that it returned.
    """
    floats = [each for each in results if each.is_floating_point() and id(each) in made]
    name = name_of(func)
    if not floats or name in DATA:
        return []
    m = Meaning(operands)
    try:
        found = told(m, func, args, kwargs)
    except NotImplementedError:
        return None
    returned = flat(found)
    mask = arguments_of(func, args, kwargs).get("output_mask")
    if mask is not None and len(returned) > len(results):  # some were not asked for
        returned = [x for x, wanted in zip(returned, mask, strict=True) if wanted]
    if len(returned) < len(results):
        return None
    for result, value in zip(results, returned, strict=False):
        if id(result) in made and result.is_floating_point():
            if value is None:
                return None
            m.returned(value, made[id(result)])
    return m.entries


def takes(row: Row, others: Mapping[str, Any]) -> bool:
    """Whether a row has a parameter for each of these: an operator's overloads differ in
    their arguments.
    """
    try:
        inspect.signature(row).bind(None, None, **others)
    except TypeError:
        return False
    return True


def flat(found: Any) -> list[Any]:
    return [*found] if isinstance(found, tuple | list) else [found]


def told(m: Meaning, func: Any, args: Any, kwargs: Any) -> Any:
    """What an operator returns, as told by entries that are added to m.

    Raises NotImplementedError where nothing is known.
    """
    name = name_of(func)
    short = name.removesuffix("_")
    if short in ROWS:
        # Where it is to be put changes nothing.
        out = {each.name for each in func._schema.arguments if each.is_out}
        named = arguments_of(func, args, kwargs)
        first, *others = [value for value in named.items() if value[0] not in out]
        if takes(ROWS[short], dict(others)):
            found = ROWS[short](m, first[1], **dict(others))
            if found is not NotImplemented:
                return found
    elif name in ("squeeze_", "unsqueeze_"):  # which have changed their operand by now
        return m("reshape", args[0], shape=tuple(args[0].shape))
    elif name in MOVES:
        return moves(m, func, args, kwargs)
    return decomposed(m, func, args, kwargs)


# --- Fused operators --------------------------------------------------------------------


def decomposed(m: Meaning, func: Any, args: Any, kwargs: Any) -> Any:
    """What PyTorch itself says that a fused operator is made of."""
    from torch._decomp import decomposition_table
    from torch.utils._python_dispatch import TorchDispatchMode

    table: Mapping[Any, Any] = decomposition_table
    name = name_of(func)
    if func not in table or func._schema.is_mutable or name in NOT_AS_DECOMPOSED:
        raise NotImplementedError
    kept = []

    class Inside(TorchDispatchMode):
        def __torch_dispatch__(
            self, inner: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            kwargs = kwargs or {}
            if inner is func:
                raise NotImplementedError
            if name_of(inner).removesuffix("_") not in ROWS and inner not in table:
                with self:  # one that only calls others
                    parts = inner.decompose(*args, **kwargs)
                if parts is not NotImplemented:
                    return parts
            result = inner(*args, **kwargs)
            kept.append((args, kwargs, result))
            results = [*tensors_in(result)]
            for tensor in tensors_in((args, kwargs)):
                know(m, tensor)
            if name_of(inner) in DATA or not any(
                each.is_floating_point() for each in results
            ):
                for each in results:
                    know(m, each)
                return result
            found = flat(told(m, inner, args, kwargs))
            for each, value in zip(results, found, strict=False):
                if isinstance(value, str):
                    m.temporaries[id(each)] = value
                elif isinstance(value, Tensor):
                    m.temporaries[id(each)] = m.operand(value)
            return result

    with torch.no_grad(), Inside():
        return table[func](*args, **kwargs)


def know(m: Meaning, tensor: Tensor) -> None:
    """What came about inside, as data, is a constant."""
    if id(tensor) in m.numbers or id(tensor) in m.temporaries:
        return
    value = array_of(tensor)
    assert value is not None
    shape = value.shape
    source = np.full(shape, -1)
    m.temporaries[id(tensor)] = m("move", 0.0, source=source, fill=np.array(value))
