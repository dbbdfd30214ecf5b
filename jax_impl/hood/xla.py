"""What XLA compiles a function and its gradient to."""

import inspect
import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from gradparity.jax_impl.hood.running import Arrays, Found, Function, Traced, mode_for


def compiled(function: Function, inputs: Arrays, dout: np.ndarray) -> Found:
    """What XLA makes of it: {"forward": program, "gradient": program}.

    The gradient program computes out and all gradients, and takes dout as an argument.
    A program's `before` counts the operations of the StableHLO that JAX hands to XLA,
    those of a called function at every call, and `after` those of the optimized HLO's
    entry computation; `fusions` tells what each fusion holds. Arguments, constants,
    returns and tuples are no operations. flops, bytes and transcendentals are XLA's
    estimates, `temporary_bytes` is the memory it needs beside arguments and results, and
    `text` the optimized HLO. What a version of JAX does not tell is None.
    """
    with mode_for(inputs):
        traced = Traced(function, inputs, dout)

        def gradient(*values: Any) -> Any:
            out, back = traced.vjp(*values[:-1])
            return out, back(values[-1])

        names, values = [*traced.arguments], [*traced.arguments.values()]
        return {
            "forward": _xla(traced.call, names, values),
            "gradient": _xla(gradient, [*names, "dout"], [*values, traced.dout]),
        }


def _xla(function: Function, names: list[str], values: list[Any]) -> Found:
    """What XLA makes of a function of arguments of these names."""

    def main(*arguments: Any) -> Any:
        return function(*arguments)

    # JAX takes the names in the program from the signature; one that is there twice has
    # an underscore the second time.
    unique = [n + "_" * names[:i].count(n) for i, n in enumerate(names)]
    kind = inspect.Parameter.POSITIONAL_ONLY
    signature = inspect.Signature([inspect.Parameter(name, kind) for name in unique])
    vars(main)["__signature__"] = signature
    lowered = jax.jit(main).lower(*values)
    program = _or_none(lowered.compile)
    text = _or_none(lambda: _without_metadata(program.as_text()))
    after = _or_none(lambda: _hlo_operations(text)) or {}
    costs = _or_none(lambda: dict(program.cost_analysis())) or {}
    memory = _or_none(lambda: program.memory_analysis().temp_size_in_bytes)
    return {
        "before": _or_none(lambda: _stablehlo_counts(lowered.as_text())),
        "after": after.get("counts"),
        "fusions": after.get("fusions"),
        "flops": costs.get("flops"),
        "bytes": costs.get("bytes accessed"),
        "transcendentals": costs.get("transcendentals"),
        "temporary_bytes": memory,
        "text": text,
    }


def _or_none(ask: Callable[[], Any]) -> Any:
    """What this version of JAX answers, or None where it does not."""
    try:
        return ask()
    except Exception:
        return None


def _stablehlo_counts(text: str) -> dict[str, int]:
    """The operations of main, those of a function at every call of it."""
    parts = re.split(r"func\.func[^@\n]*@([\w.$]+)", text)
    bodies = dict(zip(parts[1::2], parts[2::2], strict=True))
    operation = re.compile(r'^\s*(?:%[^=]*= )?"?\w*hlo\.(\w+)', re.M)

    def counts(name: str) -> Counter[str]:
        found = Counter(operation.findall(bodies[name]))
        for called in re.findall(r"\bcall @([\w.$]+)", bodies[name]):
            found += counts(called)
        return found

    return _without(counts("main"), "constant", "return")


def _hlo_operations(text: str) -> Found:
    """The operations of the entry computation, and what its fusions hold."""
    operation = r"^\s+(?:ROOT )?%?([\w.-]+) = (?:\(.*?\)|\S+) ([\w-]+)\((.*)"
    blocks = re.findall(r"^(ENTRY )?%?([\w.-]+) \(.*\{\n((?:.*\n)*?)\}", text, re.M)
    holds = {name: re.findall(operation, body, re.M) for _, name, body in blocks}
    (entry,) = (holds[name] for is_entry, name, _ in blocks if is_entry)
    nothing = ("parameter", "constant", "tuple", "get-tuple-element")
    fusions = []
    for name, kind, rest in entry:
        called = re.search(r"calls=%?([\w.-]+)", rest)
        if kind == "fusion" and called:
            inside = Counter(kind for _, kind, _ in holds[called[1]])
            fusions.append({"name": name, "holds": [*_without(inside, *nothing)]})
    counts = Counter(kind for _, kind, _ in entry)
    return {"counts": _without(counts, *nothing), "fusions": fusions}


def _without(counts: Counter[str], *names: str) -> dict[str, int]:
    return {name: number for name, number in counts.items() if name not in names}


def _without_metadata(text: str) -> str:
    """Optimized HLO without the places in the source that everything came from."""
    tables = "FileNames|FunctionNames|FileLocations|StackFrames"
    text = re.sub(rf"^(?:{tables})\n(?:.+\n)*\n*", "", text, flags=re.M)
    return re.sub(r', metadata=\{(?:"[^"]*"|[^"}])*\}', "", text).strip() + "\n"
