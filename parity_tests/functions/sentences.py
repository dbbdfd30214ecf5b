"""How mistakes are told, each kind in a sentence: who does what. Translations have the same
names and the same places in braces.

`one` and `other` are the functions, in the order in which they were given; `who` is the one
of them that does something, and `without` the one that does not.
"""

from collections.abc import Callable, Mapping, Sequence

Facts = Mapping[str, str | Sequence[str]]
DIGITS = 9  # as many as tell apart float32's numbers
EVERY = 17  # and float64's

SENTENCES = {
    # Numbers.
    "eps": "eps is {a} in {one} and {b} in {other}",
    "power": "an exponent is {a} in {one} and {b} in {other}",
    "clip": "a bound is {a} in {one} and {b} in {other}",
    "constant": "a constant is {a} in {one} and {b} in {other}",
    "constants": "constants are {a} in {one} and {b} in {other}",
    "setting": "{what} is {a} in {one} and {b} in {other}",
    "fill": "what is masked out is {a} in {one} and {b} in {other}",
    "changed places": "{a} and {b} stand in each other's place in {one} and {other}",
    "multiply": "{one} multiplies by {a} and {other} by {b}",
    "divide": "{one} divides by {a} and {other} by {b}",
    "multiply and divide": "{one} multiplies by {a} and {other} divides by {b}",
    "divide and multiply": "{one} divides by {a} and {other} multiplies by {b}",
    "multiplies": "{who} multiplies by {a} and {without} does not",
    "divides": "{who} divides by {a} and {without} does not",
    "multiplies input": "{who} multiplies {x} by {a} and {without} does not",
    "divides input": "{who} divides {x} by {a} and {without} does not",
    "divides by root": (
        "{who} divides by {a}, the root of the width {n}, and {without} does not"
    ),
    "multiplies by root": (
        "{who} multiplies by {a}, 1 over the root of the width {n}, and {without} does "
        "not"
    ),
    "clips": "{who} clips at {a} and {without} does not",
    "adds bias": "{who} adds a bias and {without} does not",
    "adds": "{who} adds {a} and {without} does not",
    "divides by log": (
        "{who} divides by log({n}), which makes {n} the base of a logarithm, and "
        "{without} does not"
    ),
    "multiplies by log": "{who} multiplies by log({n}) and {without} does not",
    "cast": "{who} casts to {a} and {without} does not",
    # Sums and means.
    "mean": "{who} takes a mean over {n} and {without} the sum",
    "averaged twice": "{who} divides by {n} twice and {without} once",
    "averaged": "{one} divides a sum over {n} by {a} and {other} by {b}",
    "variance": "a variance is divided by {a} in {one} and by {b} in {other}",
    "axis": "a reduction runs along axis {a} in {one} and along axis {b} in {other}",
    # Steps.
    "eps in root": "{who} adds eps inside the root and {without} outside",
    "masks": "{who} masks and {without} does not",
    "mask the other way": "{one} masks what {other} keeps, and keeps what it masks",
    "mask off by one": "the mask of {one} is shifted by one against that of {other}",
    "operation": "{one} has {a} where {other} has {b}",
    "applies": "{who} applies {a} and {without} does not",
    "step": "{who} has a step that {without} has not: {a}",
    "sign": "a sign in {one} is the opposite of that in {other}",
    "base": "a logarithm is natural in {who} and to base {a} in {without}",
    "gelu": "{who} computes GELU with erf and {without} with the approximation by tanh",
    "order": "the operands of {a} are the other way round in {one} and {other}",
    "transposed": "a matrix in {one} is the transpose of that in {other}",
    "transposed input": "{one} takes the transpose of {a} where {other} takes {a}",
    "reversed": "a value in {one} is that in {other} in reverse order",
    "broadcast": "a value in {one} is broadcast along another axis than in {other}",
    "swapped inputs": "{one} takes {a} where {other} takes {b}, and {b} for {a}",
    "swapped": "two values stand in each other's place in {one} and {other}",
    # Results.
    "outs swapped": "{q} of {one} is {p} of {other}, and the reverse",
    "goes on": "{who} goes on from what {without} returns, with {a}",
    "out transposed": "{q} of {one} is that of {other}, transposed",
    "out negated": "{q} of {one} is that of {other} with the opposite sign",
    "out times": "{q} of {one} is {a} times that of {other}",
    "out in base": "{q} of {one} is {a} times that of {other}: a logarithm has base {b}",
    # Gradients.
    "zero": "{who} returns 0 for {q}: no gradient gets there",
    "dout": (
        "{q} of {who} would be the same whatever arrives at its output: dout is ignored"
    ),
    "gradient transposed": "{who} returns {q} transposed",
    "gradient negated": "{who} returns {q} with the opposite sign",
    "gradient times": "{who} returns {a} times the right {q}",
    "gradient of sum": (
        "{who} returns {n} times the right {q}, as if the mean over {n} were a sum"
    ),
    "gradient of mean": (
        "{who} returns 1/{n} of the right {q}, as if the sum over {n} were a mean"
    ),
    "gradient averaged twice": (
        "{who} returns 1/{n} of the right {q}, as if it were averaged over {n} twice"
    ),
    "stopped": "{who} stops the gradient that goes back through {a}",
    "left out": "{who} leaves out a part of the gradient that goes back through {a}",
    "turned back": ("{who} turns the sign of the gradient that goes back through {a}"),
    "doubled": "{who} counts twice the gradient that goes back through {a}",
}


def told(template: str, facts: Facts, listed: Callable[[Sequence[str]], str]) -> str:
    """A sentence with what stands in it, of which there may be several."""
    words = {k: v if isinstance(v, str) else listed(v) for k, v in facts.items()}
    return template.format(**words)


def shown(value: object, digits: int = DIGITS) -> str:
    return f"{value:.{digits}g}" if isinstance(value, float) else str(value)


def apart(*values: object, spare: int = 0) -> list[str]:
    """Values that stand beside each other, in as many digits as tell them apart; where the
    usual ones do not, in so many more to spare.
    """
    for digits in range(DIGITS, EVERY + 1):
        if len({shown(value, digits) for value in values}) == len({*values}):
            break
    if digits > DIGITS:
        digits = min(digits + spare, EVERY)
    return [shown(value, digits) for value in values]


def number(value: float) -> str:
    """A number that is neither 0 nor 1 is not printed as if it were."""
    return apart(value, 0.0, 1.0)[0] if value not in (0.0, 1.0) else f"{value:g}"
