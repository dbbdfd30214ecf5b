"""The numbers that functions are compared on: as text, from files, drawn, and others."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gradparity.parity_tests.functions import UnusableFunction, UnusableInput
from gradparity.parity_tests.functions.calling import flat, prepare
from gradparity.parity_tests.functions.inputs import (
    cast,
    generic,
    kept,
    parse,
    with_examples,
)
from gradparity.parity_tests.functions.targets import load_all, of
from gradparity.parity_tests.functions.trees import Setting, ends

Written = Callable[[str], None]


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Written:
    """Writes `mine.py` into an empty working folder."""
    monkeypatch.chdir(tmp_path)

    def write(code: str) -> None:
        Path("mine.py").write_text(code, encoding="utf-8")

    return write


def tree(text: str) -> Any:
    """What an input holds."""
    (given,) = parse([text]).values()
    return given.tree


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x=[1.0,2]", np.array([1.0, 2.0])),
        ("x=[1e0]", np.array([1.0])),
        ("x=[NaN,1]", np.array([np.nan, 1.0])),
        ("x=-Infinity", np.array(-np.inf)),
        ("x=[1,2]", np.array([1, 2])),
        ("x=3", np.array(3)),
        ("mask=[true,false]", np.array([True, False])),
        (" x = [[1, 2], [3, 4]]", np.array([[1, 2], [3, 4]])),
        ("x=[]", np.array([])),
    ],
)
def test_text(text: str, expected: np.ndarray) -> None:
    found = tree(text)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


def test_text_with_names_in_it() -> None:
    found = tree('params={"w": [[1.5]], "layers": [{"b": [0]}, {"b": [1, 2]}]}')
    assert [path for path, _ in ends(found, "params")] == [
        "params.w",
        "params.layers[0].b",
        "params.layers[1].b",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x", "--input must be NAME=VALUE, as in x=[1,-2], got 'x'"),
        ("=[1]", "--input must be NAME=VALUE"),
        ("x y=[1]", "--input must be NAME=VALUE"),
        ("x=[1,", "--input x must be numbers as in JSON"),
        ("x=[[1,2],[3]]", "--input x must have rows of one length"),
        ("x=[1,true]", "--input x holds numbers and booleans, expected one"),
        ('x=["a"]', "the input x must hold numbers or booleans"),
        ("x=[[null]]", "the input x must hold numbers or booleans, got object"),
        (f"x=[{2**70}]", "the input x must hold numbers or booleans, got object"),
        (f"x={2**63}", "the input x has integers that need more than 63 bits"),
        ("x=nowhere.npy", "--input x: nowhere.npy: No such file"),
        ("x=short.npy", "--input x: short.npy is no .npy file of numbers"),
        ("x=objects.npy", "--input x: objects.npy is no .npy file of numbers"),
        ("x=complex.npy", "the input x is complex, which is not compared"),
        ("x=words.npy", "the input x must hold numbers or booleans, got text"),
        ("x=text.npz", "--input x: text.npz is no .npz file of numbers"),
        ("x=.npy", "--input x: .npy: Is a directory"),
    ],
)
def test_bad_input_is_refused_in_one_sentence(
    written: Written, text: str, expected: str
) -> None:
    np.save("whole.npy", np.ones(30))
    Path("short.npy").write_bytes(Path("whole.npy").read_bytes()[:-9])
    np.save("objects.npy", np.array([None]), allow_pickle=True)
    np.save("complex.npy", np.ones(2, complex))
    np.save("words.npy", np.array(["one"]))
    Path("text.npz").write_text("text", "utf-8")
    Path(".npy").mkdir()
    with pytest.raises(UnusableInput) as refused:
        parse([text])
    assert str(refused.value).startswith(expected)
    assert "\n" not in str(refused.value)


def test_files_keep_their_kind(written: Written) -> None:
    arrays: dict[str, np.ndarray] = {
        "float16": np.ones(2, np.float16),
        "int8": np.ones(2, np.int8),
        "bool": np.ones(2, bool),
        "uint32": np.ones(2, np.uint32),
    }
    for name, array in arrays.items():
        np.save(f"{name}.npy", array)
    kinds = [tree(f"x={n}.npy").dtype for n in ("float16", "int8", "bool", "uint32")]
    assert kinds == [np.float64, np.int64, np.bool_, np.int64]
    np.savez("archive.npz", w=np.ones(2), n=np.arange(3))
    found = tree("p=archive.npz")
    assert {name: part.dtype for name, part in found.items()} == {
        "w": np.float64,
        "n": np.int64,
    }


def test_an_input_is_given_once() -> None:
    with pytest.raises(UnusableInput, match="the input x is given twice"):
        parse(["x=[1]"], ["x=3"])


@pytest.mark.parametrize("text", ["x", "x=a", "x=-1", "x=4:int", "x=3;4", "x=2:int<0"])
def test_a_shape_that_is_none(text: str) -> None:
    with pytest.raises(UnusableInput, match=r"^--shape "):
        parse([], [text])


def test_numbers_are_drawn_by_the_name() -> None:
    found = parse([], ["x=4,5", "y=4,5", "n=(3,)", "s=", "p=9:positive", "i=99:int<10"])
    x, y, n, s, p, i = (each.tree for each in found.values())
    assert [each.shape for each in (x, y, n, s, p, i)] == [
        *((4, 5), (4, 5), (3,), (), (9,), (99,))
    ]
    assert not np.array_equal(x, y)
    np.testing.assert_array_equal(x, parse([], ["x=4,5"])["x"].tree)
    assert p.min() > 0
    assert i.dtype == np.int64
    assert {*i.tolist()} == {*range(10)}
    assert parse([], ["m=50:bool"])["m"].tree.dtype == np.bool_


def test_floats_are_cast_and_nothing_else() -> None:
    found = cast(
        {"x": np.full(2, 1e300), "i": np.arange(2), "s": Setting(0.5)}, "float32"
    )
    assert found["x"].dtype == np.float32
    assert np.isinf(found["x"]).all()
    assert found["i"].dtype == np.int64
    assert found["s"] == Setting(0.5)


# --- Integers or floats -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "given", "kinds", "notes"),
    [
        ("def f(x): return np.exp(x)", ["x=[1,2]"], {"x": "f"}, []),
        (
            "def f(x, idx): return np.exp(x[idx])",
            ["x=[1,2]", "idx=[0]"],
            {"x": "f", "idx": "i"},
            ["idx is taken as integers"],
        ),
        (
            "def f(x, which): return np.exp(x[which])",
            ["x=[1,2]", "which=[0]"],
            {"x": "f", "which": "i"},
            ["which is taken as integers"],
        ),
        (
            "def f(x, y):\n  assert y.dtype.kind == 'f'\n  return np.exp(x) * y",
            ["x=[1,2]", "y=[1,2]"],
            {"x": "f", "y": "f"},
            ["y is taken as floats"],
        ),
        (
            "def f(x, y): return np.exp(x) * y",
            ["x=1", "y=1.0"],
            {"x": "f", "y": "f"},
            [],
        ),
        (
            "def f(p): return np.exp(p['w'])[p['idx']]",
            ['p={"w": [1, 2], "idx": [0]}'],
            {"p.w": "f", "p.idx": "i"},
            ["p is taken as integers"],
        ),
        (
            "Labels = np.ndarray\ndef f(x, c: 'Labels'): return np.exp(x)[c]",
            ["x=[1,2]", "c=[0]"],
            {"x": "f", "c": "i"},
            ["c is taken as integers"],
        ),
        (
            "def f(x, a, b): return np.exp(x)[a][b]",
            ["x=[1,2]", "a=[0,1]", "b=[0]"],
            {"x": "f", "a": "i", "b": "i"},
            ["a is taken as integers", "b is taken as integers"],
        ),
    ],
)
def test_whole_numbers(
    written: Written,
    code: str,
    given: list[str],
    kinds: dict[str, str],
    notes: list[str],
) -> None:
    written("import numpy as np\n" + code)
    prepared = prepare(load_all(["mine.py:f"]), parse(given))
    call = flat(prepared.targets[0], prepared.inputs, "float32")
    assert {
        name: leaf.dtype.kind
        for name, leaf in zip(call.names, call.leaves, strict=True)
    } == kinds
    assert prepared.notes == notes


def test_what_no_choice_helps_is_told_of_the_first(written: Written) -> None:
    written("def f(x): return x.shape[3]")
    with pytest.raises(UnusableFunction, match=r"IndexError: tuple index.*py, line 1"):
        prepare(load_all(["mine.py:f"]), parse(["x=[1,2]"]))


# --- Examples beside the functions ------------------------------------------------------


@pytest.mark.parametrize(
    "returned", ["dict(x=np.ones(2), w=np.ones(2))", "(np.ones(2), np.ones(2))"]
)
def test_example_inputs_beside_the_functions(written: Written, returned: str) -> None:
    written(
        "import numpy as np\ndef f(x, w): return np.exp(x) * w\n"
        f"def example_inputs(): return {returned}\n"
    )
    targets = load_all(["mine.py:f"])
    assert [*with_examples(targets, {})] == ["x", "w"]
    found = with_examples(targets, parse(["w=[3.0,4.0]"]))
    np.testing.assert_array_equal(found["w"].tree, [3, 4])
    assert [*with_examples(targets, parse(["x=[1]", "w=[1]"]))] == ["x", "w"]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("return 1 / 0", "example_inputs of mine.py raised: ZeroDivisionError"),
        ("return 1, 2, 3", "example_inputs of mine.py returned 3 values: mine.py:f ta"),
        ("return {'x': [1j]}", "x[0] is complex, which is not compared"),
    ],
)
def test_bad_examples_are_refused(written: Written, code: str, expected: str) -> None:
    written(f"def f(x): return x\ndef example_inputs(): {code}\n")
    with pytest.raises((UnusableFunction, UnusableInput)) as refused:
        with_examples(load_all(["mine.py:f"]), {})
    assert expected in str(refused.value)


def test_without_numbers_it_is_told_what_is_missing(written: Written) -> None:
    written("def f(x, w): return x * w")
    with pytest.raises(
        UnusableInput, match=r"the input x is missing: mine\.py:f takes"
    ):
        prepare(load_all(["mine.py:f"]), {})


def test_tensors_and_jax_arrays_are_taken() -> None:
    torch, jax = pytest.importorskip("torch"), pytest.importorskip("jax")
    half = torch.ones(2, dtype=torch.bfloat16, requires_grad=True)
    assert kept("x", half).dtype == np.float64
    assert kept("x", torch.ones(2, dtype=torch.int32)).dtype == np.int64
    assert kept("x", jax.numpy.ones(2, "bfloat16")).dtype == np.float64
    assert kept("x", True).dtype == np.bool_
    assert kept("way", "mean") == Setting("mean")
    assert isinstance(of(torch.tanh).name, str)


# --- Other numbers ----------------------------------------------------------------------


def test_generic_numbers_are_near_and_no_two_are_equal() -> None:
    rng = np.random.default_rng(0)
    x = np.round(rng.normal(size=(20, 20)) * 4)
    found = generic({"x": x})["x"]
    assert found.shape == x.shape
    assert len({*np.abs(found).ravel().tolist()}) == x.size
    assert (np.sign(found) == np.sign(x))[x != 0].all()
    assert (np.abs(found - x) <= 0.3 * np.abs(x))[x != 0].all()
    assert (found != 0).all()
    assert np.abs(found[x == 0]).max() < 0.3 * np.median(np.abs(x[x != 0])) + 1e-9
    np.testing.assert_array_equal(found, generic({"x": x})["x"])
    assert not np.array_equal(found, generic({"x": x}, seed=1)["x"])


def test_generic_numbers_stay_in_their_domain() -> None:
    positive = np.array([0.0, 0.0, 1.0, 5.0, 1e-8])
    assert (generic({"x": positive})["x"] > 0).all()
    shares = np.array([0.0, 0.5, 0.5, 1.0])
    assert (np.abs(generic({"p": shares})["p"]) <= 1).all()
    huge = np.array([np.finfo(np.float64).max, 1.0])
    assert np.isfinite(generic({"x": huge})["x"]).all()


def test_generic_numbers_are_ordinary_ones() -> None:
    x = np.array([np.nan, np.inf, -np.inf, 2.0, -3.0])
    found = generic({"x": x})["x"]
    assert np.isfinite(found).all()
    assert found[1] > 0 > found[2]
    assert np.isnan(x[0])  # the user's own stay


def test_what_is_no_float_stays() -> None:
    inputs = {
        "i": np.arange(3),
        "m": np.array([True, False]),
        "s": Setting(1e-5),
        "t": np.eye(3),
        "none": None,
        "p": {"w": np.ones(2), "n": [np.arange(2)]},
    }
    found = generic(inputs)
    for name in ("i", "m", "t"):
        np.testing.assert_array_equal(found[name], inputs[name])
    assert found["s"] == Setting(1e-5)
    assert found["none"] is None
    assert (found["p"]["w"] != 1).all()
    np.testing.assert_array_equal(found["p"]["n"][0], np.arange(2))
    assert not np.array_equal(generic({"x": np.eye(3)})["x"], np.eye(3))
