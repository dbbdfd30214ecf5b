"""The verdict says what it claims: nothing that is legitimately computed is an alarm."""

import ctypes
import platform
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gradparity import assert_parity
from gradparity.parity_tests import DTYPES
from gradparity.parity_tests.catalogue.case import (
    Case,
    NetworkCase,
    without_subnormals,
)
from gradparity.parity_tests.catalogue.cases import LAYER_CASES, NETWORK_CASES
from gradparity.parity_tests.checking import values
from gradparity.parity_tests.checking.accuracy import less_accurate
from gradparity.parity_tests.checking.values import (
    FLUSHED,
    Prepared,
    check,
    try_load,
)
from gradparity.parity_tests.implementations.contract import Arrays
from gradparity.parity_tests.implementations.registry import load
from gradparity.parity_tests.implementations.user_supplied import Own
from gradparity.parity_tests.measuring.comparison import NO_WIDER
from gradparity.parity_tests.measuring.devices import (
    TO_NEAREST,
    numpy_flushes,
    numpy_rounds,
)
from gradparity.parity_tests.measuring.dtypes import RECORDS
from gradparity.parity_tests.measuring.elementary_errors import exceeded
from gradparity.parity_tests.measuring.processor_mode import ieee, mode_kept
from gradparity.parity_tests.measuring.records import Check, Summary, Verdict
from gradparity.reference import layers
from gradparity.reference.rounding import Arithmetic, Bounded
from gradparity.reports.environment import describe
from gradparity.reports.tables.gradients import gradient_tables
from gradparity.reports.tables.verdicts import checks_sentence, remarks

x86 = pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64") or platform.system() != "Linux",
    reason="the mode is set as Linux has it on x86_64",
)


def rows_of(case: Case, dtype: str, **offered: Any) -> list[Check]:
    """The rows of a case for somebody's own implementation."""
    return check(Prepared.of(case, dtype), "own", Own("own", {"vjp": None, **offered}))[
        0
    ]


# --- What cannot be judged ------------------------------------------------------------


def test_where_there_is_no_bound_that_is_the_verdict() -> None:
    """y_t is so small there that its logarithm's derivative may overflow, and does not."""
    pytest.importorskip("jax")
    inputs = {
        "x": np.array([[0.3, -86], [0.1, 0.2], [0.5, -0.3]]),
        "t": np.array([1, 0, 1]),
    }
    case = Case("SoftmaxWithLoss", "an improbable label", inputs, np.array(0.7))
    name = "jax-composed"
    rows, _ = check(Prepared.of(case, "float32"), name, load(name))
    found = {row.quantity: row for row in rows}
    assert found["dx"].verdict == Verdict.NO_BOUND
    assert found["dx"].note == "no bound for 2 of 6 elements"
    assert found["dx"].bound_ratio is not None
    assert found["dx"].bound_ratio <= 1
    summary = Summary.of(rows)
    assert (summary.no_bound, summary.failed) == (1, 0)


def test_what_is_wrong_elsewhere_is_wrong_all_the_same() -> None:
    from gradparity.parity_tests.measuring.comparison import Allowed, compare

    truth, bound = np.array([1.0, 2.0]), np.array([np.inf, 1e-9])
    for value, verdict in (
        ([1.5, 2.0], Verdict.NO_BOUND),
        ([1.0, 2.0], Verdict.IDENTICAL),
        ([1.5, 2.1], Verdict.FAIL),
        ([np.nan, 2.0], Verdict.NO_BOUND),
    ):
        allowed = Allowed(bound, bound)
        found = compare(
            np.array(value), truth, allowed, "float64", np.array([1.0, 2.0])
        )
        assert found["verdict"] == verdict, value


# --- Other forms ----------------------------------------------------------------------


class LogByReciprocal:
    def forward(self, x: Any) -> Any:
        self.x = x
        return np.log(x)

    def backward(self, dout: Any) -> Any:
        return dout * (1 / self.x)


def logistic(derivative: Callable[[Any, Any], Any]) -> type:
    """A sigmoid with this derivative: of x, and of y."""

    class Logistic:
        def forward(self, x: Any) -> Any:
            self.x, self.y = x, 1 / (1 + np.exp(-x))
            return self.y

        def backward(self, dout: Any) -> Any:
            return dout * derivative(self.x, self.y)

    return Logistic


FORMS: list[tuple[str, Any]] = [
    ("Log", LogByReciprocal),
    ("Sigmoid", logistic(lambda x, y: y - y * y)),
    ("Sigmoid", logistic(lambda x, y: y / (1 + np.exp(x)))),
    ("Sigmoid", logistic(lambda x, y: np.exp(-x) / (1 + np.exp(-x)) ** 2)),
]


