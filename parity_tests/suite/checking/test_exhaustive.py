"""Every float32: that it is every one, that they are counted rightly, and that one wrong
result among them is found.

The normal run tries a sample: of Relu and Sigmoid, one float32 in 256.
"""

import json
import math
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from gradparity.parity_tests.catalogue.cases import LAYER_CASES
from gradparity.parity_tests.checking import exhaustive, explained
from gradparity.parity_tests.checking.exhaustive import (
    CHUNK,
    FLOATS,
    INPUT_FLUSHED,
    LAYERS,
    RESULT_FLUSHED,
    Run,
    inputs,
)
from gradparity.parity_tests.checking.values import REFERENCE, try_load
from gradparity.parity_tests.implementations.backends import BACKENDS, UNKNOWN, Backend
from gradparity.parity_tests.implementations.built_in import IMPLEMENTATIONS
from gradparity.parity_tests.implementations.contract import (
    Arrays,
    Implementation,
    NotInstalled,
)
from gradparity.parity_tests.implementations.user_supplied import Own
from gradparity.parity_tests.measuring.records import Among, Exhaustive, Verdict
from gradparity.parity_tests.suite.reports.test_cli import environment
from gradparity.reports import runner
from gradparity.reports.commands.check import check
from gradparity.reports.commands.choices import Unusable
from gradparity.reports.pages import report_html, report_markdown
from gradparity.reports.results import DatasetInfo
from gradparity.reports.tables.overview import headline

STRIDE = 256


def present(*names: str) -> list[Implementation]:
    loaded = [try_load(name) for name in names or IMPLEMENTATIONS]
    return [found for found in loaded if not isinstance(found, NotInstalled)]


def kinds(row: Exhaustive) -> dict[str, Among]:
    return {found.kind: found for found in row.kinds}


@pytest.mark.usefixtures("without_shape_checks")
def test_the_layers_are_those_of_one_array_that_take_a_single_number() -> None:
    def takes_a_number(layer: str) -> bool:
        try:
            REFERENCE.run_layer(layer, {"x": np.ones(())}, np.ones(()))
        except ValueError:
            return False
        return True

    alone = dict.fromkeys(c.layer for c in LAYER_CASES if [*c.inputs] == ["x"])
    assert [layer for layer in alone if takes_a_number(layer)] == LAYERS


def test_with_stride_1_the_inputs_are_all_there_are() -> None:
    run = Run(["Relu"], [])
    chunks = [(first, first + CHUNK) for first in sorted(run.chunks)]
    assert chunks[0][0] == 0
    assert chunks[-1][1] == FLOATS == 2**32
    assert all(one[1] == other[0] for one, other in pairwise(chunks))
    for first, last in (chunks[0], chunks[5000], chunks[-1]):
        bits = inputs(first, last).view(np.uint32)
        assert np.array_equal(bits, np.arange(first, last, dtype=np.uint32))


