"""What JAX executes for a function and its gradients: the equations of `jax.vjp`, run one
by one, forward and backward.
"""

from collections.abc import Callable, Sequence
from enum import Enum
from math import prod
from string import ascii_lowercase
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend.core import Var

from gradparity.jax_impl import windows  # noqa: F401  (it adds rules)
from gradparity.jax_impl.hood.recording import (
    CALLS,
    RULES,
    called,
    evaluated,
    number,
    printed,
    short,
    source,
)
from gradparity.jax_impl.hood.running import NOT_AVAILABLE
from gradparity.jax_impl.meanings import (
    Entry,
    Equation,
    Meaning,
    Operand,
    indices,
    meaning,
    move,
    scatter_arguments,
)
from gradparity.jax_impl.moves import MOVES, moved
from gradparity.jax_impl.tracing import Traced, floating, merged, refuse_complex

Function = Callable[..., Any]
Replacement = Callable[[list[np.ndarray]], list[np.ndarray]]
Found = dict[str, Any]

ENTERED = CALLS | RULES | {"remat", "custom_vjp_call_jaxpr"}
# Scatters, whose parameters hold a function for the dtype that they were traced with.
SCATTERS: dict[str, Function] = {
    "scatter": lax.scatter,
    "scatter-add": lax.scatter_add,
    "scatter-mul": lax.scatter_mul,
    "scatter-min": lax.scatter_min,
    "scatter-max": lax.scatter_max,
}
# What is rounded correctly, element by element, and so does not depend on the shape: it is
# computed in arrays of few lengths, since each costs a compilation.
EXACT = {
    *("add", "add_any", "sub", "mul", "div", "neg", "abs", "max", "min", "sign"),
    *("sqrt", "square", "integer_pow", "convert_element_type", "is_finite"),
    *("eq", "ne", "lt", "le", "gt", "ge", "and", "or", "xor", "not"),
}
LONGEST = 4**9
BITS = "bitcast_convert_type"  # what it returns depends on how wide its operand is


def record(
    function: Function,
    leaves: Sequence[np.ndarray],
    seeds: Sequence[np.ndarray | None] | None = None,
    *,
    widen: str = "",
    noise: tuple[float, int] | None = None,
    replace: dict[int, Replacement] | None = None,
) -> Found:
    """Run a function of arrays forward and backward, and return what was executed.

    Calls are looked into, loops are unrolled, and of a conditional the branch that is
    taken is there. The 64-bit mode is on where a leaf is float64, and else off.

    Args:
        function: from JAX arrays, by place, to a tuple of JAX arrays.
        leaves: the arrays. Those that are not floating have no gradient; a function that
            needs their values while it is traced has them as constants.
        seeds: the derivatives with respect to the outputs; ones where there is none.
        widen: what becomes float64 in the program of float64 leaves, though it is written
            in a narrower dtype: "constants" are arrays that the function closes over and
            what comes of these alone; "all" is every value; "" is nothing.
        noise: (scale, seed). Every floating result that may be rounded is multiplied by
            1 + scale * r, with r between -1 and 1.
        replace: by the number of a step, what its results are replaced by.

    Returns:
        values and their dtypes, inputs, outputs, seeds, gradients and steps; and whether
        something was widened that is computed.

    Raises:
        TypeError: the function cannot be traced.
        ValueError: there is a complex array.
    """
    leaves = [np.array(leaf) for leaf in leaves]
    wide = any(leaf.dtype == np.float64 for leaf in leaves)
    with jax.enable_x64(wide):
        traced = Traced(function, leaves)
        recorder = Recorder(widen if wide else "", noise, replace or {})
        inputs = [recorder.keep(leaf, not floating(leaf)) for leaf in leaves]
        arguments = [inputs[i] for i in traced.arguments]
        results = iter(recorder.run(traced.forward, arguments))
        floats = [next(results) for is_float in traced.are_floating if is_float]
        others = [next(results) for is_float in traced.are_floating if not is_float]
        kept = [*results]
        given = list(seeds) if seeds is not None else [None] * len(traced.are_floating)
        seeded = [
            recorder.seed(out, seed)
            for out, seed, is_float in zip(
                merged(traced.are_floating, floats, others),
                given,
                traced.are_floating,
                strict=True,
            )
            if is_float
        ]
        recorder.phase = "backward"
        pulled = (
            recorder.run(traced.backward, [*kept, *seeded]) if traced.backward else []
        )
    slopes = iter(pulled)
    return {
        "values": recorder.values,
        "dtypes": recorder.dtypes,
        "widened": recorder.has_widened,
        "inputs": inputs,
        "outputs": [
            recorder.index(out) for out in merged(traced.are_floating, floats, others)
        ],
        "seeds": merged(traced.are_floating, seeded, None),
        "gradients": [
            recorder.index(next(slopes)) if floating(leaf) else None for leaf in leaves
        ],
        "steps": recorder.steps,
    }