@pytest.mark.parametrize(("layer", "form"), FORMS)
def test_other_forms_of_a_layer_are_right(layer: str, form: Any) -> None:
    with np.errstate(all="ignore"):
        assert_parity(form, layer, edges=False)


def test_a_form_that_loses_its_digits_is_wrong() -> None:
    class ByTanh:
        def forward(self, x: Any) -> Any:
            self.y = (1 + np.tanh(x / 2)) / 2
            return self.y

        def backward(self, dout: Any) -> Any:
            return dout * self.y * (1 - self.y)

    with pytest.raises(AssertionError, match="times the rounding bound"):
        assert_parity(ByTanh, "Sigmoid", edges=False)


def test_a_textbook_softmax_is_right_at_subnormal_numbers_too() -> None:
    """What its largest score gets back is the sum of all the others' errors."""
    torch = pytest.importorskip("torch")

    def softmax(x: Any) -> Any:
        e = torch.exp(x - x.max(dim=-1, keepdim=True).values)
        return e / e.sum(-1, keepdim=True)

    assert_parity(softmax, "Softmax")


@pytest.mark.parametrize("shift", [0.0, 1e2, 1e3, 1e4])
def test_a_loss_that_is_the_logarithm_of_a_sum_is_right(
    shift: float, dtype: str
) -> None:
    """It loses digits where scores are far from 0, and no more than its bound says."""
    torch = pytest.importorskip("torch")

    def softmax_with_loss(x: Any, t: Any) -> Any:
        return (torch.logsumexp(x, -1) - x[torch.arange(len(x)), t]).mean()

    rng = np.random.default_rng(0)
    inputs = {"x": rng.normal(size=(20, 10)) + shift, "t": rng.integers(0, 10, 20)}
    case = Case("SoftmaxWithLoss", "shifted", inputs, np.array(1.0))
    rows = rows_of(case, dtype, SoftmaxWithLoss=softmax_with_loss)
    judged = {row.quantity: row.verdict for row in rows if row.quantity != "y"}
    assert {*judged.values()} <= {Verdict.IDENTICAL, Verdict.WITHIN_BOUND}


def test_a_softmax_in_one_pass_is_right(dtype: str) -> None:
    torch = pytest.importorskip("torch")

    def softmax(x: Any) -> Any:
        largest, total = x[:, :1], torch.ones_like(x[:, :1])
        for k in range(1, x.shape[1]):
            before, here = largest, x[:, k : k + 1]
            largest = torch.maximum(before, here)
            total = total * torch.exp(before - largest) + torch.exp(here - largest)
        return torch.exp(x - largest) / total

    x = np.sort(np.random.default_rng(0).normal(size=(50, 40)) * 8, axis=-1)
    rows = rows_of(Case("Softmax", "sorted", {"x": x}, x), dtype, Softmax=softmax)
    assert [row.verdict for row in rows] == [Verdict.WITHIN_BOUND] * 2


# --- The processor's mode -------------------------------------------------------------


@contextmanager
def subnormal_numbers_are_zero() -> Iterator[None]:
    """As a library that was built for speed leaves it: FTZ and DAZ, in this thread."""
    library, held = ctypes.CDLL("libm.so.6"), ctypes.create_string_buffer(256)
    with mode_kept():
        library.fegetenv(held)
        mxcsr = ctypes.c_uint32.from_buffer(held, 28)
        mxcsr.value |= 0x8040
        library.fesetenv(held)
        yield


@x86
def test_the_mode_is_tried_and_kept() -> None:
    assert not numpy_flushes()
    with subnormal_numbers_are_zero():
        assert numpy_flushes()
        with ieee():
            assert not numpy_flushes()
        assert numpy_flushes()
    assert not numpy_flushes()


@x86
@pytest.mark.parametrize("name", ["reference", "torch"])
def test_where_subnormal_numbers_are_zero_nothing_fails(name: str, dtype: str) -> None:
    if name == "torch":
        pytest.importorskip("torch")
    implementation = load(name)
    edges = [c for c in LAYER_CASES if c.kind == "edge" and "special" in c.name]
    with subnormal_numbers_are_zero():
        for case in edges:
            rows, _ = check(Prepared.of(case, dtype), name, implementation)
            assert [row for row in rows if row.verdict == Verdict.FAIL] == []


@x86
def test_who_changes_the_mode_is_told_and_changes_it_for_nobody_else() -> None:
    library = ctypes.CDLL("libm.so.6")

    class Negate:
        def forward(self, x: Any) -> Any:
            held = ctypes.create_string_buffer(256)
            library.fegetenv(held)
            ctypes.c_uint32.from_buffer(held, 28).value |= 0x8040
            library.fesetenv(held)
            return -x

        def backward(self, dout: Any) -> Any:
            return -dout

    x = np.array([[1.0, 2.0]])
    rows = rows_of(Case("Negate", "two numbers", {"x": x}, x), "float64", Negate=Negate)
    assert {row.note for row in rows} == {
        "it set the processor so that subnormal numbers are zero"
    }
    assert not numpy_flushes()


