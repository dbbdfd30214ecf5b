"""The notebooks run, give the reference's numbers, and know right answers from wrong ones.

They are executed as Jupyter does it, in a kernel of their own, one after another. What
must be seen in them is asked by cells that a test adds at the end.
"""

import ast
import inspect
import json
import os
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest.mock import patch

import nbformat
import numpy as np
import pytest
from IPython.core.inputtransformer2 import TransformerManager
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient
from nbformat import v4
from threadpoolctl import threadpool_limits

from gradparity.parity_tests.checking import values
from gradparity.parity_tests.mutants import MUTANTS, Mutant
from gradparity.parity_tests.suite.reports.test_cli import without
from gradparity.reference.datasets import load
from gradparity.reports.explain import as_notebook, checks, making
from gradparity.reports.explain.blocks import Exercise, Page, Picture
from gradparity.reports.explain.observing import ROOMS
from gradparity.reports.explain.topics import TOPICS
from gradparity.reports.explain.wording import LANGUAGES, ui

QUIET = {"OPENBLAS_NUM_THREADS": "1"}  # the engine has threads of its own
TELL = """
import json
print(json.dumps({
    name: {key: np.asarray(value).tolist() for key, value in found.items()}
    for name, found in {" ".join(k): v for k, v in results.items()}.items()
}))
"""


class Kernel:
    """A Jupyter kernel that runs notebooks, each with nothing left of the one before."""

    def __init__(self, folder: Path, **environment: str) -> None:
        home = {"IPYTHONDIR": str(folder / "ipython"), "HOME": str(folder)}
        self.manager = KernelManager(
            kernel_name="python3",
            transport="ipc",  # files, since nobody else is to listen
            connection_file=str(folder / "kernel.json"),
        )
        self.manager.start_kernel(
            cwd=str(folder), env={**os.environ, **home, **QUIET, **environment}
        )
        self.client = NotebookClient(v4.new_notebook(), km=self.manager, timeout=300)

    def run(self, notebook: Any, *more: str) -> list[str]:
        """What the cells of a notebook, and then more code, have written."""
        cells = [v4.new_code_cell(source) for source in more]
        self.client.nb = v4.new_notebook(cells=[*notebook.cells, *cells])
        self.client.execute()
        texts = [written(cell) for cell in self.client.nb.cells]
        self.client.nb = v4.new_notebook(cells=[v4.new_code_cell("%reset -f")])
        self.client.execute()
        return texts

    def stop(self) -> None:
        if self.client.kc is not None:  # it has run something
            self.client.kc.stop_channels()
        self.manager.shutdown_kernel(now=True)
        self.manager.context.destroy()


LONGEST = "two_layer_net"  # a quarter of the time of all


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(name, marks=pytest.mark.deep) if name == LONGEST else name
        for name in TOPICS
    ],
)
def topic(request: pytest.FixtureRequest) -> str:
    """The tests of a topic stand together, for they share its run."""
    return str(request.param)


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    found = Kernel(tmp_path_factory.mktemp("k"))
    yield found
    found.stop()


def written(cell: Any) -> str:
    """What a cell has shown, pictures by their kind."""
    outputs = cell.get("outputs", [])
    return "".join(
        o["text"] if o["output_type"] == "stream" else " ".join(o.get("data", ()))
        for o in outputs
    )


@cache
def run(topic: str) -> Callable[[str], Page]:
    for name, room in ROOMS.items():
        pytest.importorskip(name)
        # Here and not in the threads of a run: the checking of shapes parses what is
        # imported, and Python 3.11 may stumble where two threads parse (gh-106905).
        for module in ("hood", "layers", "networks", "training"):
            import_module(f"gradparity.{room}.{module}")
    data = load("digits") if topic == "training" else None
    with threadpool_limits(1, "blas"), patch.object(values, "Run", Unchecked):
        return making.run(topic, {}, "float32", data)


class Unchecked:
    """In the place of a `checking.Run`, whose rows a notebook computes itself."""

    def __init__(self, *arguments: Any) -> None: ...

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def divergences(self) -> list[Any]:
        return []


@cache
def page(topic: str, lang: str) -> Page:
    return run(topic)(lang)


def notebook(topic: str, lang: str) -> Any:
    return nbformat.reads(as_notebook.render(page(topic, lang)), 4)


def code(found: Any) -> dict[str, str]:
    """The source of the code cells, by id."""
    return {c["id"]: c["source"] for c in found.cells if c["cell_type"] == "code"}


def exercises(found: Page) -> list[Exercise]:
    return list(as_notebook.exercises(found))


def statements(source: str) -> str:
    """A cell without its comments."""
    return ast.dump(ast.parse(TransformerManager().transform_cell(source)))