class Recorder:
    """Runs jaxprs equation by equation. An atom is the number of a value or a literal."""

    def __init__(
        self,
        widen: str,
        noise: tuple[float, int] | None,
        replace: dict[int, Replacement],
    ) -> None:
        self.widen, self.replace = widen, replace
        self.scale, seed = noise or (0.0, 0)
        self.random = np.random.default_rng(seed)
        self.phase = "forward"
        self.has_widened = False
        self.values: list[np.ndarray] = []
        self.dtypes: list[str] = []
        self.steps: list[Found] = []
        self.held: list[Any] = []  # the values as JAX has them
        self.fixed: set[int] = set()  # no floating input has anything to do with them
        self.arrived: set[int] = set()  # of these, what comes of the seeds
        self.constants: dict[int, tuple[int, Any]] = {}  # by identity
        self.sources: dict[int, tuple[Any, tuple[str, str, str]]] = {}

    def keep(self, array: Any, is_fixed: bool) -> int:
        """The number of a new value."""
        if not jnp.issubdtype(array.dtype, jax.dtypes.extended):
            array = np.asarray(array)
        self.held.append(array)
        self.values.append(stored(array))
        self.dtypes.append(array.dtype.name)
        if is_fixed:
            self.fixed.add(len(self.values) - 1)
        return len(self.values) - 1

    def constant(self, array: Any) -> int:
        """The number of an array that stands in the program."""
        if id(array) not in self.constants:
            self.constants[id(array)] = (self.keep(self.widened(array), True), array)
        return self.constants[id(array)][0]

    def widened(self, array: Any) -> Any:
        return np.asarray(array, np.float64) if self.is_narrow(array.dtype) else array

    def is_narrow(self, dtype: Any) -> bool:
        narrow = dtype != np.float64 and jnp.issubdtype(dtype, jnp.floating)
        return bool(self.widen) and bool(narrow)

    def literal(self, atom: Any) -> np.ndarray:
        dtype = np.float64 if self.is_narrow(atom.aval.dtype) else atom.aval.dtype
        return np.asarray(atom.val, dtype)

    def index(self, atom: Any) -> int:
        """The number of an atom's value, which a literal has from now on."""
        return atom if isinstance(atom, int) else self.keep(self.literal(atom), True)

    def seed(self, out: Any, seed: np.ndarray | None) -> int:
        value = self.held[out] if isinstance(out, int) else self.literal(out)
        seed = np.ones(value.shape) if seed is None else np.asarray(seed)
        if seed.shape != value.shape:
            raise ValueError(
                f"a seed must have its output's shape {value.shape}, got {seed.shape}"
            )
        number = self.keep(seed.astype(value.dtype), True)
        self.arrived.add(number)
        return number

    def run(
        self, closed: Any, arguments: Sequence[Any], where: str = "", scope: str = ""
    ) -> list[Any]:
        """The atoms that a jaxpr returns."""
        jaxpr = closed.jaxpr
        own: dict[Any, Any] = dict(zip(jaxpr.invars, arguments, strict=True))
        constants = map(self.constant, closed.consts)
        own |= dict(zip(jaxpr.constvars, constants, strict=True))

        def read(atom: Any) -> Any:
            if isinstance(atom, Var):
                return own[atom]
            return atom if np.ndim(atom.val) == 0 else self.constant(atom.val)

        for eqn in jaxpr.eqns:
            atoms = [read(a) for a in eqn.invars]
            place, inside = self.source(jaxpr, eqn)
            known = (place or where, "/".join(s for s in (scope, inside) if s))
            name = eqn.primitive.name
            inner = called(eqn) if name in ENTERED else None
            if inner is not None:
                outs = self.run(inner, atoms, *known)
            elif name == "scan":
                outs = self.scan(eqn, atoms, *known)
            elif name == "while":
                outs = self.loop(eqn, atoms, *known)
            elif name == "cond":
                branches = eqn.params["branches"]
                chosen = int(self.held[self.index(atoms[0])])
                branch = branches[max(0, min(chosen, len(branches) - 1))]
                outs = self.run(branch, atoms[1:], *known)
            elif eqn.outvars:  # without, it is there for an effect, such as printing
                outs = self.step(jaxpr, eqn, atoms, *known)
            else:
                outs = []
            own |= dict(zip(eqn.outvars, outs, strict=True))
        return [read(a) for a in jaxpr.outvars]

    def source(self, jaxpr: Any, eqn: Any) -> tuple[str, str]:
        """The place in the user's code, and the named scopes, looked up once."""
        if id(eqn) not in self.sources:
            self.sources[id(eqn)] = eqn, source(jaxpr, eqn)
        where, _, scope = self.sources[id(eqn)][1]
        return "" if where == NOT_AVAILABLE else where, scope

    def scan(self, eqn: Any, atoms: list[Any], where: str, scope: str) -> list[Any]:
        """Every round of a scan, and its pieces and its stacks as steps of their own."""
        consts, carries = eqn.params["num_consts"], eqn.params["num_carry"]
        fixed, state = atoms[:consts], atoms[consts : consts + carries]
        sequences = [self.index(atom) for atom in atoms[consts + carries :]]
        rounds = range(eqn.params["length"])
        stacks: dict[int, list[Any]] = {}
        for i in reversed(rounds) if eqn.params["reverse"] else rounds:
            pieces = [self.piece(eqn, x, i, where, scope) for x in sequences]
            outs = self.run(
                eqn.params["jaxpr"], [*fixed, *state, *pieces], where, scope
            )
            state, stacks[i] = outs[:carries], outs[carries:]
        results = []
        for n, var in enumerate(eqn.outvars[carries:]):
            parts = [self.index(stacks[i][n]) for i in rounds]
            results.append(self.stack(var, parts, where, scope))
        return [*state, *results]

    def loop(self, eqn: Any, atoms: list[Any], where: str, scope: str) -> list[Any]:
        """Every round of a while loop, and the conditions."""
        first, second = eqn.params["cond_nconsts"], eqn.params["body_nconsts"]
        of_cond, of_body = atoms[:first], atoms[first : first + second]
        state = atoms[first + second :]
        while True:
            (go_on,) = self.run(
                eqn.params["cond_jaxpr"], [*of_cond, *state], where, scope
            )
            if not self.held[self.index(go_on)]:
                return state
            state = self.run(eqn.params["body_jaxpr"], [*of_body, *state], where, scope)

    def piece(self, eqn: Any, x: int, i: int, where: str, scope: str) -> int:
        """What a round of a scan gets of a sequence."""
        result = self.keep(self.held[x][i], x in self.fixed)
        numbers = indices([self.operand(x)])[0]
        self.add_copy(
            "[i]", [x], np.asarray(numbers[i]), result, {"round": i}, where, scope
        )
        return result

    def stack(self, var: Any, parts: list[int], where: str, scope: str) -> int:
        """What the rounds of a scan return, as one array."""
        if not parts:
            return self.keep(
                self.widened(np.zeros(var.aval.shape, var.aval.dtype)), True
            )
        held = [self.held[part] for part in parts]
        is_array = isinstance(held[0], np.ndarray)
        together = np.stack(held) if is_array else jnp.stack(held)
        result = self.keep(together, all(part in self.fixed for part in parts))
        numbers = np.arange(together.size).reshape(together.shape)
        self.add_copy("stack", parts, numbers, result, {}, where, scope)
        return result

    def add_copy(
        self,
        what: str,
        operands: list[int],
        numbers: np.ndarray,
        result: int,
        settings: Found,
        where: str,
        scope: str,
    ) -> None:
        """A step of a scan that only copies."""
        if not self.arrived.isdisjoint(operands):
            self.arrived.add(result)
        made = self.operand(result)
        given = [self.operand(x) for x in operands]
        entries: Meaning = [move(given, numbers, made)] if made.is_floating else []
        code = (
            f"{letters(result)}:{short(self.held[result])} = scan[{what}] "
            + " ".join(map(letters, operands))
        )
        self.add("scan", code, where, scope, operands, [result], settings, entries)

    def operand(self, atom: Any) -> Operand:
        if isinstance(atom, int):
            return Operand(atom, self.held[atom], atom in self.fixed)
        value = self.literal(atom)
        return Operand(float(value), value, True)

    def step(
        self, jaxpr: Any, eqn: Any, atoms: list[Any], where: str, scope: str
    ) -> list[int]:
        """Run an equation."""
        operands = [self.operand(atom) for atom in atoms]
        is_fixed = all(operand.is_fixed for operand in operands)
        from_seeds = is_fixed and not self.arrived.isdisjoint(
            atom for atom in atoms if isinstance(atom, int)
        )
        widen = self.widen == "all" or (
            self.widen == "constants" and is_fixed and not from_seeds
        )
        made = self.executed(jaxpr, eqn, operands, widen)
        if widen:
            self.has_widened |= any(
                self.is_narrow(var.aval.dtype) for var in eqn.outvars
            )
            made = [self.widened(x) for x in made]
        refuse_complex([x.value for x in operands] + made, eqn.primitive.name, where)
        results = [self.keep(x, is_fixed) for x in made]
        if from_seeds:
            self.arrived.update(results)
        entries = meaning(
            Equation(jaxpr, eqn, operands, [self.operand(x) for x in results])
        )
        self.disturb(results, entries)
        names = [
            letters(atom) if isinstance(atom, int) else number(atom) for atom in atoms
        ]
        settings = {k: plain(v) for k, v in eqn.params.items() if is_plain(plain(v))}
        literals = [o.place for o in operands if o.is_literal]
        self.add(
            eqn.primitive.name,
            printed(eqn, [*map(letters, results)], names),
            where,
            scope,
            [atom for atom in atoms if isinstance(atom, int)],
            results,
            settings | ({"constants": literals} if literals else {}),
            entries,
        )
        if self.widen == "all" and self.is_narrow(eqn.outvars[0].aval.dtype):
            self.steps[-1]["written"] = eqn.outvars[0].aval.dtype.name
        return results

    def executed(
        self, jaxpr: Any, eqn: Any, operands: list[Operand], widen: bool
    ) -> list[Any]:
        """The results of an equation, in the dtypes that are written, or widened."""
        name, params = eqn.primitive.name, dict(eqn.params)
        given = [operand.value for operand in operands]
        if self.widen and not widen:
            pairs = zip(given, eqn.invars, strict=True)
            given = [narrowed(value, atom.aval.dtype) for value, atom in pairs]
        are_arrays = all(isinstance(x, np.ndarray) for x in given)
        if name in MOVES and are_arrays:
            return moved(name, params, given)
        if widen and name == BITS:
            given = [np.asarray(given[0], eqn.invars[0].aval.dtype)]
        elif widen and name in SCATTERS:
            names = scatter_arguments(eqn.params)
            return [SCATTERS[name](*given, **names)]
        elif widen:
            params = {k: self.widened_setting(v) for k, v in params.items()}
        shape = eqn.outvars[0].aval.shape
        size = prod(shape)
        if name not in EXACT or size > LONGEST or not are_arrays:
            return evaluated(jaxpr, eqn, given, params)
        long = [padded(np.broadcast_to(x, shape)) for x in given]
        (result,) = evaluated(jaxpr, eqn, long, params)
        return [np.asarray(result)[:size].reshape(shape)]

    def widened_setting(self, value: Any) -> Any:
        """A parameter that is a dtype, widened; any other as it is."""
        is_dtype = isinstance(value, np.dtype) or (
            isinstance(value, type) and issubclass(value, np.generic)
        )
        return np.dtype(np.float64) if is_dtype and self.is_narrow(value) else value

    def disturb(self, results: list[int], entries: Meaning) -> None:
        """Noise on what may be rounded, and what replaces the results of this step."""
        copies = entries is not None and all(entry[0] == "move" for entry in entries)
        if self.scale and not copies:
            for i in results:
                if floating(self.held[i]):
                    r = self.random.uniform(-1, 1, self.held[i].shape)
                    noisy = self.held[i].astype(np.float64) * (1 + self.scale * r)
                    self.put(i, np.asarray(noisy))
        if replacement := self.replace.get(len(self.steps)):
            given = [self.values[i].copy() for i in results]
            for i, value in zip(results, replacement(given), strict=True):
                self.put(i, np.asarray(value))

    def put(self, i: int, value: np.ndarray) -> None:
        """Another array of the same shape and dtype as a value."""
        old = self.held[i]
        if value.shape != old.shape:
            raise ValueError(f"the result has shape {old.shape}, got {value.shape}")
        self.held[i] = value.astype(old.dtype)
        self.values[i] = stored(self.held[i])

    def add(
        self,
        operator: str,
        code: str,
        where: str,
        module: str,
        operands: list[int],
        results: list[int],
        settings: Found,
        entries: list[Entry] | None,
    ) -> None:
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
                "meaning": entries,
            }
        )


