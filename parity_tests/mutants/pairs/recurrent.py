"""Recurrent cells, and loops over time."""

from typing import Any

from gradparity.parity_tests.mutants.lazily import jax, jnp, torch
from gradparity.parity_tests.mutants.pairs.arrays import normal
from gradparity.parity_tests.mutants.pairs.pair import (
    alike,
    different,
    in_jax,
    in_torch,
)
from gradparity.parity_tests.mutants.sources import GITHUB

LSTM = {
    "x": normal(3, 4),
    "h": normal(3, 2),
    "c": normal(3, 2),
    "W": normal(8, 4),
    "U": normal(8, 2),
    "b": normal(8),
}
GRU = {
    "x": normal(3, 4),
    "h": normal(3, 2),
    "W": normal(6, 4),
    "U": normal(6, 2),
    "b": normal(6),
    "u": normal(6),
}
STEPS = {"x": normal(5, 3), "h": normal(4), "W": normal(3, 4), "U": normal(4, 4)}
REWARDS = {"r": normal(8)}


# --- LSTM -----------------------------------------------------------------------------


@in_torch
def lstm_cell(x: Any, h: Any, c: Any, W: Any, U: Any, b: Any) -> Any:
    """PyTorch's own, whose gates are input, forget, cell and output."""
    return torch.lstm_cell(x, (h, c), W, U, b, torch.zeros_like(b))


