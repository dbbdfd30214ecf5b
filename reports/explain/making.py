"""From what the command was given to a page: topic, language, inputs, dtype."""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from gradparity.parity_tests.functions.inputs import parse
from gradparity.reference.data.reading import MIB, read_regular
from gradparity.reference.datasets import Dataset
from gradparity.reports.explain import (
    UnusableInput,
    function_page,
    layer_page,
    training_page,
)
from gradparity.reports.explain.blocks import Page
from gradparity.reports.explain.observing import reference_class
from gradparity.reports.explain.topics import TOPICS, Example, Topic
from gradparity.reports.explain.wording import ui

LARGEST = 64 * MIB  # bytes of a .npy file


def parse_inputs(
    texts: Sequence[str], dtype: str, shapes: Sequence[str] = ()
) -> dict[str, np.ndarray]:
    """`x=[[1, -2]]` or `x=values.npy`, by name, and numbers drawn of shapes, `x=4,5`. Whole
    numbers stay whole only in `t`.

    Raises `UnusableInput` with what was expected and what came.
    """
    found = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (equals and name.isidentifier()):
            raise UnusableInput(
                f"--input must be NAME=VALUE, as in x=[1,-2], got {text!r}"
            )
        if name in found:
            raise UnusableInput(f"--input {name} is given twice, expected once")
        found[name] = parse_value(name, value.strip(), dtype)
    for name, given in parse((), shapes).items():
        if name in found:
            raise UnusableInput(
                f"--input {name} is given by --shape too, expected once"
            )
        drawn = np.asarray(given.tree)
        whole = name == "t" and drawn.dtype.kind == "i"
        found[name] = drawn if whole else drawn.astype(dtype)
    return found


def parse_value(name: str, text: str, dtype: str) -> np.ndarray:
    """Numbers in JSON's brackets, or those of a .npy file."""
    try:
        if text.endswith(".npy"):
            content = BytesIO(read_regular(Path(text), LARGEST))
            array = np.lib.format.read_array(content, allow_pickle=False)
        else:
            array = np.array(json.loads(text))
    except OSError as error:
        reason = error.strerror or str(error)
        raise UnusableInput(f"--input {name}: {text}: {reason}") from error
    except Exception as error:  # what comes of a damaged file differs from byte to byte
        raise UnusableInput(
            f"--input {name} must be a number, numbers in brackets, all rows of one "
            f"length, or a .npy file, got {text!r}"
        ) from error
    if array.dtype.kind not in "iuf" or array.size == 0:
        raise UnusableInput(f"--input {name} must hold numbers, got {text!r}")
    if name == "t" and array.dtype.kind in "iu":
        return array.astype(np.int64)
    with np.errstate(over="ignore", invalid="ignore"):  # float32 has infinity for it
        return array.astype(dtype)


def given(
    topic: Topic, inputs: Mapping[str, np.ndarray], dtype: str
) -> list[tuple[Example, dict[str, np.ndarray], np.ndarray]]:
    """The topic's examples with these inputs in the place of its own.

    A dout whose shape no longer fits becomes ones; inputs that do not fit each other are
    refused by the layers.
    """
    found = []
    examples = topic.examples
    if inputs and len({example.reference for example in examples}) == 1:
        examples = examples[-1:]  # one sample or a batch: what was given says which
    for example in examples:
        own_inputs, dout = example.arrays(dtype)
        for name in inputs:
            if name not in (*own_inputs, "dout"):
                expected = ", ".join([*own_inputs, "dout"])
                raise UnusableInput(f"--input {name}: {topic.name} takes {expected}")
        merged = {name: inputs.get(name, value) for name, value in own_inputs.items()}
        shape = np.shape(forward(example, merged))
        if "dout" in inputs:
            dout = inputs["dout"]
        elif dout.shape != shape:
            dout = np.ones(shape, dtype)
        if dout.shape != shape:
            raise UnusableInput(
                f"--input dout: {topic.name} gives shape {shape}, got {dout.shape}"
            )
        if example.function == "loss" and dout != 1:
            raise UnusableInput(
                f"--input dout: {topic.name} ends in its loss, where dout is 1, got {dout}"
            )
        found.append((example, merged, dout))
    return found


def forward(example: Example, inputs: Mapping[str, np.ndarray]) -> Any:
    """What the reference makes of these inputs, or `UnusableInput` in its own words."""
    from gradparity.reference import hood

    try:
        layer, arguments = hood.build(reference_class(example.reference), dict(inputs))
        network = example.reference.endswith("TwoLayerNet")
        return (layer.loss if network else layer.forward)(**arguments)
    except (TypeError, ValueError) as error:
        raise UnusableInput(f"--input: {error}") from error


def run(
    name: str, inputs: Mapping[str, Any], dtype: str, data: Dataset | None = None
) -> Callable[[str], Page]:
    """Run a topic, or `module:function`, or several such with commas between; what comes
    back makes its page in a language.

    `inputs` are arrays, of functions also what `functions.inputs.parse` returns; `data` is
    what `training` trains on. Raises `UnusableInput` or `UnusableFunction`.
    """
    if ":" in name:
        found = function_page.FunctionRun(name, inputs, dtype)
        return partial(function_page.build, found)
    if name == "training":
        if inputs:
            raise UnusableInput("--input: training takes none, it has its images")
        assert data is not None
        return partial(training_page.build, training_page.TrainingRun(data))
    topic = TOPICS[name]
    examples = given(topic, inputs, dtype)
    return partial(layer_page.build, layer_page.LayerRun.of(topic, examples))


def plain(value: Any) -> Any:
    """The same with arrays as lists, for JSON."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, Mapping):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    return value


def produced(command: str, lang: str) -> str:
    """The line that says what made a page."""
    from gradparity.reports.environment import describe

    e = describe()
    versions = {"Python": e.python, "NumPy": e.numpy, "PyTorch": e.torch, "JAX": e.jax}
    said = ", ".join(f"{name} {v}" for name, v in versions.items() if v)
    return ui(lang)["produced"].format(command=command, versions=said)