def narrowed(value: Any, dtype: Any) -> Any:
    """A constant that was widened, as it is written."""
    return np.asarray(value, dtype) if value.dtype == np.float64 else value


def padded(array: np.ndarray) -> np.ndarray:
    """The elements in a row, and ones up to a power of 4."""
    length = 16
    while length < array.size:
        length *= 4
    result = np.ones(length, array.dtype)
    result[: array.size] = array.ravel()
    return result


def stored(array: Any) -> np.ndarray:
    """A NumPy array of a dtype that NumPy itself has; random keys as their bits."""
    if jnp.issubdtype(array.dtype, jax.dtypes.prng_key):
        array = jax.random.key_data(array)
    found = np.asarray(array)
    is_foreign = found.dtype.kind == "V" and floating(found)
    return found.astype(np.float32) if is_foreign else found


def letters(i: int) -> str:
    """The name of a value in what is printed: a, b, ..., z, aa, ab, ..."""
    name = ""
    while i >= 0:
        name = ascii_lowercase[i % 26] + name
        i = i // 26 - 1
    return name


def plain(value: Any) -> Any:
    """A parameter in Python's own types, a dtype by its name; None where it is neither."""
    if isinstance(value, np.dtype) or (
        isinstance(value, type) and issubclass(value, np.generic)
    ):
        return np.dtype(value).name
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, tuple | list):
        return tuple(map(plain, value))
    return value if isinstance(value, bool | int | float | str) else None


def is_plain(value: Any) -> bool:
    if isinstance(value, tuple):
        return all(map(is_plain, value))
    return value is not None