def test_is_valid_and_the_same_in_both_languages_but_for_words(topic: str) -> None:
    english, japanese = (notebook(topic, lang) for lang in LANGUAGES)
    for found in (english, japanese):
        nbformat.validate(found)
        assert found.metadata.kernelspec.name == "python3"
        assert not any(cell.get("outputs") for cell in found.cells)
        assert not any(cell.get("execution_count") for cell in found.cells)
    assert [c["id"] for c in english.cells] == [c["id"] for c in japanese.cells]
    here, there = code(english), code(japanese)
    assert here.keys() == there.keys()
    for name, source in here.items():
        same = source.replace('LANG = "en"', 'LANG = "ja"')
        assert statements(same) == statements(there[name]), name
    assert comments(english)
    assert not any(map(is_japanese, comments(english)))
    assert all(map(is_japanese, comments(japanese)))


def comments(found: Any) -> list[str]:
    """What stands behind # in the code."""
    lines = "\n".join(code(found).values()).splitlines()
    return [line.partition("# ")[2] for line in lines if "# " in line]


def is_japanese(text: str) -> bool:
    return any("぀" <= character <= "鿿" for character in text)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_has_the_words_of_the_page_and_no_answers_in_sight(
    topic: str, lang: str
) -> None:
    found = page(topic, lang)
    cells = notebook(topic, lang).cells
    prose = "\n\n".join(c["source"] for c in cells if c["cell_type"] == "markdown")
    assert prose.startswith(f"# {found.title}\n\n{found.summary}")
    for section in found.sections:
        assert f"\n\n## {section.title}" in prose
        if section.name != "try":
            (first, *_) = as_notebook.written(section.blocks[:1], found)
            assert first in prose
    questions = {q.name: q for q in checks.questions(topic)}
    sources = code(notebook(topic, lang))
    for number, exercise in enumerate(exercises(found), 1):
        asked = questions[exercise.name]
        check = sources[f"try-{number}-2"]
        assert exercise.kind in check
        if exercise.kind == "predict":
            assert f"{exercise.answer}" not in check
            assert asked.answer == "batch_size" or asked.answer not in check
        for mutant in MUTANTS:
            if mutant.name == asked.mistake:
                assert mutant.definition.__name__ not in "\n".join(sources.values())


