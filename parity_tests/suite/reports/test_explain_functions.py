"""`explain` of functions of one's own: only what is the same stands together."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
from typer.testing import CliRunner

from gradparity.parity_tests.functions import wording
from gradparity.reports.commands import application
from gradparity.reports.explain import as_html, as_markdown, as_notebook, publishing
from gradparity.reports.explain.aligned import PHASES, Row
from gradparity.reports.explain.blocks import Aligned, Grid, Page, Picture, Prose
from gradparity.reports.explain.function_page import FunctionRun, build
from gradparity.reports.explain.walk import sentences

pytest.importorskip("torch")
pytest.importorskip("jax")

MINE = """
import jax, jax.numpy as jnp, numpy as np, torch
import torch.nn.functional as F
from functools import partial

def either(x, y):
    return x * y + x / y
def mean_where(x, t):
    return (x * (t != 0)).sum() / (t != 0).sum()
def spread(x):
    return x / x.std()

def exp_torch(x):
    return torch.exp(x) * 2
def sin_jax(x):
    return jnp.sin(x) * 3
def exp_jax(x):
    return 2 * jnp.exp(x)
def a_little_more(x):
    return torch.exp(x) * (2 + 1e-9)
def sin_torch(x):
    return torch.sin(x)
def parted(x):
    return torch.exp(x), x * 5
def parted_too(x):
    return torch.sin(x), x * 5
def backwards(x):
    return torch.exp(x).flip(0) * 2
def root_torch(x):
    return torch.sqrt(x) * 2
def root_jax(x):
    return jnp.sqrt(x) * 2

def norm_torch(x, w, b):
    return F.layer_norm(x, x.shape[-1:], w, b)
def norm_jax(x, w, b, eps=1e-6):
    c = x - x.mean(-1, keepdims=True)
    return c / jnp.sqrt((c * c).mean(-1, keepdims=True) + eps) * w + b
def norm_jax_right(x, w, b):
    return norm_jax(x, w, b, 1e-5)
def norm_by_hand(x, w, b, dout):
    mean = x.mean(-1, keepdims=True)
    r = 1 / np.sqrt(x.var(-1, keepdims=True) + np.asarray(1e-5, x.dtype))
    z = (x - mean) * r
    g = dout * w
    dx = r * (g - g.mean(-1, keepdims=True) - z * (g * z).mean(-1, keepdims=True))
    return z * w + b, dx, (dout * z).sum(0), dout.sum(0)
def half_of_it(x, dout):
    return np.exp(x) * 2, dout * np.exp(x)
def product(x, y, dout):
    return np.multiply(x, y), dout * y, dout * x

W32, W64 = torch.ones(2, 2), torch.ones(2, 2, dtype=torch.float64)
J32 = jnp.ones((2, 2))
def with_32(x):
    return x @ W32
def with_64(x):
    return x @ W64
def with_jax(x):
    return x @ J32

module = torch.nn.Linear(2, 1)
part = partial(torch.clamp, min=0.0)
jitted = jax.jit(lambda x: jnp.tanh(x))
class Called:
    def __call__(self, x):
        return torch.tanh(x)
called = Called()
@jax.custom_vjp
def own_rule(x):
    return jnp.maximum(x, 0)
own_rule.defvjp(
    lambda x: (jnp.maximum(x, 0), x), lambda x, d: (jnp.where(x > 0, d, 0),)
)
def needs_name(x, *, eps=1e-5):
    return torch.tanh(x) / (1 + eps)
def in_place(x):
    x += 1
    return x * 2

def embed(W, which):
    return F.embedding(which, W)
def masked(x, mask):
    return torch.where(mask, x, 0.0).sum()
def two(p):
    return {"sum": torch.add(p["a"], p["b"]), "product": p["a"] * p["b"]}
def example_inputs():
    return {"x": np.array([1.0, 2.0])}

def half_less(x):
    return -0.5 - torch.tanh(x)
def half_less_jax(x):
    return -0.5 - jnp.tanh(x)
def minus_two_over(x):
    return -2 / jnp.tanh(x)
def one_out(x):
    return np.sin(x)
def two_out(x):
    return np.sin(x), np.cos(x)

def crash(x):
    raise RuntimeError("somebody's own trouble")
