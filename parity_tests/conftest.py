"""Options and fixtures of the pytest suite.

`--implementations` and `--dtype` choose what is compared, as for `gradparity check`;
somebody's own are asked for numbers, and not for refusals of bad input. `--xfails-file`
names the tests that they are expected to fail.
Nothing of the implementations is imported here: the run-time checking of shapes is
installed after this file is read, and only reaches what is imported later.
"""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jaxtyping
import pytest
from hypothesis import HealthCheck, settings

from gradparity.parity_tests import DTYPES
from gradparity.parity_tests.processes.settings import threads

# Of processes that test side by side, none has more threads than its share of processors:
# more of them wait for each other, and a half of the time goes into that.
if side_by_side := int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "0")):
    share = max((os.cpu_count() or 1) // side_by_side, 1)
    for name, value in threads(share).items():
        os.environ.setdefault(name, value)

# Always the same examples; and by `make test-deep`, others each time, and more of them.
settings.register_profile(
    "normal",
    max_examples=40,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.register_profile(
    "deep", settings.get_profile("normal"), max_examples=10_000, derandomize=False
)
settings.load_profile("normal")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("gradparity")
    group.addoption(
        "--implementations",
        default="all",
        help="names, package.module, path/to/file.py; or all",
    )
    group.addoption("--dtype", default=",".join(DTYPES), help=", ".join(DTYPES))
    group.addoption(
        "--xfails-file",
        metavar="FILE",
        help="tests that are expected to fail: a node id a line, all of its parameters "
        "where it has none; after ' # ' the reason",
    )


@pytest.hookimpl(tryfirst=True)  # before any are deselected
def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Mark what `--xfails-file` lists. Passing is a failure then (`xfail_strict`), and so
    is a line that names no test of a file that was collected.
    """
    name = config.getoption("--xfails-file")
    if name is None:
        return
    from gradparity.parity_tests.suite.support import expected_failures

    by_id: dict[str, list[pytest.Item]] = {}
    for item in items:
        whole_id = beginning_with_file(item.nodeid)
        for key in {whole_id, whole_id.partition("[")[0]}:
            by_id.setdefault(key, []).append(item)
    whole = not any("::" in argument for argument in config.args)
    collected = {key.partition("::")[0] for key in by_id}
    there = {path.name for path in Path(__file__).parent.rglob("test_*.py")}
    for line in expected_failures(Path(name)):
        listed, _, reason = line.partition(" # ")
        found = by_id.get(beginning_with_file(listed.strip()), [])
        file = beginning_with_file(listed).partition("::")[0]
        if not found and whole and (file in collected or file not in there):
            raise pytest.UsageError(f"--xfails-file {name} names no test: {listed}")
        for item in found:
            item.add_marker(pytest.mark.xfail(reason=reason.strip() or "expected"))


def beginning_with_file(nodeid: str) -> str:
    """Without the folders before the file: these depend on where pytest is started."""
    path, _, rest = nodeid.partition("::")
    return f"{Path(path).name}::{rest}"


def pytest_sessionstart() -> None:
    """No test is worth running if the comparison does not notice a wrong gradient.

    By now the run-time checking of shapes is installed.
    """
    from gradparity.parity_tests.audit.control import negative_control

    # In the background, these are ignored, and so they would be in what the tests start;
    # a handler is not handed on.
    for name in ("SIGINT", "SIGHUP"):
        kind = getattr(signal, name, None)
        if kind is not None and signal.getsignal(kind) == signal.SIG_IGN:
            signal.signal(kind, lambda *_: None)
    if reason := negative_control():
        pytest.exit(reason, returncode=1)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that takes a case, a dtype or an implementation gets all that go together."""
    from gradparity.parity_tests.catalogue.cases import (
        LAYER_CASES,
        NETWORK_CASES,
        SHAPE_CASES,
    )
    from gradparity.parity_tests.catalogue.edges import NETWORK_SHAPE_EDGES
    from gradparity.parity_tests.checking.values import asked, offers
    from gradparity.parity_tests.implementations.user_supplied import Own
    from gradparity.parity_tests.suite.support import (
        chosen,
        chosen_implementations,
        loaded,
    )
    from gradparity.parity_tests.training.plan import TRAINABLE

    def valid(cases: list[Any], yes: bool = True) -> list[Any]:
        return [case for case in cases if (case.kind != "invalid") == yes]

    cases: dict[str, list[Any]] = {
        "valid_case": valid([*LAYER_CASES, *SHAPE_CASES]),
        "invalid_case": valid([*LAYER_CASES, *NETWORK_CASES], False),
        "network_case": valid([*NETWORK_CASES, *NETWORK_SHAPE_EDGES]),
    }
    wanted = [name for name in cases if name in metafunc.fixturenames]
    names = chosen_implementations(metafunc.config)
    if "implementation_name" not in metafunc.fixturenames:
        for name in wanted:
            metafunc.parametrize(name, cases[name], ids=[c.id for c in cases[name]])
    elif wanted:
        (name,) = wanted
        # To them, every shape is a compilation of every operation; jax-jit has them all.
        dear = {(id(c), n) for c in SHAPE_CASES for n in ("jax", "jax-composed")}
        pairs = [
            pytest.param(
                case,
                implementation,
                id=f"{case.id}-{implementation}",
                marks=[pytest.mark.deep] if (id(case), implementation) in dear else [],
            )
            for case in cases[name]
            for implementation in names
            if asked(loaded(implementation), case)
            and offers(loaded(implementation), case)
        ]
        metafunc.parametrize((name, "implementation_name"), pairs)
    else:
        metafunc.parametrize("implementation_name", names)
    if "trainable_name" in metafunc.fixturenames:
        trainable = [
            name
            for name in names
            if name in TRAINABLE
            or (isinstance(own := loaded(name), Own) and own.train is not None)
        ]
        metafunc.parametrize("trainable_name", trainable)
    if "dtype" in metafunc.fixturenames:
        metafunc.parametrize("dtype", chosen(metafunc.config, "--dtype", [*DTYPES]))


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A Chromium, for all tests of a module."""
    from gradparity.parity_tests.suite.browsing import chromium

    try:
        with chromium() as launched:
            yield launched
    except LookupError as missing:
        pytest.fail(str(missing))


@pytest.fixture
def implementation(implementation_name: str) -> object:
    from gradparity.parity_tests.suite.support import load_or_skip

    return load_or_skip(implementation_name)


@pytest.fixture
def trainable(trainable_name: str) -> object:
    from gradparity.parity_tests.suite.support import load_or_skip

    return load_or_skip(trainable_name)


class Nothing:
    """A task with nothing to do, and what comes of that."""

    total = 0

    def __init__(self, *found: list[Any]) -> None:
        self.found = found

    def run(self, progress: object) -> object:
        return self.found


@pytest.fixture
def only_trainings(monkeypatch: pytest.MonkeyPatch) -> None:
    """A report neither compares layers, nor what it would notice, nor checks the truth."""
    from gradparity.reports import runner

    nothing = [Nothing([], [], []), Nothing(), Nothing()]
    monkeypatch.setattr(runner, "comparisons", lambda *_: nothing)
    monkeypatch.setattr(runner, "truth_task", lambda _: Nothing())


@pytest.fixture
def without_shape_checks() -> Iterator[None]:
    """Bad input must be refused by the layers themselves, not by the checks in tests."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)
