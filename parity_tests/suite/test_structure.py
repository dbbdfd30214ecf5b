"""The rooms of the house: who imports whom, and the parallel text."""

import ast
import inspect
import subprocess
import symtable
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from graphlib import CycleError, TopologicalSorter
from importlib import import_module
from itertools import chain
from typing import Any

import pytest

from gradparity.parity_tests.implementations.contract import function_name
from gradparity.parity_tests.suite.structure import (
    PACKAGE,
    ROOMS,
    graph,
    imports,
    modules,
    name_of,
    table,
)
from gradparity.parity_tests.suite.support import ROOT

MAY_IMPORT = {
    "reference": {"reference"},
    "torch_impl": {"torch_impl"},
    "jax_impl": {"jax_impl"},
    "parity_tests": {"reference", "torch_impl", "jax_impl", "parity_tests"},
    "reports": set(ROOMS),
}
# What the implementations may import at the top of a module, beside the standard library.
FRAMEWORKS = {
    "reference": {"numpy", "jaxtyping"},
    "torch_impl": {"numpy", "jaxtyping", "torch"},
    "jax_impl": {"numpy", "jaxtyping", "jax"},
}
TOP = {
    "__init__.py",
    "conftest.py",
    "test_layers.py",
    "test_network.py",
    "test_training.py",
}
LONGEST = 600  # lines that fit in a head
FAMILIES = sorted(p.stem for p in (ROOT / "reference" / "layers").glob("[a-z]*.py"))


def top(names: Iterable[tuple[str, str]]) -> set[str]:
    """The packages that these imports are from."""
    return {module.partition(".")[0] for module, _ in names}


def test_who_may_import_whom() -> None:
    for module, others in graph().items():
        room, *rooms = (name.split(".")[1] for name in (module, *others))
        assert set(rooms) <= MAY_IMPORT[room], module


def test_every_import_of_the_house_has_its_one_name() -> None:
    for room in ROOMS:
        for path in (ROOT / room).rglob("*.py"):
            if "submissions" not in path.parts and "lecture" not in path.parts:
                tree = ast.parse(path.read_text(encoding="utf-8"))
                assert not top(imports(tree)) & set(ROOMS), path


def test_there_are_no_circles() -> None:
    TopologicalSorter(graph()).prepare()  # which raises CycleError


def test_a_circle_would_be_found() -> None:
    with pytest.raises(CycleError):
        TopologicalSorter({"a": {"b"}, "b": {"a"}}).prepare()
    contract = "gradparity.parity_tests.implementations.contract"
    assert contract in graph()["gradparity.parity_tests.implementations.registry"]


