"""What is installed: a wheel, in an environment that has only what it asks for."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

import gradparity
from gradparity.parity_tests.suite.structure import ROOMS
from gradparity.parity_tests.suite.support import ROOT
from gradparity.reference.layers import Relu
from gradparity.reports.results import Results

EXTRAS = ("torch", "jax", "report")
# The environment has the packages of this one, but not what the extras bring.
WITHOUT = """
import sys
from importlib.machinery import PathFinder

class Without(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name.partition(".")[0] not in {names}:
            return super().find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = Without
"""


def brought_by_extras() -> list[str]:
    """What is imported of the distributions that the extras ask for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = {
        re.split("[<>=!]", requirement)[0]
        for extra in EXTRAS
        for requirement in project["optional-dependencies"][extra]
    }
    modules = packages_distributions()
    return sorted(m for m in modules if wanted & {*map(str.lower, modules[m])})


def run(
    *command: Any, cwd: Path, status: int = 0
) -> "subprocess.CompletedProcess[str]":
    done = subprocess.run(
        [*map(str, command)],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy: what a build leaves behind would be in the next wheel."""
    source, built = (tmp_path_factory.mktemp(name) for name in ("source", "built"))
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for room in ROOMS:
        nothing_compiled = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / room, source / room, ignore=nothing_compiled)
    options = "--no-deps", "--no-build-isolation", "--wheel-dir", built
    run(sys.executable, "-m", "pip", "wheel", *options, source, cwd=built)
    (found,) = built.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def scripts(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the commands lie of an environment with the wheel and without the extras."""
    place = tmp_path_factory.mktemp("environment")
    venv.create(place, symlinks=sys.platform != "win32")
    paths = sysconfig.get_paths("venv", {"base": str(place), "platbase": str(place)})
    scripts, packages = Path(paths["scripts"]), Path(paths["purelib"])
    around = {sysconfig.get_path(kind) for kind in ("purelib", "platlib")}
    # Of a folder that a .pth file names, no .pth files are read: not of the checkout.
    (packages / "around.pth").write_text("\n".join(sorted(around)), encoding="utf-8")
    without = WITHOUT.format(names=brought_by_extras())
    (packages / "sitecustomize.py").write_text(without, encoding="utf-8")
    pip = sys.executable, "-m", "pip", "--python", scripts / "python"
    run(*pip, "install", "--no-deps", "--no-index", wheel, cwd=place)
    return scripts


def test_the_wheel_holds_what_is_needed_and_no_more(wheel: Path) -> None:
    names = [Path(name) for name in ZipFile(wheel).namelist()]
    for name in names:
        assert not {"suite", "submissions", "published"} & set(name.parts), name
        assert not name.name.startswith(("test_", "conftest")), name
    held = {name.as_posix() for name in names}
    data = "reports/templates", "reports/explain/words"
    for folder in (*data, "parity_tests/grading/handed_out/common"):
        files = [path for path in (ROOT / folder).iterdir() if path.is_file()]
        wanted = [f"gradparity/{folder}/{path.name}" for path in files]
        assert wanted
        assert {*wanted} <= held
    for file in ("measuring/elementary.json", "grading/book.json"):
        assert f"gradparity/parity_tests/{file}" in held
    assert "gradparity/py.typed" in held


def test_what_is_installed_runs_without_any_extra(
    scripts: Path, tmp_path: Path
) -> None:
    lacking = brought_by_extras()
    assert {"torch", "jax", "optax", "matplotlib", "jinja2"} <= {*lacking}
    options = "AddLayer", "--implementations", "reference"
    done = run(scripts / "gradparity", "check", *options, cwd=tmp_path)
    assert "AddLayer" in done.stdout
    where = "import gradparity; print(gradparity.__file__)"
    found = run(scripts / "python", "-c", where, cwd=tmp_path).stdout
    assert found.startswith(str(scripts.parent))
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("command", ["report", "explain relu"])
def test_a_command_says_which_extra_it_lacks(
    command: str, scripts: Path, tmp_path: Path
) -> None:
    done = run(scripts / "gradparity", *command.split(), cwd=tmp_path, status=2)
    assert done.stderr == (
        f"gradparity: gradparity {command.split()[0]} needs matplotlib, jinja2, "
        "markdown_it, latex2mathml, nbformat, not installed here: "
        "pip install 'gradparity[report]'\n"
    )


# --- The face -------------------------------------------------------------------------


@pytest.mark.usefixtures("without_shape_checks")
def test_the_face_checks() -> None:
    found = gradparity.check(["AddLayer"], ["float64"], ["reference"])
    assert {(c.layer, c.dtype, c.implementation) for c in found} == {
        ("AddLayer", "float64", "reference")
    }
    assert {str(c.verdict) for c in found} <= {"identical", "within bound"}
    with pytest.raises(ValueError, match="unknown layer 'Rleu'"):
        gradparity.check(["Rleu"])


@pytest.mark.usefixtures("without_shape_checks")
def test_one_name_is_a_list_of_one() -> None:
    found = gradparity.check("AddLayer", "float64", "reference")
    assert found == gradparity.check(["AddLayer"], ["float64"], ["reference"])
    with pytest.raises(ValueError, match="unknown layer 'Rleu'"):
        gradparity.check("Rleu")
    gradparity.assert_parity(Relu, "Relu", dtypes="float64")
    with pytest.raises(ValueError, match="unknown dtype 'float16'"):
        gradparity.assert_parity(Relu, "Relu", dtypes="float16")


def test_no_name_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one layer of AddLayer, MulLayer"):
        gradparity.check([])
    with pytest.raises(ValueError, match="at least one dtype of float64, float32"):
        gradparity.check(dtypes=[])
    with pytest.raises(ValueError, match="at least one dtype of float64, float32"):
        gradparity.assert_parity(Relu, "Relu", dtypes=[])
    with pytest.raises(ValueError, match="unknown implementation '': expected ref"):
        gradparity.check(implementations=[])


def test_the_face_compares(tmp_path: Path) -> None:
    published = ROOT / "reports" / "published"
    found = gradparity.compare(published, Results.read(published))
    assert "verdicts" in found
    assert not any(found.values())


def test_the_face_grades() -> None:
    lecture = ROOT / "parity_tests" / "submissions" / "lecture"
    assert gradparity.grade(lecture).status == "pass"
    nowhere = gradparity.grade("nowhere.py")
    assert nowhere.status == "unloadable"
    assert "nowhere.py" in str(nowhere.problem)


def test_the_face_has_no_more_than_it_offers() -> None:
    assert dir(gradparity) == sorted(gradparity.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'graed'"):
        gradparity.graed  # noqa: B018