"""
X = {"x": np.array([1.0, 2.0])}
NORM = {
    "x": np.array([[1.0, 2.0, 4.0], [3.0, 1.0, 7.0]]),
    "w": np.array([1.0, 2.0, 3.0]),
    "b": np.array([0.0, 1.0, 0.0]),
}


@pytest.fixture(autouse=True)
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(MINE, encoding="utf-8")


def named(*names: str) -> str:
    return ",".join(f"mine.py:{name}" for name in names)


def page(*names: str, given: Mapping[str, Any] = X, lang: str = "en") -> Page:
    return build(FunctionRun(named(*names), given), lang)


def explain(*arguments: str) -> Any:
    return CliRunner().invoke(application.app, ["explain", *arguments])


def blocks(found: Page, kind: Any) -> Iterator[Any]:
    return (b for s in found.sections for b in s.blocks if isinstance(b, kind))


def table(found: Page) -> Aligned:
    (only,) = blocks(found, Aligned)
    assert isinstance(only, Aligned)
    return only


def together(found: Page) -> list[Row]:
    """The rows in which more than one stands."""
    return [row for row in table(found).rows if len(row.does) > 1]


def said_in(rows: list[Row], key: str) -> str:
    return " ".join(code for row in rows for code in row.does.get(key, ()))


# --- The same or not --------------------------------------------------------------------


def test_what_differs_is_the_first_line_of_everything(tmp_path: Path) -> None:
    call = (named("exp_torch", "sin_jax"), "--input", "x=[1,2]")
    start = "exp_torch and sin_jax differ: out[1] is 14.778"
    printed = explain(*call)
    assert printed.exit_code == 1
    assert printed.stdout.startswith(start)
    for suffix in ("md", "html", "ipynb"):
        path = tmp_path / f"page.{suffix}"
        done = explain(*call, "--output", str(path))
        assert done.exit_code == 1
        assert done.stdout.startswith(start)
        written = path.read_text(encoding="utf-8")
        assert start in written
        title = {"md": "# exp_torch", "html": "<h1>", "ipynb": "# exp_torch"}[suffix]
        assert 0 < written.index(start) < written.index(title)
    markdown = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert markdown.startswith("**exp_torch and sin_jax differ")
    told = explain(*call, "--json")
    assert told.exit_code == 1
    facts = json.loads(told.stdout)
    assert facts["same"] is False
    assert facts["answer"].startswith(start)


def test_the_answer_is_that_of_compare() -> None:
    run = FunctionRun(named("exp_torch", "sin_jax"), X)
    assert run.answer("en") == wording.answer(run.found) + "."
    assert run.answer("ja").startswith(
        "exp_torch、sin_jaxは異なる関数です。out[1]は14.7"
    )
    assert "dxも異なります。" in run.answer("ja")


def test_what_is_the_same_says_how_far_apart() -> None:
    done = explain(
        *(named("norm_torch", "norm_jax_right"), "--input", "x=[[1,2,4],[3,1,7]]"),
        *("--input", "w=[1,2,3]", "--input", "b=[0,1,0]"),
    )
    assert done.exit_code == 0, done.output
    first = " ".join(done.stdout.split("\n\n")[0].split())
    assert first.startswith("norm_torch and norm_jax_right are the same function")
    assert "at most" in first
    assert "apart in float32" in first
    assert page("part", "own_rule").answer.endswith("bit for bit.")
    japanese = page("exp_torch", "exp_jax", lang="ja").answer
    assert japanese.startswith("exp_torch、exp_jaxは同じ関数です。")


def test_one_alone_is_compared_with_nothing() -> None:
    found = page("exp_torch")
    assert found.answer == ""
    assert found.same
    assert [s.name for s in found.sections] == ["graph", "torch", "aligned"]
    assert "same" not in found.facts()


# --- What stands together ---------------------------------------------------------------


def test_nothing_stands_together_that_differs() -> None:
    found = page("exp_torch", "sin_jax")
    assert together(found) == []
    titles = [row.title for row in table(found).rows[1:]]
    assert all("only in" in title for title in titles)
    pictures = [p.title for p in blocks(found, Picture)]
    assert pictures == [
        "Computational graph: exp_torch (PyTorch)",
        "Computational graph: sin_jax (JAX)",
    ]
    graphs = [p.graph["edges"][-1]["value"] for p in blocks(found, Picture)]
    np.testing.assert_allclose(graphs[0], 2 * np.exp(X["x"]), rtol=1e-6)
    np.testing.assert_allclose(graphs[1], 3 * np.sin(X["x"]), rtol=1e-6)


def test_a_difference_of_a_billionth_is_not_shown_as_the_same() -> None:
    found = page("exp_torch", "a_little_more")
    assert not found.same
    rows = together(found)
    assert "aten::exp" in said_in(rows, "exp_torch")
    assert "aten::mul(r1, 2" not in said_in(rows, "exp_torch")


def test_what_only_runs_at_the_same_time_does_not_stand_together() -> None:
    found = page("parted", "parted_too")
    shared = said_in(together(found), "parted_too")
    assert "aten::mul(x, 5)" in shared
    assert "sin" not in shared
    assert "exp" not in said_in(together(found), "parted")


def test_another_order_of_the_elements_is_another_value() -> None:
    found = page("exp_torch", "backwards")
    shared = said_in(together(found), "backwards")
    assert "aten::exp" in shared
    assert "flip" not in shared


def test_a_fused_step_stands_with_others_only_as_a_whole() -> None:
    found = page("norm_torch", "norm_jax", given=NORM)
    assert "native_layer_norm" not in said_in(together(found), "torch")
    found = page("norm_torch", "norm_jax_right", given=NORM)
    forward = [row for row in together(found) if row.phase == "forward"]
    assert "aten::native_layer_norm" in said_in(forward, "torch")
    assert "sqrt" in said_in(forward, "jax")


def test_the_same_in_another_way() -> None:
    found = page("exp_torch", "exp_jax")
    rows = together(found)
    assert any(
        "exp(x)" in said_in([r], "torch")
        for r in rows
        if "exp x" in said_in([r], "jax")
    )
    assert said_in(rows, "torch").count("aten::") == 4


def test_every_step_stands_somewhere_once() -> None:
    for names in (("norm_by_hand", "norm_torch", "norm_jax"), ("parted", "parted_too")):
        run = FunctionRun(named(*names), NORM if "norm" in names[0] else X)
        rows = table(build(run, "en")).rows
        for part in run.parts:
            stands = [code for row in rows for code in row.does.get(part.key, ())]
            ran = [part.code(step) for step in part.recording.executed]
            assert sorted(stands) == sorted(ran)
            for phase in PHASES:
                own = [r for r in rows if r.phase == phase]
                ran = [step["code"] for step in part.steps(phase)]
                assert sorted(said_in(own, part.key)) == sorted(" ".join(ran))


def test_the_first_step_that_differs_is_told() -> None:
    found = page("exp_torch", "sin_jax")
    grid = next(g for g in blocks(found, Grid) if g.title == "Where the two part")
    first = [row for row in grid.rows if row[4] == "the first that differs"]
    assert [row[2] for row in first] == ["r1 = aten::exp(x)", "a:f32[2] = sin x"]
    assert all(row[3].startswith("mine.py:") for row in first)


def test_a_known_mistake_is_told_by_name() -> None:
    found = page("norm_torch", "norm_jax", given=NORM)
    told = " ".join(prose.markdown for prose in blocks(found, Prose))
    assert "eps is 1e-05" in told


def test_who_is_wrong_is_told_where_it_can_be() -> None:
    found = page("exp_torch", "half_of_it")
    assert "dx[0] is" in found.answer
    told = " ".join(prose.markdown for prose in blocks(found, Prose))
    assert r"Who is wrong: dx of half\_of\_it is not the derivative" in told


# --- The user's run ---------------------------------------------------------------------


def test_what_is_written_is_the_users_run_in_one_set_of_letters() -> None:
    given = {"x": np.array([1.0, 2.0, 3.0]), "t": np.array([1, 0, 2])}
    found = page("mean_where", given=given)
    listed = {
        row[1] for grid in blocks(found, Grid) if grid.code == (1,) for row in grid.rows
    }
    rows = table(found).rows
    for key in ("torch", "jax"):
        codes = [code for row in rows for code in row.does.get(key, ())]
        assert codes
        assert {*codes} <= listed
    assert not any("f64" in code or "i64" in code for code in listed)
    assert all(len(row.does) == 2 for row in rows[1:])


def test_a_letter_that_an_input_has_is_no_other_values() -> None:
    run = FunctionRun(named("norm_jax"), NORM)
    names = [*run.parts[0].names.values()]
    assert len({*names}) == len(names)
    assert {"x", "w", "b", "dout", "out", "dx", "dw", "db"} <= {*names}


def test_negative_constants_are_written_as_they_are() -> None:
    for name, formula in (
        ("half_less", "−0.5 − v1"),
        ("half_less_jax", "−0.5 − v1"),
        ("minus_two_over", "−2 ÷ v1"),
    ):
        (picture,) = blocks(page(name), Picture)
        told = " ".join(step.text for step in sentences(picture.graph, "en"))
        assert f": {formula}:" in told


def test_nan_is_the_same_as_nan_and_warns_nobody() -> None:
    found = page("root_torch", "root_jax", given={"x": np.array([-1.0, 9.0])})
    assert found.same
    assert together(found)


# --- What is taken ----------------------------------------------------------------------


def test_two_of_one_framework_are_both_there_by_name() -> None:
    found = page("exp_torch", "sin_torch")
    assert table(found).names == ["exp_torch", "sin_torch"]
    assert [*table(found).labels.values()] == [
        "exp_torch (PyTorch)",
        "sin_torch (PyTorch)",
    ]
    assert [*found.facts()["implementations"]] == ["exp_torch", "sin_torch"]
    titles = [section.title for section in found.sections]
    assert titles[2:4] == ["exp_torch (PyTorch)", "sin_torch (PyTorch)"]


def test_one_that_fits_both_frameworks_is_shown_in_both() -> None:
    given = {"x": np.array([1.0, -2.0]), "y": np.array([4.0, 0.5])}
    for order in (given, dict(reversed(given.items()))):
        found = page("either", given=order)
        assert table(found).names == ["torch", "jax"]
        for seen in found.facts()["implementations"].values():
            right = given["y"] + 1 / given["y"]
            np.testing.assert_allclose(seen["gradients"]["dx"], right, rtol=1e-6)
        kept = {saved["name"] for saved in table(found).rows[0].keeps["jax"]}
        assert kept == {"x", "y"}
    assert found.same
    differing = page("spread")
    assert not differing.same
    assert differing.answer.startswith("spread (PyTorch) and spread (JAX) differ")


def test_numpy_by_hand_is_taken() -> None:
    found = page("norm_by_hand", "norm_torch", given=NORM)
    assert found.same
    assert table(found).names == ["numpy", "torch"]
    rows = table(found).rows
    assert [*rows[1].does] == ["numpy"]
    assert rows[1].does["numpy"][0] == "v1 = add.reduce(x, axis=-1, keepdims=True)"
    assert "aten::native_layer_norm" in said_in(together(found), "torch")
    alone = page("product", given={"x": X["x"], "y": X["x"]})
    (picture,) = blocks(alone, Picture)
    assert [node["op"] for node in picture.graph["nodes"]] == ["×"]
    assert {step.kind for step in sentences(picture.graph, "en")} == {"forward"}
    facts = alone.facts()["implementations"]["numpy"]
    np.testing.assert_array_equal(facts["gradients"]["dx"], [1, 2])


@pytest.mark.parametrize("wanted", ["float32", "float64"])
def test_functions_that_hold_arrays_are_taken(wanted: str) -> None:
    given = {"x": np.array([[1.0, 2.0]])}
    names = named("with_32", "with_64", "with_jax")
    found = build(FunctionRun(names, given, wanted), "en")
    assert found.same
    for seen in found.facts()["implementations"].values():
        assert seen["out"].dtype == wanted
    told = " ".join(prose.markdown for prose in blocks(found, Prose))
    assert "Not shown" not in told


@pytest.mark.parametrize(
    "name",
    ["module", "part", "jitted", "called", "own_rule", "needs_name", "in_place"],
)
def test_whatever_can_be_called_is_taken(name: str) -> None:
    found = page(name, given={"x": np.array([[1.0, -2.0]])})
    assert found.same
    told = " ".join(prose.markdown for prose in blocks(found, Prose))
    assert "Not shown" not in told
    assert table(found).rows[1:]


def test_integers_and_booleans_stay_what_they_are() -> None:
    weights = "[[1,2],[3,4],[5,6]]"
    done = explain(
        *(named("embed"), "--input", f"W={weights}", "--input", "which=[0,2,2]"),
        "--json",
    )
    assert done.exit_code == 0, done.output
    facts = json.loads(done.stdout)
    assert facts["inputs"]["which"] == [0, 2, 2]
    (seen,) = facts["implementations"].values()
    assert seen["gradients"] == {"dW": [[1, 1], [0, 0], [2, 2]]}
    done = explain(
        *(named("masked"), "--input", "x=[1,2]", "--input", "mask=[true,false]"),
        "--json",
    )
    (seen,) = json.loads(done.stdout)["implementations"].values()
    assert (seen["out"], seen["gradients"]) == (1.0, {"dx": [1.0, 0.0]})


def test_nested_inputs_and_several_outputs() -> None:
    given = {"p": {"a": X["x"], "b": X["x"] + 1}}
    found = page("two", given=given)
    names = found.sections[0].blocks[0].graph["edges"]  # type: ignore[union-attr]
    assert [edge["name"] for edge in names][:2] == ["p.a", "p.b"]
    seen = found.facts()["implementations"]["torch"]
    assert [*seen["out"]] == ["out.sum", "out.product"]
    assert any("out.sum" in prose.markdown for prose in blocks(found, Prose))
    cells = nbformat.reads(as_notebook.render(found), 4).cells
    literal = "\"p\": {'a': np.array([1.0, 2.0], np.float32)"
    assert any(literal in cell.source for cell in cells)


def test_examples_beside_the_function_are_inputs() -> None:
    done = explain(named("exp_torch", "exp_jax"))
    assert done.exit_code == 0, done.output


def test_numbers_are_drawn_of_shapes() -> None:
    done = explain(named("exp_torch"), "--shape", "x=2,3", "--json")
    assert np.shape(json.loads(done.stdout)["inputs"]["x"]) == (2, 3)
    for topic, shapes in {
        "relu": ["x=3,4"],
        "softmax_with_loss": ["x=2,3", "t=2:int<3"],
    }.items():
        options = [part for shape in shapes for part in ("--shape", shape)]
        done = explain(topic, *options, "--json")
        assert done.exit_code == 0, done.output
    done = explain("relu", "--shape", "x=3", "--input", "x=[1]")
    assert "given by --shape too" in str(done.exception)


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_outputs_that_are_not_as_many_are_told(lang: str) -> None:
    done = explain(named("one_out", "two_out"), "--input", "x=1", "--lang", lang)
    assert done.exit_code == 1, done.output
    first = " ".join(done.stdout.split("\n\n")[0].split())
    assert "two_out" in first
    assert "out[0]" in first


def test_what_raises_is_refused_in_a_sentence() -> None:
    done = explain(named("crash", "exp_torch"), "--input", "x=1")
    assert done.exception is not None
    assert application.is_refusal(done.exception)
    assert "somebody's own trouble (mine.py, line" in str(done.exception)


# --- How it is written ------------------------------------------------------------------


def test_names_are_only_text() -> None:
    found = page("exp_torch", "sin_torch", lang="ja")
    evil = "<img src=x onerror=alert(1)>"
    hostile = Page(**{**vars(found), "answer": evil, "title": evil})
    links = dict.fromkeys(("index", "other", "notebook", "report"), "")
    assert "<img" not in as_html.render(hostile, links, "made")
    assert "<img" not in as_markdown.render(hostile).splitlines()[0].replace("\\<", "")


def test_a_picture_for_each_function_lies_beside_a_markdown_page(
    tmp_path: Path,
) -> None:
    publishing.save(page("exp_torch", "sin_torch"), "md", tmp_path / "page.md", "")
    pictures = sorted(path.name for path in tmp_path.glob("*.svg"))
    assert pictures == ["page-own-2.svg", "page-own.svg"]


def test_the_notebook_of_two_says_it_first() -> None:
    cells = nbformat.reads(as_notebook.render(page("exp_torch", "sin_torch")), 4).cells
    assert cells[0].source.startswith("**exp_torch and sin_torch differ")
    ids = [cell["id"] for cell in cells if cell.cell_type == "code"]
    for place in ("agree-1", "graph-1", "function-1-1", "function-2-1", "aligned-1"):
        assert place in ids
    for cell in cells:
        if cell.cell_type == "code" and "%pip" not in cell.source:
            compile(cell.source, "cell", "exec")