def test_a_sample_has_all_powers_of_two_and_varies_all_bits() -> None:
    slots = 2**23 // STRIDE  # to an exponent
    for exponent in range(256):
        (power,) = inputs(exponent * slots, exponent * slots + 1, STRIDE)
        (negative,) = inputs(
            (256 + exponent) * slots, (256 + exponent) * slots + 1, STRIDE
        )
        assert power.view(np.uint32) == exponent << 23  # 0, ... 1, 2, ... infinity
        assert negative.view(np.uint32) == (256 + exponent) << 23
    for exponent in (0, 1, 127, 254, 255):
        bits = inputs(exponent * slots, (exponent + 1) * slots, STRIDE).view(np.uint32)
        assert np.array_equal(bits // STRIDE, exponent * slots + np.arange(slots))
        assert np.bincount(bits % STRIDE).min() > 100  # 128 on average


@pytest.mark.parametrize("layer", LAYERS)
def test_a_sample_of_every_float32(layer: str) -> None:
    stride = STRIDE if layer in ("Relu", "Sigmoid") else 8 * STRIDE
    implementations = present()
    run = Run([layer], implementations, stride)
    for _ in run:
        pass
    rows = run.rows()
    offering = [i.name for i in implementations if i.offers(layer)]
    assert [(row.quantity, row.implementation) for row in rows] == [
        (quantity, name) for quantity in ("out", "dx") for name in offering
    ]
    for row in rows:
        assert row.verdict != Verdict.FAIL, row
        assert (
            row.inputs == sum(found.inputs for found in row.kinds) == FLOATS // stride
        )
        special = {k: kinds(row)[k].inputs for k in ("zero", "infinite", "NaN")}
        assert special == {"zero": 2, "infinite": 2, "NaN": 2 * (2**23 // stride - 1)}
        if row.implementation == "reference":
            assert row.differing == 0
        if layer in ("Relu", "Negate"):
            assert row.max_ulp == 0
            assert kinds(row)["normal"].differing == 0
        if (layer, row.quantity) == ("Sigmoid", "dx"):
            assert row.max_ulp > 2**23  # 1 - y is 0, and the derivative lost


def exp(x: float) -> float:
    return math.inf if x > 709 else math.exp(x)


def divide(x: float, y: float) -> float:
    return x / y if y else math.copysign(math.inf, x) * math.copysign(1, y)


TRUTHS: dict[str, dict[str, Callable[[float], float]]] = {
    "Relu": {
        "out": lambda x: 0.0 if x <= 0 else x,
        "dx": lambda x: 0.0 if x <= 0 else 1.0,
    },
    "Exp": {"out": exp, "dx": exp},
    "Reciprocal": {"out": lambda x: divide(1, x), "dx": lambda x: divide(-1, x * x)},
    "Sigmoid": {
        "out": lambda x: 1 / (1 + exp(-x)),
        "dx": lambda x: 1 / (2 + exp(x) + exp(-x)),
    },
}
BORDERS = {
    "zeros and subnormals": 0x00000000,
    "the smallest normals": 0x007FFF80,
    "1": 0x3F7FFF80,
    "20": 0x41A00000,
    "the largest numbers, infinity and NaN": 0x7F7FFF80,
    "negative": 0xBF800000,
    "exp(-x) overflows": 0xC2B17198,
    "exp(x) overflows": 0x42B17198,
    "exp(x) is subnormal": 0xC2AEAC00,
    "-infinity": 0xFF7FFF80,
}


def class_of(value: np.float32) -> str:
    if np.isnan(value):
        return "NaN"
    if np.isinf(value):
        return "infinite"
    if value == 0:
        return "zero"
    return "subnormal" if abs(value) < 2.0**-126 else "normal"


def naively(
    truth: Callable[[float], float],
    x: np.ndarray,
    value: np.ndarray,
    reference: np.ndarray,
) -> dict[str, tuple[int, int, float, str]]:
    """By kind: inputs, differing, max ulp and where; one number after the other."""
    inputs, differing = Counter[str](), Counter[str]()
    worst: dict[str, tuple[float, float | None]] = {}
    for one, came, expected in zip(x, value, reference, strict=True):
        exact = truth(float(one))
        with np.errstate(over="ignore"):
            rounded = np.float32(exact)
        kind = class_of(one)
        if kind == "normal" and class_of(rounded) != "normal":
            kind = f"{class_of(rounded)} result"
        inputs[kind] += 1
        if not (np.isnan(came) and np.isnan(expected)):
            differing[kind] += came.tobytes() != expected.tobytes()
        if (np.isnan(came) and np.isnan(exact)) or (
            np.isinf(came) and np.isinf(rounded) and came * rounded > 0
        ):
            error = 0.0
        elif np.isnan(came) or np.isnan(exact):
            error = math.inf
        else:
            near = [float(came), exact]
            if np.isinf(came):
                near = [min(max(v, -(2.0**128)), 2.0**128) for v in near]
            ulp = np.spacing(np.float32(min(abs(float(rounded)), 2.0**127)))
            error = abs(near[0] - near[1]) / float(ulp)
        if error > worst.get(kind, (0.0, None))[0]:
            worst[kind] = (error, float(one))
    found = {}
    for kind, number in inputs.items():
        error, at = worst.get(kind, (0.0, None))
        found[kind] = (number, differing[kind], error, str(at))
    return found


@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("layer", TRUTHS)
def test_it_counts_as_one_would_by_hand(
    layer: str, border: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    implementations = present("reference", "torch", "jax-jit")
    run = Run([layer], implementations)
    run.chunks = [BORDERS[border]]
    monkeypatch.setattr(exhaustive, "CHUNK", 256)
    assert len([*run]) == 1
    x = inputs(BORDERS[border], BORDERS[border] + 256)
    with np.errstate(all="ignore"):
        results = {
            i.name: i.run_layer(layer, {"x": x}, np.ones_like(x))
            for i in implementations
        }
    for row in run.rows():
        quantity = row.quantity
        expected = naively(
            TRUTHS[layer][quantity],
            x,
            results[row.implementation][quantity],
            results["reference"][quantity],
        )
        found = {
            k.kind: (
                k.inputs,
                k.differing,
                pytest.approx(k.max_ulp, 1e-5, 1e-5),
                str(k.at),
            )
            for k in row.kinds
        }
        assert expected == found, row


class Spoilt:
    """The reference but for what it returns at one input."""

    name, backend = "spoilt", UNKNOWN
    run_network = train = predict = products = spelled = None

    def __init__(
        self, quantity: str, x: float, value: float, judged_as: Sequence[str] = ()
    ) -> None:
        self.quantity, self.x, self.value = quantity, np.float32(x), value
        self.backends = tuple(BACKENDS[name] for name in judged_as or BACKENDS)

    def offers(self, layer: str) -> bool:
        return True

    def judged_as(self, layer: str) -> tuple[Backend, ...]:
        return self.backends

    def run_layer(self, layer: str, inputs: Arrays, dout: np.ndarray) -> Arrays:
        results = REFERENCE.run_layer(layer, inputs, dout)
        here = np.isclose(inputs["x"], self.x, rtol=0, atol=0, equal_nan=True)
        here &= np.cumsum(here) == 1
        results[self.quantity] = np.where(here, self.value, results[self.quantity])
        results[self.quantity] = results[self.quantity].astype(np.float32)
        return results


def tried(layer: str, spoilt: Spoilt) -> Exhaustive:
    """The row of the spoilt quantity, of the chunk in which it is spoilt."""
    run = Run([layer], [spoilt])
    first = int(spoilt.x.view(np.uint32)) // CHUNK * CHUNK
    run.chunks = [first]
    assert len([*run]) == 1
    (row,) = (row for row in run.rows() if row.quantity == spoilt.quantity)
    return row


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


SQUARE_UNDERFLOWS = (
    "derivative, -dout (1 / x)**2, if x**2 is subnormal and 1 / that a number"
)
WRONG = 1 + 2.0**-20  # 16 unit roundoffs
LARGEST = float(np.finfo(np.float32).max)


@pytest.mark.parametrize(
    ("layer", "quantity", "x", "value"),
    [
        ("Relu", "out", 1.5, 1.5 + 2.0**-23),
        ("Relu", "out", -1.0, 1e-45),
        ("Relu", "out", math.nan, 0.0),
        ("Relu", "out", math.inf, LARGEST),
        ("Relu", "out", 1e-40, 2e-40),
        ("Relu", "dx", 2.0, 0.0),
        ("Relu", "dx", -2.0, 1.0),
        ("Relu", "dx", math.nan, 0.5),
        ("Negate", "dx", 1.0, 1.0),
        ("Exp", "out", 1.0, math.e * WRONG),
        ("Exp", "out", 88.5, math.exp(88.5) * WRONG),
        ("Exp", "out", 89.0, LARGEST),
        ("Exp", "out", 88.0, math.inf),
        ("Exp", "out", -87.0, 0.0),
        ("PlusOne", "out", 1.0, 2 * WRONG),
        ("Reciprocal", "out", 3.0, WRONG / 3),
        ("Reciprocal", "dx", 3.0, -WRONG / 9),
        ("Reciprocal", "dx", 1e-18, -math.inf),
        ("Sigmoid", "out", 0.3, sigmoid(0.3) * WRONG),
        ("Sigmoid", "out", -20.0, sigmoid(-20) * WRONG),
        ("Sigmoid", "out", -50.0, 0.0),
        ("Sigmoid", "out", -90.0, 1e-38),
        ("Sigmoid", "dx", 0.3, sigmoid(0.3) * sigmoid(-0.3) * WRONG),
        ("Sigmoid", "dx", -20.0, sigmoid(20) * sigmoid(-20) * WRONG),
        ("Sigmoid", "dx", 20.0, 1e-6),
        ("Sigmoid", "dx", 1.0, math.nan),
        ("SigmoidGraph", "dx", -30.0, 0.0),
        ("SigmoidGraph", "dx", -88.0, math.nan),
    ],
)
def test_one_wrong_result_fails(
    layer: str, quantity: str, x: float, value: float
) -> None:
    row = tried(layer, Spoilt(quantity, x, value))
    assert row.failed == sum(found.failed for found in row.kinds) == 1
    assert row.verdict == Verdict.FAIL
    assert row.differing == 1
    (kind,) = (found for found in row.kinds if found.failed)
    assert kind.differing == 1


@pytest.mark.parametrize(
    ("layer", "quantity", "x", "value", "why"),
    [
        ("Relu", "out", 1e-40, 0.0, RESULT_FLUSHED),
        ("Relu", "dx", 1e-40, 0.0, INPUT_FLUSHED),
        ("Relu", "dx", math.nan, 0.0, "derivative at NaN"),
        ("Reciprocal", "out", 5e-39, math.inf, INPUT_FLUSHED),
        ("Reciprocal", "dx", 1e-19, -math.inf, SQUARE_UNDERFLOWS),
        ("Sigmoid", "out", -88.8, 0.0, RESULT_FLUSHED),
        ("SigmoidGraph", "dx", 89.0, 0.0, RESULT_FLUSHED),
    ],
)
def test_what_is_documented_is_counted_and_does_not_fail(
    layer: str, quantity: str, x: float, value: float, why: str
) -> None:
    row = tried(layer, Spoilt(quantity, x, value))
    assert row.documented == {why: 1}
    assert row.failed == 0
    assert row.verdict == Verdict.DOCUMENTED


def test_what_is_not_counted_by_hand_the_rules_allow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(explained, "ALLOWED", {})
    run = Run(["Exp"], present("reference", "torch"), 2**16)
    assert len([*run]) == len(run)
    assert {row.verdict for row in run.rows()} <= {
        *(Verdict.IDENTICAL, Verdict.WITHIN_BOUND, Verdict.DOCUMENTED)
    }
    assert tried("Exp", Spoilt("out", 1.0, math.e * WRONG)).failed == 1
    assert tried("PlusOne", Spoilt("dx", 1.0, 1 + 2.0**-23)).failed == 1


@pytest.mark.parametrize(
    ("layer", "x", "right"), [("Exp", 1.0, math.e), ("Log", 3.0, math.log(3))]
)
def test_nobody_is_allowed_the_errors_of_another_framework(
    layer: str, x: float, right: float
) -> None:
    """Three unit roundoffs are more than PyTorch's errors, and less than NumPy's, of which
    other numbers here have as many.
    """
    value = right * (1 + 3 * 2.0**-24)
    failed = {
        name: tried(layer, Spoilt("out", x, value, [name])).failed
        for name in ("reference", "torch")
    }
    assert failed["reference"] == 0 < failed["torch"]


def test_any_form_of_somebodys_own_is_explained() -> None:
    class Sigmoid:
        def forward(self, x: np.ndarray) -> np.ndarray:
            self.y = 1 / (1 + np.exp(-x))
            return self.y

        def backward(self, dout: np.ndarray) -> np.ndarray:
            return dout * (self.y - self.y * self.y)

    run = Run(["Sigmoid"], [Own("own", {"Sigmoid": Sigmoid, "vjp": None})], 2**14)
    assert len([*run]) == len(run)
    assert [row.failed for row in run.rows()] == [0, 0]


def test_torch_gets_its_threads_back() -> None:
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    run = iter(Run(["Relu"], present("torch"), 2**10))
    next(run)
    assert torch.get_num_threads() == 1
    for _ in run:
        pass
    assert torch.get_num_threads() == before


def test_check_tries_every_float32_and_prints_json_in_less_than_a_gibibyte(
    tmp_path: Path,
) -> None:
    measured = (
        "import sys\n"
        "from gradparity.reports.commands.application import main\n"
        "try: main()\n"
        "finally:\n"
        "    if sys.platform == 'linux':\n"
        # Not getrusage: its maximum begins with that of the process that forked.
        "        status = open('/proc/self/status').read()\n"
        "        used = int(status.split('VmHWM:')[1].split()[0])\n"
        "        assert used * 1024 < 2**30, used\n"
    )
    sample = ["Relu", "Sigmoid", "--exhaustive", "--stride", "4096", "--json"]
    done = subprocess.run(
        [sys.executable, "-c", measured, "check", *sample],
        capture_output=True,
        text=True,
        env=environment(tmp_path),
        check=False,
    )
    assert done.returncode == 0, done
    rows = json.loads(done.stdout)["exhaustive"]
    found = {(row["layer"], row["implementation"]) for row in rows}
    names = [implementation.name for implementation in present()]
    assert found == {("Relu", name) for name in names} | {
        ("Sigmoid", name) for name in names if "composed" not in name
    }
    assert {row["inputs"] for row in rows} == {2**20}
    assert all(row["seconds"] > 0 for row in rows)


def test_check_says_what_it_tried_and_what_failed(tmp_path: Path) -> None:
    spoil = (
        "from gradparity.reference import layers\n"
        "right = layers.Relu.forward\n"
        "def wrong(self, x):\n"
        "    out = right(self, x)\n"
        "    return out * (1 + 1e-6) if out.dtype == 'float32' else out\n"
        "layers.Relu.forward = wrong\n"
        "from gradparity.reports.commands.application import main; main()\n"
    )
    sample = ["--exhaustive", "--stride", "65536", "--implementations", "reference"]
    done = subprocess.run(
        [sys.executable, "-c", spoil, "check", "Relu", *sample],
        capture_output=True,
        text=True,
        env=environment(tmp_path),
        check=False,
    )
    assert done.returncode == 1, done
    *_, sentence = done.stdout.splitlines()
    assert sentence.startswith("Relu: only 65,536 of 4,294,967,296 float32 were tried")
    assert "errors in the out of reference" in sentence
    assert "FAIL on" in done.stdout


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize(("name", "form"), [("SIGINT", []), ("SIGTERM", ["--json"])])
def test_interrupted_it_prints_what_is_known(
    tmp_path: Path, name: str, form: list[str]
) -> None:
    kind = signal.Signals[name]
    struck = (
        "import signal\n"
        "from gradparity.reference.data.cleanup import obey_signals\n"
        "obey_signals()\n"
        "from gradparity.parity_tests.checking import exhaustive\n"
        "right, calls = exhaustive.merged, []\n"
        "def merged(found, more):\n"
        "    calls.append(more)\n"
        f"    if len(calls) == 4: signal.raise_signal({int(kind)})\n"
        "    return right(found, more)\n"
        "exhaustive.merged = merged\n"
        "from gradparity.reports.commands.application import main; main()\n"
    )
    both = ["Relu", "Sigmoid", "--exhaustive"]
    alone = ["--implementations", "reference"]
    done = subprocess.run(
        [sys.executable, "-c", struck, "check", *both, *alone, *form],
        capture_output=True,
        text=True,
        env=environment(tmp_path),
        check=False,
    )
    assert (done.returncode, done.stderr) == (-kind, "")
    if form:
        rows = json.loads(done.stdout)["exhaustive"]
        assert {row["inputs"] for row in rows} == {3 * CHUNK}
    else:
        *_, first, second = done.stdout.splitlines()
        assert first.startswith(f"Relu: only {3 * CHUNK:,} of 4,294,967,296 float32")
        assert second == "Sigmoid: not tried"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (
            {"layers": ["Affine"], "exhaustive": True},
            "unknown element-wise layer 'Affine': expected Relu, Negate",
        ),
        ({"exhaustive": True, "dtype": "float64"}, "got --dtype float64"),
        ({"stride": 256}, "--stride goes with --exhaustive"),
    ],
)
def test_what_cannot_be_tried_gets_one_sentence(
    arguments: dict[str, Any], expected: str
) -> None:
    with pytest.raises(Unusable, match=expected) as refused:
        check(**arguments)
    assert "\n" not in str(refused.value)


@pytest.mark.usefixtures("only_trainings")
def test_a_report_has_it_where_it_was_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exhaustive, "FLOATS", CHUNK)
    nobody = SimpleNamespace(t_test=[])
    plan: Any = SimpleNamespace(seed=0, dataset=nobody)
    info = DatasetInfo(name="none", source="nowhere", train=1, test=1)
    names = ["reference"]
    without = runner.report(plan, info, [], names)
    results = runner.report(plan, info, [], names, every_float32=True)
    assert not without.exhaustive
    layers = dict.fromkeys(row.layer for row in results.exhaustive)
    assert [*layers] == LAYERS
    for render in (report_markdown.render, report_html.render):
        assert "Every float32" not in render(without, [])
        text = render(results, [])
        assert "Every float32" in text
        assert f"Sigmoid: only {CHUNK:,} of 4,294,967,296 float32 were tried" in text
    failed = results.model_copy(deep=True)
    failed.exhaustive[-1].failed = 3
    assert str(headline(failed)).startswith(f"NumPy do not agree: {LAYERS[-1]} dx")