@alike(lstm_cell, LSTM)
@in_torch
def lstm_cell_composed(x: Any, h: Any, c: Any, W: Any, U: Any, b: Any) -> Any:
    """The four gates from one product each."""
    i, f, g, o = (x @ W.T + h @ U.T + b).chunk(4, dim=-1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


@alike(lstm_cell_composed, LSTM)
@in_jax
def lstm_cell_of_one_product(x: Any, h: Any, c: Any, W: Any, U: Any, b: Any) -> Any:
    """Input and state side by side, and one product."""
    both = jnp.concatenate([x, h], axis=-1)
    gates = both @ jnp.concatenate([W, U], axis=-1).T + b
    i, f, g, o = jnp.split(gates, 4, axis=-1)
    c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
    return jax.nn.sigmoid(o) * jnp.tanh(c), c


@different(
    "order",
    "forward",
    lstm_cell_composed,
    LSTM,
    at=(("chunk(4", "torch.sigmoid(f)"), ("jnp.split(", "jax.nn.sigmoid(f)")),
    source=GITHUB + "tensorflow/tensorflow/issues/29308",
)
@in_jax
def gates_of_tensorflow(x: Any, h: Any, c: Any, W: Any, U: Any, b: Any) -> Any:
    """Takes the gates in the order of TensorFlow's old cell: input, cell, forget,
    output.
    """
    gates = x @ W.T + h @ U.T + b
    i, g, f, o = jnp.split(gates, 4, axis=-1)
    c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
    return jax.nn.sigmoid(o) * jnp.tanh(c), c


@different(
    "bias",
    "forward",
    lstm_cell_composed,
    LSTM,
    at=("torch.sigmoid(f)", "+ 1.0"),
    source=GITHUB + "keras-team/keras/issues/3088",
)
@in_torch
def one_added_to_the_forget_gate(x: Any, h: Any, c: Any, W: Any, U: Any, b: Any) -> Any:
    """Adds 1 to the forget gate, as for untrained weights: these have it in the bias."""
    i, f, g, o = (x @ W.T + h @ U.T + b).chunk(4, dim=-1)
    c = torch.sigmoid(f + 1.0) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


# --- GRU ------------------------------------------------------------------------------


@in_torch
def gru_cell(x: Any, h: Any, W: Any, U: Any, b: Any, u: Any) -> Any:
    """PyTorch's own: the reset gate comes after the product and the bias."""
    return torch.gru_cell(x, h, W, U, b, u)


@alike(gru_cell, GRU)
@in_jax
def gru_cell_in_jax(x: Any, h: Any, W: Any, U: Any, b: Any, u: Any) -> Any:
    """Written out."""
    xr, xz, xn = jnp.split(x @ W.T + b, 3, axis=-1)
    hr, hz, hn = jnp.split(h @ U.T + u, 3, axis=-1)
    r, z = jax.nn.sigmoid(xr + hr), jax.nn.sigmoid(xz + hz)
    n = jnp.tanh(xn + r * hn)
    return (1 - z) * n + z * h


@different(
    "order",
    "forward",
    gru_cell_in_jax,
    GRU,
    at=("r * hn", "(r * h)"),
    source=GITHUB + "tracel-ai/burn/pull/2704",
)
@in_torch
def reset_before_the_product(x: Any, h: Any, W: Any, U: Any, b: Any, u: Any) -> Any:
    """Resets the state before its product, as in the first paper."""
    xr, xz, xn = (x @ W.T + b).chunk(3, dim=-1)
    hr, hz, _ = (h @ U.T + u).chunk(3, dim=-1)
    r, z = torch.sigmoid(xr + hr), torch.sigmoid(xz + hz)
    hn = (r * h) @ U[4:].T + u[4:]
    n = torch.tanh(xn + hn)
    return (1 - z) * n + z * h


@different(
    "order",
    "forward",
    gru_cell_in_jax,
    GRU,
    at=("(1 - z) * n", "z * n"),
)
@in_torch
def update_gate_the_other_way_round(
    x: Any, h: Any, W: Any, U: Any, b: Any, u: Any
) -> Any:
    """Takes the update gate for the share of the new state: it is that of the old."""
    xr, xz, xn = (x @ W.T + b).chunk(3, dim=-1)
    hr, hz, hn = (h @ U.T + u).chunk(3, dim=-1)
    r, z = torch.sigmoid(xr + hr), torch.sigmoid(xz + hz)
    n = torch.tanh(xn + r * hn)
    return z * n + (1 - z) * h


# --- Loops ----------------------------------------------------------------------------


@in_jax
def recurrence(x: Any, h: Any, W: Any, U: Any) -> Any:
    """A loop in Python."""
    for row in x:
        h = jnp.tanh(row @ W + h @ U)
    return h


@alike(recurrence, STEPS)
@in_jax
def recurrence_by_scan(x: Any, h: Any, W: Any, U: Any) -> Any:
    """The same by scan."""

    def step(h: Any, row: Any) -> Any:
        h = jnp.tanh(row @ W + h @ U)
        return h, None

    return jax.lax.scan(step, h, x)[0]


@alike(recurrence, STEPS)
@in_torch
def recurrence_with_products_ahead(x: Any, h: Any, W: Any, U: Any) -> Any:
    """All products of the input at once, before the loop."""
    for row in x @ W:
        h = torch.tanh(row + h @ U)
    return h


@different(
    "dropped",
    "forward",
    recurrence_by_scan,
    STEPS,
    at=(("jnp.tanh(", "jax.lax.scan("), ("x[:-1]", "torch.tanh(")),
)
@in_torch
def last_step_left_out(x: Any, h: Any, W: Any, U: Any) -> Any:
    """Ends before the last step."""
    for row in x[:-1]:
        h = torch.tanh(row @ W + h @ U)
    return h


@different(
    "stopped",
    "backward",
    recurrence,
    STEPS,
    at=("jnp.tanh(", "h.detach()"),
)
@in_torch
def state_detached(x: Any, h: Any, W: Any, U: Any) -> Any:
    """Detaches the state at every step: nothing is learned of the past."""
    for row in x:
        h = torch.tanh(row @ W + h.detach() @ U)
    return h


@in_torch
def returns(r: Any) -> Any:
    """Discounted rewards, from the end on."""
    total, found = torch.zeros_like(r[0]), []
    for reward in r.flip(0):
        total = reward + 0.9 * total
        found.append(total)
    return torch.stack(found).flip(0)


@alike(returns, REWARDS)
@in_jax
def returns_by_a_matrix(r: Any) -> Any:
    """A product with the matrix of the discounts."""
    n = jnp.arange(len(r))
    ahead = n[None] - n[:, None]
    return jnp.where(ahead >= 0, 0.9 ** jnp.maximum(ahead, 0), 0.0) @ r


@alike(returns, REWARDS)
@in_jax
def returns_by_scan(r: Any) -> Any:
    """A scan that begins at the end."""

    def step(total: Any, reward: Any) -> Any:
        total = reward + 0.9 * total
        return total, total

    return jax.lax.scan(step, jnp.zeros_like(r[0]), r, reverse=True)[1]


@different(
    "cumulative",
    "forward",
    returns_by_scan,
    REWARDS,
    at=(("jax.lax.scan(", "0.9 * total"), ("jax.lax.scan(", "0.9 * total")),
)
@in_jax
def returns_from_the_front(r: Any) -> Any:
    """Adds up from the first reward on: what was earned, not what is to come."""

    def step(total: Any, reward: Any) -> Any:
        total = reward + 0.9 * total
        return total, total

    return jax.lax.scan(step, jnp.zeros_like(r[0]), r)[1]
