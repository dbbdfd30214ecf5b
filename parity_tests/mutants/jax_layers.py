"""Mistakes in JAX's layers: in what is traced, differentiated and compiled."""

from typing import Any

from gradparity.parity_tests.mutants.lazily import jax, jnp
from gradparity.parity_tests.mutants.mutant import mistakes

mistake = mistakes("jax-jit")  # compiled as a whole, which is faster to try
JAX = "https://github.com/jax-ml/jax/issues/"
SHARP_BITS = "https://docs.jax.dev/en/latest/notebooks/Common_Gotchas_in_JAX.html"


def labels(t: Any, x: Any) -> Any:
    """The labels as indices, from indices or from one-hot rows."""
    return t.argmax(axis=-1) if t.shape == x.shape else t


def flattened(x: Any) -> Any:
    return x.reshape(len(x), -1) if x.ndim > 1 else x


@mistake("MulLayer")
def derivatives_in_the_wrong_order(x: Any, y: Any) -> Any:
    """Returns the derivatives of a rule of its own in the wrong order: the first belongs
    to the first argument.
    """

    @jax.custom_vjp
    def multiply(x: Any, y: Any) -> Any:
        return x * y

    multiply.defvjp(lambda x, y: (x * y, (x, y)), lambda xy, g: (g * xy[0], g * xy[1]))
    return multiply(x, y)


@mistake("Relu", JAX + "37821")
def relu_by_jnp_maximum(x: Any) -> Any:
    """Spells the ReLU maximum(x, 0), whose derivative at 0 is 1/2."""
    return jnp.maximum(x, 0)


@mistake("Relu", SHARP_BITS)
def update_thrown_away(x: Any) -> Any:
    """Calls x.at[...].max(0) and drops what it returns: arrays never change, and x is as
    it was.
    """
    x.at[...].max(0)
    return x


@mistake("Sigmoid", JAX + "347")
def overflow_in_the_other_branch(x: Any) -> Any:
    """Chooses between two formulas with where: the one not chosen overflows, and its
    gradient, 0 times infinity, is NaN.
    """
    return jnp.where(x >= 0, 1 / (1 + jnp.exp(-x)), jnp.exp(x) / (1 + jnp.exp(x)))


@mistake("Sigmoid", JAX + "470")
def computed_in_single_precision(x: Any) -> Any:
    """Computes in float32, JAX's default, whatever comes in: half of the digits of a
    float64 are gone.
    """
    return jax.nn.sigmoid(x.astype(jnp.float32)).astype(x.dtype)


@mistake("Exp")
def default_dtype(x: Any) -> Any:
    """Returns float32, JAX's default, also for float64."""
    return jnp.exp(x).astype(jnp.float32)


@mistake("Affine", JAX + "1856")
def matrix_product_in_bfloat16(x: Any, W: Any, b: Any) -> Any:
    """Rounds the factors to bfloat16, which is the default on a TPU: two digits are
    left.
    """
    narrow = (flattened(x).astype(jnp.bfloat16), W.astype(jnp.bfloat16))
    return jnp.dot(*narrow, preferred_element_type=x.dtype) + b


@mistake("Affine")
def bias_stopped(x: Any, W: Any, b: Any) -> Any:
    """Puts stop_gradient around the bias: it is never trained."""
    return jnp.dot(flattened(x), W) + jax.lax.stop_gradient(b)


@mistake("Softmax")
def gradient_stopped_too_early(x: Any) -> Any:
    """Puts stop_gradient around the shifted logits and not around their maximum alone:
    the gradient is zero.
    """
    e = jnp.exp(jax.lax.stop_gradient(x - x.max(axis=-1, keepdims=True)))
    return e / e.sum(axis=-1, keepdims=True)


@mistake("Softmax")
def denominator_stopped(x: Any) -> Any:
    """Puts stop_gradient around the sum below the fraction: as though raising one
    probability lowered no other.
    """
    e = jnp.exp(x - jax.lax.stop_gradient(x).max(axis=-1, keepdims=True))
    return e / jax.lax.stop_gradient(e.sum(axis=-1, keepdims=True))


@mistake("Softmax")
def small_number_in_the_sum(x: Any) -> Any:
    """Adds 1e-7 to the sum, against a division by 0 that cannot happen."""
    e = jnp.exp(x - jax.lax.stop_gradient(x).max(axis=-1, keepdims=True))
    return e / (e.sum(axis=-1, keepdims=True) + 1e-7)


@mistake("CrossEntropy", SHARP_BITS)
def index_out_of_range(y: Any, t: Any) -> Any:
    """Counts classes from 1: the last label points beyond the end, and JAX clamps it
    without a word.
    """
    picked = jnp.take_along_axis(y, labels(t, y)[..., None] + 1, axis=-1, mode="clip")
    return -jnp.log(picked).mean()


@mistake("SoftmaxWithLoss", "https://github.com/pytorch/pytorch/issues/16045")
def column_minus_row(x: Any, t: Any) -> Any:
    """Subtracts a column from a row: broadcasting makes a square of them, and every
    sample is counted once for each.
    """
    picked = jnp.take_along_axis(x, labels(t, x)[..., None], axis=-1)
    losses = jax.nn.logsumexp(x, axis=-1) - picked
    return losses.sum() / max(1, x.size // x.shape[-1])


@mistake("SoftmaxWithLoss")
def sum_for_mean(x: Any, t: Any) -> Any:
    """Sums the loss over the batch where it should average it."""
    picked = jnp.take_along_axis(
        jax.nn.log_softmax(x, axis=-1), labels(t, x)[..., None], axis=-1
    )
    return -picked.sum()


@mistake("SoftmaxWithLoss")
def mean_over_whole_chunks(x: Any, t: Any) -> Any:
    """Sums the losses of chunks of 101 samples and leaves out what remains: of 10,000
    samples, the last.
    """
    picked = jnp.take_along_axis(
        jax.nn.log_softmax(x, axis=-1), labels(t, x)[..., None], axis=-1
    ).reshape(-1)
    return -picked[: picked.size // 101 * 101 or picked.size].sum() / picked.size


@mistake("SoftmaxWithLoss")
def mean_of_means(x: Any, t: Any) -> Any:
    """Divides each sample's loss by the batch size under vmap, and averages them then."""

    def of_one_sample(x: Any, t: Any) -> Any:
        return -jax.nn.log_softmax(x)[t] / batch

    batch = x.size // x.shape[-1]
    rows = x.reshape(batch, -1)
    return jax.vmap(of_one_sample)(rows, labels(t, x).reshape(batch)).mean()


@mistake("SoftmaxWithLoss", of="jax")
def classes_counted_in_the_batch(x: Any, t: Any) -> Any:
    """Takes the largest label for the number of classes: a batch need not have all of
    them.
    """
    rows = jax.nn.one_hot(labels(t, x), int(labels(t, x).max()) + 1, dtype=x.dtype)
    return -(rows * jax.nn.log_softmax(x, axis=-1)).sum(axis=-1).mean()