def answers(found: Page, cells: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Code that answers an exercise, and what its check must say to it."""
    said = ui(found.lang)
    for number, exercise in enumerate(exercises(found), 1):
        check = cells[f"try-{number}-2"]
        if exercise.kind == "predict":
            assert exercise.answer is not None
            yield f"answer = {exercise.answer * 1.001}\n{check}", said["right"]
            yield f"answer = {exercise.answer * 1.1 + 0.1}\n{check}", said["not_right"]
            yield f"answer = 'many'\n{check}", said["not_a_number"]
        elif exercise.kind == "choose":
            for letter, choice in zip("abcdefgh", exercise.choices, strict=False):
                expected = said["right" if choice.right else "not_right"]
                yield f"answer = '{letter}'\n{check}", expected
        else:
            layer = as_notebook.exercise(exercise, found)["layer"]
            place = "networks" if layer == "TwoLayerNet" else "layers"
            start = (
                f"from gradparity.reference.{place} import {layer}\n"
                f"class My{layer}({layer}):"
            )
            yield f"{start}\n    pass\n\n{check}", said["right"]
            yield f"{start}\n    forward = trace = None\n\n{check}", "raised TypeError"


def test_runs_with_the_numbers_of_the_reference_and_checks_answers(
    topic: str, kernel: Kernel
) -> None:
    execute(topic, "en", kernel)


def test_runs_in_japanese(kernel: Kernel) -> None:
    execute("relu", "ja", kernel)


def execute(topic: str, lang: str, kernel: Kernel) -> None:
    """Run a notebook, and answer its exercises in all ways."""
    found = page(topic, lang)
    cells = notebook(topic, lang)
    sources = code(cells)
    asked = list(answers(found, sources))
    tell = "print(losses)" if topic == "training" else TELL
    texts = kernel.run(cells, tell, *(source for source, _ in asked))
    by_id = {c["id"]: text for c, text in zip(cells.cells, texts, strict=False)}

    told, *replies = texts[len(cells.cells) :]
    for (source, expected), reply in zip(asked, replies, strict=True):
        assert expected in reply, source
        last = reply.strip().splitlines()[-1]
        assert (last == ui(lang)["right"]) == (expected == ui(lang)["right"]), source

    for number, exercise in enumerate(exercises(found), 1):
        first = by_id[f"try-{number}-2"]
        if exercise.kind == "repair":
            wrong = as_notebook.exercise(exercise, found)
            said = checks.says(lang)["first_wrong"].partition("{quantity}")[0]
            assert said.format(not_right=ui(lang)["not_right"]) in first, wrong
        else:
            assert not first
    pictures = [
        block
        for section in found.sections
        for block in section.blocks
        if isinstance(block, Picture)
    ]
    assert " ".join(by_id.values()).count("text/html") == (len(pictures) or 1)
    assert "FAIL" not in by_id["agree-2"]

    if topic == "training":
        steps = [row.split() for row in by_id["aligned-1"].splitlines()[2:]]
        assert len(steps) == len(found.facts()["steps"])
        for row, step in zip(steps, found.facts()["steps"], strict=True):
            np.testing.assert_allclose(
                [float(loss) for loss in row[1:]], step["loss"], rtol=1e-6
            )
            assert len(row) == 4
        assert ui(lang)["training"]["agreed"] in by_id["agree-2"]
    else:
        results = json.loads(told)
        assert len(results) == 3 * len(found.facts()["examples"])
        for example in found.facts()["examples"]:
            seen = example["implementations"]["reference"]
            right = {"out": seen["out"], **seen["gradients"]}
            for library in ("NumPy", "PyTorch", "JAX"):
                gives = results[f"{example['name']} {library}"]
                assert gives.keys() == right.keys()
                for name, value in gives.items():
                    close = 0 if library == "NumPy" else 1e-6
                    np.testing.assert_allclose(
                        np.float32(value), right[name], rtol=close, atol=close
                    )


def attributes(source: str) -> set[str]:
    """The names behind a dot, which Python lists with the global ones."""
    tree = ast.walk(ast.parse(source))
    return {node.attr for node in tree if isinstance(node, ast.Attribute)}


BROKEN = [
    mutant
    for mutant in MUTANTS
    if mutant.implementation == "reference"
    and mutant.scope != "training"
    and isinstance(mutant.definition, type)
]


@pytest.mark.parametrize("mutant", BROKEN, ids=[mutant.name for mutant in BROKEN])
def test_any_mutant_can_be_put_before_a_reader(mutant: Mutant) -> None:
    found = as_notebook.broken(mutant)
    namespace: dict[str, Any] = {}
    exec(found["source"], namespace)
    assert found["layer"] == mutant.layer
    right, wrong = mutant.definition, namespace[found["definition"]]
    assert wrong.__mro__[1:] == right.__mro__[1:]
    unknown = {
        name
        for method in vars(wrong).values()
        if inspect.isfunction(method)
        for name in inspect.getclosurevars(method).unbound
    }
    assert not unknown - attributes(found["source"])
    imports = [n for n in found["source"].splitlines() if "import " in n]
    assert imports == sorted(imports, key=lambda line: (line.split()[1], line))


def test_says_so_where_a_framework_is_missing_and_installs_only_then(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("m")
    kernel = Kernel(folder, PYTHONPATH=without(folder, "torch", "jax"))
    cells = notebook("relu", "en")
    sources = code(cells)
    hidden = """
import importlib.util
find = importlib.util.find_spec
importlib.util.find_spec = lambda name: None if name == "gradparity" else find(name)
get_ipython().register_magic_function(lambda line: print("pip", line), "line", "pip")
"""
    try:
        texts = kernel.run(cells, hidden, sources["setup-1"])
    finally:
        kernel.stop()
    by_id = {c["id"]: text for c, text in zip(cells.cells, texts, strict=False)}
    assert not by_id["setup-1"]
    assert "no torch here" in by_id["torch-1"]
    assert "no jax here" in by_id["jax-1"]
    assert not by_id["torch-2"] + by_id["jax-2"]
    assert by_id["agree-1"] == "relu, NumPy: out, dx ✓\n"
    assert "missing" in by_id["agree-2"]
    assert texts[-1] == "pip install --quiet gradparity-*.whl\n"


def test_other_inputs_and_float64_are_the_numbers_of_the_notebook() -> None:
    x = np.array([[0.1, np.inf], [-np.inf, 1e-30]])
    found = making.given(TOPICS["relu"], {"x": x}, "float64")
    told = as_notebook.example(
        {
            "name": "relu",
            "inputs": found[0][1],
            "dout": found[0][2],
            "implementations": {"reference": {"graph": {"nodes": [0]}}},
        },
        Page("relu", "en", "", "", [], lambda: {"examples": [0]}),
    )
    assert told["inputs"]["x"] == (
        "np.array([[0.1, np.inf], [-np.inf, 1e-30]], np.float64)"
    )
    again = eval(told["inputs"]["x"], {"np": np})
    np.testing.assert_array_equal(again, x, strict=True)
    assert as_notebook.literal(np.array(1.1, "float32")) == "np.float32(1.1)"


def test_a_function_of_ones_own(
    kernel: Kernel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.py").write_text("def cube(x):\n    return x * x * x\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    x = np.array([1.0, 2.0], "float32")
    cells = nbformat.reads(
        as_notebook.render(making.run("mine:cube", {"x": x}, "float32")("en")), 4
    )
    nbformat.validate(cells)
    before = f"import os\nos.chdir({str(tmp_path)!r})"
    cells.cells.insert(0, v4.new_code_cell(before))
    texts = kernel.run(cells)
    by_id = {c["id"]: text for c, text in zip(cells.cells, texts, strict=True)}
    assert "text/html" in by_id["graph-1"]
    for name in ("torch-1", "jax-1"):
        assert "dx = [ 3. 12.]" in by_id[name]
    assert "torch" in by_id["aligned-1"]