def test_the_table_in_contributing_is_the_one_that_is_drawn() -> None:
    assert table() in (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def test_parity_tests_keep_at_their_top_what_outsiders_run() -> None:
    assert {path.name for path in (ROOT / "parity_tests").glob("*.py")} == TOP


def test_a_module_fits_in_a_head() -> None:
    for room in ROOMS:
        for path in modules(room):
            assert len(path.read_text("utf-8").splitlines()) <= LONGEST, path


def test_modules_of_reports_need_no_other_name_where_they_are_imported() -> None:
    for path in modules("reports"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import | ast.ImportFrom):
                module = getattr(node, "module", None) or node.names[0].name
                renamed = [alias.name for alias in node.names if alias.asname]
                assert not renamed or module.split(".")[0] != PACKAGE, path


def test_no_two_modules_of_reports_share_a_name() -> None:
    # A subcommand has the name of what it does, wherever that is done.
    paths = [p for p in modules("reports") if p.parent.name != "commands"]
    names = Counter(path.stem for path in paths)
    del names["__init__"]
    assert names.most_common(1)[0][1] == 1


def test_shapes_are_checked_wherever_they_are_written(
    pytestconfig: pytest.Config,
) -> None:
    checked = str(pytestconfig.getoption("--jaxtyping-packages")).split(",")
    for room in FRAMEWORKS:
        for path in modules(room):
            name, text = name_of(path), path.read_text(encoding="utf-8")
            if "jaxtyping" in text and name != "gradparity.reference.arrays":
                assert any(f"{name}.".startswith(f"{each}.") for each in checked), name


@pytest.mark.parametrize("room", FRAMEWORKS)
def test_an_implementation_needs_only_its_framework(room: str) -> None:
    for path in modules(room):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        head = [n for n in tree.body if isinstance(n, ast.Import | ast.ImportFrom)]
        names = top(imports(ast.Module([*head], []))) - set(sys.stdlib_module_names)
        assert names <= FRAMEWORKS[room] | {"gradparity"}, path


def hidden_names(scope: symtable.SymbolTable) -> Iterator[tuple[int, str]]:
    """Line and name of every variable of a comprehension that has the name of one which
    the function around it takes from a function further out.
    """
    for inner in scope.get_children():
        if inner.get_name() in ("listcomp", "setcomp", "dictcomp"):
            names = [s.get_name() for s in inner.get_symbols() if s.is_assigned()]
            around = {s.get_name() for s in scope.get_symbols() if s.is_free()}
            yield from ((inner.get_lineno(), name) for name in names if name in around)
        yield from hidden_names(inner)


def test_no_comprehension_hides_a_variable_of_an_outer_function() -> None:
    """From Python 3.12 on the hidden one is unset while the comprehension runs, also for
    the functions and generators beside it.
    """
    for room in ROOMS:
        for path in (ROOT / room).rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            try:
                scope = symtable.symtable(text, str(path), "exec")
            except SyntaxError:  # submissions that are meant to be broken
                continue
            assert list(hidden_names(scope)) == [], path


def public(module: Any, wanted: Any) -> list[str]:
    """The names a module defines, in their order."""
    return [
        name
        for name, value in vars(module).items()
        if wanted(value)
        and value.__module__ == module.__name__
        and not name.startswith("_")
    ]


def families(package: Any) -> dict[str, list[str]]:
    """What the modules of a package that list layers offer, by the module's name."""
    every = {name: import_module(f"{package.__name__}.{name}") for name in FAMILIES}
    return {name: module.__all__ for name, module in every.items()}


@pytest.mark.parametrize("room", ["torch_impl", "jax_impl"])
def test_layers_are_a_parallel_text(room: str) -> None:
    """The same layers in the same order, whole and family by family."""
    pytest.importorskip(room.removesuffix("_impl"))
    reference, other = (
        import_module(f"gradparity.{r}.layers") for r in ("reference", room)
    )
    texts = [(reference.__all__, other.__all__)]
    texts += zip(families(reference).values(), families(other).values(), strict=True)
    for classes, functions in texts:
        fused = [name for name in functions if not name.endswith("_composed")]
        assert fused == [function_name(name) for name in classes]
        for name in set(functions) - set(fused):
            joined = name.removesuffix("_composed")
            assert functions.index(name) == functions.index(joined) + 1


@pytest.mark.parametrize("room", FRAMEWORKS)
def test_a_layer_stands_in_the_family_that_lists_it(room: str) -> None:
    pytest.importorskip(room.removesuffix("_impl").replace("reference", "numpy"))
    package = import_module(f"gradparity.{room}.layers")
    listed = [*chain(*families(package).values())]
    assert sorted(package.__all__) == sorted(listed)
    for family, names in families(package).items():
        module = import_module(f"{package.__name__}.{family}")
        own = inspect.isclass if room == "reference" else inspect.isfunction
        assert [*names] == public(module, own)


def test_rules_and_second_order_have_the_same_families() -> None:
    """Each family of the layers has its rules and its R-operators under its name. Only the
    lecture's layers, which come first, need an R-operator.
    """
    from gradparity.reference import layers, second_order
    from gradparity.reference.rounding import rules

    by_hand = families(second_order)
    lecture = {*layers.__all__[: layers.__all__.index("SoftmaxWithLoss") + 1]}
    for family, names in families(layers).items():
        has = [name for name in names if "R" + name in by_hand[family]]
        assert by_hand[family] == ["R" + name for name in has]
        assert lecture & {*names} <= {*has}
        module = import_module(f"{rules.__name__}.{family}").__name__
        bounded = [n for n, f in rules.RULES.items() if f.__module__ == module]
        assert bounded == names


@pytest.mark.parametrize("room", ["torch_impl", "jax_impl"])
def test_networks_and_training_are_a_parallel_text(room: str) -> None:
    pytest.importorskip(room.removesuffix("_impl"))
    reference = import_module("gradparity.reference.networks").Network
    expected = [
        name
        for name, value in vars(reference).items()
        if not name.startswith("_") and name != "numerical_gradient"
    ]
    networks = import_module(f"gradparity.{room}.networks")
    assert [n for n in vars(networks.Network) if n in expected] == expected
    chains = [
        [(name, function_name(kind.__name__), params) for name, kind, params in layers]
        for layers in (
            import_module(f"gradparity.{r}.networks").TWO_LAYER_NET.layers
            for r in ("reference", room)
        )
    ]
    assert chains[0] == chains[1]
    signatures = [
        list(
            inspect.signature(
                import_module(f"gradparity.{r}.training").train
            ).parameters
        )
        for r in ("reference", room)
    ]
    assert signatures[0] == signatures[1]


@pytest.mark.parametrize("room", ["torch_impl", "jax_impl"])
def test_second_order_is_a_parallel_text(room: str) -> None:
    pytest.importorskip(room.removesuffix("_impl"))
    reference, other = (
        import_module(f"gradparity.{r}.second_order") for r in ("reference", room)
    )
    functions = ["jvp", "hvp", "loss_jvp", "loss_hvp"]
    assert reference.__all__[:4] == other.__all__ == functions
    for name in functions:
        signatures = [inspect.signature(getattr(m, name)) for m in (reference, other)]
        assert [*signatures[0].parameters] == [*signatures[1].parameters]


@pytest.mark.parametrize("room", ["torch_impl", "jax_impl"])
def test_hoods_are_a_parallel_text(room: str) -> None:
    pytest.importorskip(room.removesuffix("_impl"))
    reference, other = (
        import_module(f"gradparity.{r}.hood") for r in ("reference", room)
    )
    same = ["graph", "steps", "remembered"]
    for name in same:
        signatures = [
            [*inspect.signature(getattr(m, name)).parameters][1:]
            for m in (reference, other)
        ]
        assert signatures[0] == signatures[1]
    for module in (reference, other):
        assert module.__all__[: len(same)] == same
    for name in same:
        places = [
            getattr(m, name).__module__.rpartition(".")[2] for m in (reference, other)
        ]
        assert places[0] == places[1]


def test_help_imports_no_framework() -> None:
    heavy = "{'torch', 'jax', 'matplotlib', 'sklearn', 'numpy'}"
    code = (
        "import sys; from gradparity.__main__ import main\n"
        "sys.argv = ['gradparity', '--help']\n"
        "try: main()\n"
        f"finally: sys.stderr.write(str(sorted({heavy} & set(sys.modules))))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert "Usage: gradparity" in done.stdout
    assert done.stderr == "[]"


def test_no_module_mentions_a_place_on_somebodys_machine() -> None:
    for room in ROOMS:
        for path in (ROOT / room).rglob("*.*"):
            if path.suffix in {".py", ".md", ".json", ".j2", ".css", ".js"}:
                text = path.read_text(encoding="utf-8")
                homes = [f"/{top}/" for top in ("home", "root", "work", "Users")]
                assert not any(f'"{home}' in text for home in homes), path