UPWARD = 0x800  # FE_UPWARD, on x86


@x86
def test_who_rounds_another_way_is_told() -> None:
    library = ctypes.CDLL("libm.so.6")

    class Negate:
        def forward(self, x: Any) -> Any:
            library.fesetround(UPWARD)
            return -x

        def backward(self, dout: Any) -> Any:
            return -dout

    x = np.array([[1.0, 2.0]])
    rows = rows_of(Case("Negate", "two numbers", {"x": x}, x), "float64", Negate=Negate)
    assert {row.note for row in rows} == {"it set the processor to round upward"}
    assert numpy_rounds() == TO_NEAREST
    told = remarks(rows)
    assert told == ["own: Negate out, Negate dx: it set the processor to round upward."]


@x86
def test_a_mode_that_an_import_changes_is_put_back_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    source = "import ctypes\nctypes.CDLL('libm.so.6').fesetround(0x800)\n"
    source += "class Relu:\n    def forward(self, x):\n        self.x = x\n"
    source += "        return x * (x > 0)\n    def backward(self, dout):\n"
    source += "        return dout * (self.x > 0)\n"
    Path("upward.py").write_text(source, encoding="utf-8")
    mine = try_load("upward.py")
    assert numpy_rounds() == TO_NEAREST
    case = next(case for case in LAYER_CASES if case.layer == "Relu")
    rows, _ = check(Prepared.of(case, "float64"), "upward.py", mine)
    said = {row.note for row in rows}
    assert said == {"its import set the processor to round upward"}


def test_a_lost_subnormal_number_is_called_one() -> None:
    """As of one that computes in threads of its own, which have another mode."""

    class Negate:
        def forward(self, x: Any) -> Any:
            return -without_subnormals(x)

        def backward(self, dout: Any) -> Any:
            return -dout

    x = np.array([[1.0, 1e-310]])
    out, dx = rows_of(Case("Negate", "one", {"x": x}, x), "float64", Negate=Negate)
    assert out.verdict == Verdict.FAIL
    assert FLUSHED in (out.note or "")
    assert dx.verdict == Verdict.IDENTICAL


RECIPROCALS = {
    "y times y times": lambda x, dout: -dout * (1 / x) * (1 / x),
    "divided twice": lambda x, dout: -(dout / x) / x,
    "times and divided": lambda x, dout: -(dout * (1 / x)) / x,
    "by the square": lambda x, dout: -dout / (x * x),
}


@pytest.mark.parametrize("form", RECIPROCALS.values(), ids=RECIPROCALS)
def test_a_product_with_a_subnormal_number_may_lose_its_digits(form: Any) -> None:
    def reciprocal(x: Any, dout: Any) -> Any:
        return 1 / x, form(x, dout)

    rng = np.random.default_rng(0)
    x = rng.uniform(1e-4, 2, (30, 30))
    for size in (1e-45, 1e-43, 1e-40, 1.0):
        case = Case("Reciprocal", "tiny", {"x": x}, rng.normal(size=x.shape) * size)
        for row in rows_of(case, "float32", Reciprocal=reciprocal):
            assert row.verdict != Verdict.FAIL, row


@x86
@pytest.mark.skipif(shutil.which("gcc") is None, reason="there is no gcc")
def test_a_library_that_was_built_for_speed_is_no_alarm_and_named(
    tmp_path: Path,
) -> None:
    """GCC links what sets the mode, when the library is loaded."""
    source, library = tmp_path / "fast.c", tmp_path / "libfast.so"
    source.write_text("int nothing(void) { return 0; }\n", encoding="utf-8")
    command = [
        "gcc",
        "-shared",
        "-fPIC",
        "-ffast-math",
        "-o",
        str(library),
        str(source),
    ]
    subprocess.run(command, check=True)
    exceeded.cache_clear()
    with mode_kept():
        ctypes.CDLL(str(library))
        if not numpy_flushes():
            pytest.skip("this GCC does not")  # since 13, unless with -mdaz-ftz
        assert describe().switches["numpy subnormal numbers"] == "flushed to zero"
        assert less_accurate(["reference", "torch"], ["Exp", "Log"]) == []
        for case in LAYER_CASES:
            if case.kind == "edge" and case.layer in ("Exp", "Sigmoid", "Softmax"):
                for dtype in DTYPES:
                    prepared = Prepared.of(case, dtype)
                    rows, _ = check(prepared, "reference", load("reference"))
                    assert Verdict.FAIL not in {row.verdict for row in rows}
    exceeded.cache_clear()


