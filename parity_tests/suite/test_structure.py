"""The rooms of the house: who imports whom, and the parallel text."""

import ast
import inspect
import subprocess
import sys
from graphlib import TopologicalSorter
from importlib import import_module
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from gradparity.parity_tests.implementations.registry import function_name

ROOT = Path(__file__).parent.parent
ROOMS = ("reference", "torch_impl", "jax_impl", "parity_tests", "reports")
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
FAMILIES = sorted(p.stem for p in (ROOT / "reference" / "layers").glob("[a-z]*.py"))


def modules(room: str) -> list[Path]:
    """The room's own modules; the tests that stand among them look into all rooms."""
    found = sorted((ROOT / room).rglob("*.py"))
    return [p for p in found if not p.name.startswith(("test_", "conftest"))]


def imported(tree: ast.AST) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names.add(node.module or "")
    return {name.split(".")[0] for name in names}


@pytest.mark.parametrize("room", ROOMS)
def test_who_may_import_whom(room: str) -> None:
    assert modules(room)
    for path in modules(room):
        rooms = imported(ast.parse(path.read_text(encoding="utf-8"))) & set(ROOMS)
        assert rooms <= MAY_IMPORT[room], path


def test_shapes_are_checked_wherever_they_are_written(
    pytestconfig: pytest.Config,
) -> None:
    checked = str(pytestconfig.getoption("--jaxtyping-packages")).split(",")
    for room in FRAMEWORKS:
        for path in modules(room):
            text = path.read_text(encoding="utf-8")
            if "Float[" in text or "jaxtyping" in text:
                name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
                within = any(f"{name}.".startswith(f"{each}.") for each in checked)
                assert name == "gradparity.reference.arrays" or within, name


def dotted(path: Path) -> str:
    """`reference.layers.linear`, or `reference.layers` for its `__init__.py`."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(
        ".__init__"
    )


@pytest.mark.parametrize("room", FRAMEWORKS)
def test_no_modules_import_each_other_in_a_circle(room: str) -> None:
    names = {dotted(path): path for path in modules(room)}
    needs: dict[str, set[str]] = {}
    for name, path in names.items():
        needs[name] = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                inside = {f"{node.module}.{alias.name}" for alias in node.names}
                needs[name] |= inside & names.keys() or {node.module or ""}
            elif isinstance(node, ast.Import):
                needs[name] |= {alias.name for alias in node.names}
    TopologicalSorter(needs).prepare()  # raises CycleError


@pytest.mark.parametrize("room", FRAMEWORKS)
def test_an_implementation_needs_only_its_framework(room: str) -> None:
    for path in modules(room):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        top = [n for n in tree.body if isinstance(n, ast.Import | ast.ImportFrom)]
        names = imported(ast.Module([*top], [])) - set(sys.stdlib_module_names)
        assert names <= FRAMEWORKS[room] | {room}, path


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
    reference, other = (import_module(f"{r}.layers") for r in ("reference", room))
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
    pytest.importorskip(room.removesuffix("_impl"))
    package = import_module(f"{room}.layers")
    listed = [*chain(*families(package).values())]
    assert sorted(package.__all__) == sorted(listed)
    for family, names in families(package).items():
        module = import_module(f"{package.__name__}.{family}")
        own = inspect.isclass if room == "reference" else inspect.isfunction
        assert [*names] == public(module, own)


def test_rules_and_second_order_have_the_same_families() -> None:
    """Each family of the layers has its rules and its R-operator under its name."""
    from gradparity.reference import layers, second_order
    from gradparity.reference.rounding import rules

    by_hand = families(second_order)
    for family, names in families(layers).items():
        assert by_hand[family] == ["R" + name for name in names]
        module = import_module(f"{rules.__name__}.{family}").__name__
        bounded = [n for n, f in rules.RULES.items() if f.__module__ == module]
        assert bounded == names


@pytest.mark.parametrize("room", ["torch_impl", "jax_impl"])
def test_networks_and_training_are_a_parallel_text(room: str) -> None:
    pytest.importorskip(room.removesuffix("_impl"))
    reference = import_module("gradparity.reference.networks").TwoLayerNet
    expected = [
        name
        for name, value in vars(reference).items()
        if not name.startswith("_") and name != "numerical_gradient"
    ]
    networks = import_module(f"{room}.networks")
    if room == "jax_impl":
        module = import_module("gradparity.jax_impl.networks.two_layer_net")
        found = public(module, inspect.isfunction)[1:]  # after init
    else:
        found = [n for n in vars(networks.TwoLayerNet) if n in expected]
    assert found == expected
    signatures = [
        list(inspect.signature(import_module(f"{r}.training").train).parameters)
        for r in ("reference", room)
    ]
    assert signatures[0] == signatures[1]


@pytest.mark.parametrize("room", ["torch_impl", "jax_impl"])
def test_second_order_is_a_parallel_text(room: str) -> None:
    pytest.importorskip(room.removesuffix("_impl"))
    reference, other = (import_module(f"{r}.second_order") for r in ("reference", room))
    functions = ["jvp", "hvp", "loss_jvp", "loss_hvp"]
    assert reference.__all__[:4] == other.__all__ == functions
    for name in functions:
        signatures = [inspect.signature(getattr(m, name)) for m in (reference, other)]
        assert [*signatures[0].parameters] == [*signatures[1].parameters]


@pytest.mark.parametrize("room", ["torch_impl", "jax_impl"])
def test_hoods_are_a_parallel_text(room: str) -> None:
    pytest.importorskip(room.removesuffix("_impl"))
    reference, other = (import_module(f"{r}.hood") for r in ("reference", room))
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
        "import sys; from gradparity.reports.cli import main\n"
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
