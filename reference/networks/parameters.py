"""The parameters of a trained network in a file that any framework reads.

The format is safetensors: a header in JSON, then the numbers, and nothing that could be
run. The file holds four tensors, all float32 or all float64, little-endian, the last
index running fastest (row-major, C order):

    W1 (in, hidden)   b1 (hidden,)   W2 (hidden, classes)   b2 (classes,)

They belong to scores = relu(x @ W1 + b1) @ W2 + b2, with a row of x for each sample. A
`torch.nn.Linear` keeps the transpose, (out, in); `torch_impl.networks.to_sequential`
turns the one into the other. The metadata say the layout in a sentence, and end it with
the SHA-256 of the numbers, by which damage is noticed.
"""

import hashlib
from pathlib import Path

import numpy as np

from gradparity.reference.data.cleanup import write_whole
from gradparity.reference.data.reading import MIB, check_regular
from gradparity.reference.networks import TWO_LAYER_NET, Params, TwoLayerNet

NAMES = TWO_LAYER_NET.params
DTYPES = ("float32", "float64")
LARGEST = 1024 * MIB  # bytes of a file
LAYOUT = (
    "scores = relu(x @ W1 + b1) @ W2 + b2, row-major: W1 (in, hidden), b1 (hidden,), "
    "W2 (hidden, classes), b2 (classes,); SHA-256 of W1, b1, W2 and b2: "
)


class UnreadableParameters(ValueError):
    """The file does not hold the parameters of a two-layer network, whole."""


def save(path: str | Path, params: Params) -> None:
    """Write W1, b1, W2 and b2, whole or not at all; an earlier file is replaced.

    The same parameters give the same bytes.

    Raises:
        TypeError, ValueError: they are not what `TwoLayerNet.from_params` takes, or
            neither float32 nor float64.
        OSError: the file cannot be written.
    """
    write_whole(Path(path), content(params))


def content(params: Params) -> bytes:
    """The bytes of the file. Raises TypeError or ValueError as `save` does."""
    from safetensors.numpy import save

    _check(params)
    values = {name: np.ascontiguousarray(params[name]) for name in NAMES}
    return save(values, {"layout": LAYOUT + _sha256(values)})


def load(path: str | Path) -> Params:
    """W1, b1, W2 and b2 from a file, in that order, as arrays that may be changed.

    Without the SHA-256 in its metadata, a file of other origin is taken as it is.

    Raises:
        UnreadableParameters: the file is damaged or no safetensors file, a name is
            missing or too many, or a shape or dtype is not as above.
        OSError: the file cannot be read.
    """
    from safetensors import SafetensorError, safe_open

    check_regular(Path(path), LARGEST)  # safetensors has other words for what it finds
    try:
        with safe_open(path, "numpy") as file:
            layout = (file.metadata() or {}).get("layout", "")
            params = {name: np.array(file.get_tensor(name)) for name in file.keys()}  # noqa: SIM118
        _check(params)
    except (SafetensorError, TypeError, ValueError) as error:
        raise UnreadableParameters(f"{path}: {error}") from error
    params = {name: params[name] for name in NAMES}
    if layout.startswith(LAYOUT) and layout != LAYOUT + _sha256(params):
        raise UnreadableParameters(
            f"{path}: the numbers are not those that were saved (their SHA-256 differs)"
        )
    return params


def _check(params: Params) -> None:
    if set(params) != set(NAMES):
        raise ValueError(
            f"TwoLayerNet: params must be named {', '.join(NAMES)}, "
            f"got {', '.join(sorted(params)) or 'none'}"
        )
    TwoLayerNet.from_params(params)
    dtype = params[NAMES[0]].dtype
    if dtype not in DTYPES:
        raise TypeError(f"TwoLayerNet: params must be float32 or float64, got {dtype}")


def _sha256(params: Params) -> str:
    seen = hashlib.sha256()
    for name in NAMES:
        little_endian = params[name].dtype.newbyteorder("<")
        seen.update(params[name].astype(little_endian).tobytes())
    return seen.hexdigest()