# --- The bound's own value ------------------------------------------------------------


def test_a_value_of_the_bound_is_not_taken_for_the_exact_one() -> None:
    """In float64 it is off by as much as what it judges: 1.5 errors from 0 is not sure."""
    arithmetic = Arithmetic.of(np.float64)
    x = Bounded.exact(np.array([1.5e-10, 2.5e-10]), arithmetic)
    x = x.exactly(x.value, np.full(2, 1e-10))
    gated = x.gate(x.constant(np.ones(2)))
    assert gated.error.tolist() == [1, 0]


def test_where_the_bounds_value_is_the_truth_its_error_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The reference being wrong, a float64 is held against a float64."""

    class Wrong:
        name = "wrong"

        def run_layer(self, layer: str, inputs: Arrays, dout: Any) -> Arrays:
            found = load("reference").run_layer(layer, inputs, dout)
            return {name: value * (1 + 1e-4) for name, value in found.items()}

    x = np.random.default_rng(0).normal(size=(4, 3))
    case = Case("Sigmoid", "a batch", {"x": x}, x)
    right = Prepared.of(case, "float64")
    monkeypatch.setattr(values, "REFERENCE", Wrong())
    wrong = Prepared.of(case, "float64")
    for quantity in ("out", "dx"):
        assert (wrong.truth[quantity] == wrong.truth_bounds[quantity].value).all()
        assert (
            wrong.truth_bounds[quantity].error
            > 100 * right.truth_bounds[quantity].error
        ).all()


# --- Where no dtype is wider ----------------------------------------------------------


@pytest.fixture
def no_wider_dtype(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Windows, where longdouble is float64."""
    known = RECORDS[np.dtype(np.float64)]
    narrow = replace(known, truth=np.float64)
    monkeypatch.setitem(RECORDS, np.dtype(np.float64), narrow)


@pytest.mark.usefixtures("no_wider_dtype")
@pytest.mark.parametrize("layer", ["Sigmoid", "Affine", "TwoLayerNet"])
def test_where_no_dtype_is_wider_the_reference_is_not_judged(layer: str) -> None:
    every: list[Case | NetworkCase] = [*LAYER_CASES, *NETWORK_CASES[:1]]
    case = next(c for c in every if c.layer == layer and c.kind == "typical")
    reference = load("reference")
    rows, _ = check(Prepared.of(case, "float64"), "reference", reference)
    found = {(row.verdict, row.bound_ratio, row.note) for row in rows}
    assert found == {(Verdict.NOT_JUDGED, None, NO_WIDER)}
    summary = Summary.of(rows)
    assert (summary.not_judged, summary.failed) == (len(rows), 0)
    assert "are not judged (no dtype is wider here)" in checks_sentence(summary)
    (table,) = gradient_tables(rows, "typical")
    assert {row[2] for row in table.rows} == {"not judged"}
    rows, _ = check(Prepared.of(case, "float32"), "reference", reference)
    assert Verdict.NOT_JUDGED not in {row.verdict for row in rows}


@pytest.mark.usefixtures("no_wider_dtype")
def test_a_documented_divergence_is_none_of_the_truth_from_itself() -> None:
    reference = load("reference")
    for case in (c for c in LAYER_CASES if c.layer == "Reciprocal"):
        if case.kind == "edge" and not case.spelled:
            rows, _ = check(Prepared.of(case, "float64"), "reference", reference)
            assert {row.verdict for row in rows} == {Verdict.NOT_JUDGED}, case.id


@pytest.mark.usefixtures("no_wider_dtype")
def test_a_reference_that_is_wrong_fails_there_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """For then the truth is another than what it computes."""
    case = next(c for c in LAYER_CASES if c.layer == "Exp" and c.kind == "typical")
    monkeypatch.setattr(
        layers.Exp, "backward", lambda self, dout: dout * self.out * 1.01
    )
    rows, _ = check(Prepared.of(case, "float64"), "reference", load("reference"))
    assert {row.quantity: row.verdict for row in rows} == {
        "out": Verdict.NOT_JUDGED,
        "dx": Verdict.FAIL,
    }


@pytest.mark.usefixtures("no_wider_dtype")
def test_who_is_judged_there_is_judged_with_the_truths_own_error() -> None:
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(0).normal(size=(50, 4))
    case = Case("Sigmoid", "a batch", {"x": x}, x)
    rows = rows_of(case, "float64", Sigmoid=torch.sigmoid)
    assert {row.verdict for row in rows} <= {Verdict.IDENTICAL, Verdict.WITHIN_BOUND}
    rows = rows_of(case, "float64", Sigmoid=lambda x: torch.sigmoid(x) * (1 + 1e-14))
    assert [row.verdict for row in rows] == [Verdict.FAIL] * 2
