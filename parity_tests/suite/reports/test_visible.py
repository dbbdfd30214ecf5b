"""What somebody else has written acts on no terminal and on no page, and is seen: wherever
it comes from, and whatever shows it.
"""

import ast
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import StringIO
from pathlib import Path
from socketserver import StreamRequestHandler, TCPServer
from typing import Any

import pytest
from pydantic import ValidationError
from rich.panel import Panel
from rich.text import Text

from gradparity.parity_tests.suite.reports.test_cli import Called, called
from gradparity.parity_tests.suite.reports.test_page import sample
from gradparity.parity_tests.suite.structure import modules
from gradparity.parity_tests.suite.support import ROOT
from gradparity.reports.console import Screen
from gradparity.reports.pages import report_html, report_markdown
from gradparity.reports.results import Results
from gradparity.reports.tables.table import Table
from gradparity.reports.visible import harmless, is_seen, visible

__all__ = ["called"]  # a fixture

CONTROL = "\x1b[2Jq\x1b]0;mine\x07\x9b31m\r\x08\x7f"
UNSEEN = "\u202e\u200b\u3164\u115f\u1160\uffa0\u2800\ufe0f\ufe00\u034f\u180b\u17b4\xa0"
HOSTILE = f"a{CONTROL}b{UNSEEN}\U000e0100\U000e0041c"


def is_harmless(text: str) -> bool:
    """Whether all of it is seen, but for the ends of its lines."""
    return all(is_seen(line) for line in re.split("[\n\t]", text))


# --- Characters -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "character", sorted({*HOSTILE} - {*"[]0;mine2Jqabc31"}), ids=ascii
)
def test_what_is_not_seen_has_a_code(character: str) -> None:
    code = character.encode("unicode_escape").decode()
    assert visible(f"x{character}.py") == harmless(f"x{character}.py") == f"x{code}.py"


@pytest.mark.parametrize(
    "text",
    [
        "課題\u3000田中\u3000太郎.py",
        "ガ\u3099き\u3099.py",  # with a dakuten of its own, as macOS writes names
        "e\u0301te\u0301.py",
        "\u2764\ufe0f and \U0001f642.py",
        "नमस्ते.py",
    ],
    ids=ascii,
)
def test_what_is_seen_stays_as_it_is(text: str) -> None:
    assert visible(text) == harmless(text) == text


def test_a_symbol_is_in_colours_once() -> None:
    assert visible("\u2764\ufe0f\ufe0f") == "\u2764\ufe0f\\ufe0f"
    assert visible("a\ufe0f") == "a\\ufe0f"


def test_lines_stay_lines_where_there_may_be_some() -> None:
    assert harmless("a\n\tb\x1b\r\n") == "a\n\tb\\x1b\\r\n"
    assert visible("a\nb") == "a\\nb"


# --- Results of somebody else ---------------------------------------------------------


def planted(value: Any) -> Any:
    """With the hostile text at the end of every string, keys too where they are names."""
    if isinstance(value, dict):
        named = any(name.islower() and "_" not in name for name in value) or not value
        return {
            name if named else name + HOSTILE: planted(v) for name, v in value.items()
        }
    if isinstance(value, list):
        return [planted(each) for each in value]
    return value + HOSTILE if isinstance(value, str) else value


def put_back(right: Any, hostile: Any, place: tuple[int | str, ...]) -> None:
    *others, last = place
    for each in others:
        right, hostile = right[each], hostile[each]
    hostile[last] = right[last]


@pytest.fixture(scope="module")
def foreign() -> Results:
    """Results with the hostile text wherever the schema lets one write."""
    right = json.loads(sample().model_dump_json())
    hostile = planted(right)
    while True:
        try:
            return Results.model_validate_json(json.dumps(hostile))
        except ValidationError as error:
            for each in error.errors():
                put_back(right, hostile, each["loc"])


def test_foreign_results_are_compared(
    called: Called, tmp_path: Path, foreign: Results
) -> None:
    foreign.write(tmp_path / "a.json")
    sample(("reference", "torch")).write(tmp_path / "b.json")
    for files in (("a.json", "b.json"), ("b.json", "a.json")):
        done = called("compare", *files)
        assert r"\x1b[2Jq" in done.stdout
        assert is_harmless(done.stdout + done.stderr)
        assert is_harmless(called("compare", *files, "--json").stdout)


def test_foreign_results_are_reported(foreign: Results) -> None:
    names = ("environment", "checks", "untrained", "divergences")
    report = sample().model_copy(update={n: getattr(foreign, n) for n in names})
    info = report.environment.dataset
    assert info is not None
    info = info.model_copy(update={"train": 1, "test": 1})
    report.environment = report.environment.model_copy(update={"dataset": info})
    for page in (
        report_html.render(report, [], ""),
        report_markdown.render(report, []),
        foreign.text(),
    ):
        assert r"[2Jq" in page
        assert is_harmless(page)
    assert (
        Results.model_validate_json(foreign.text()).environment == foreign.environment
    )


# --- Terminals ------------------------------------------------------------------------


@pytest.mark.parametrize("is_terminal", [True, False])
def test_nothing_acts_on_a_console(is_terminal: bool) -> None:
    screen = Screen(file=StringIO(), width=60, force_terminal=is_terminal)
    screen.print(HOSTILE, Text(HOSTILE, "bold"), Panel(Text(HOSTILE)), markup=False)
    Table(HOSTILE, [HOSTILE, "b"], [[HOSTILE, HOSTILE]] * 2).print(screen)
    said = screen.file.getvalue()  # type: ignore[attr-defined]
    assert said.count(r"\x9b31m") >= 3
    # The instructions to the terminal are ours: how letters look.
    assert is_harmless(re.sub(r"\x1b\[[\d;]*m" if is_terminal else "^$", "", said))


# --- Commands -------------------------------------------------------------------------

RAISES = f"raise ValueError({HOSTILE!r})\n"
CALLS = (
    *(["compare", HOSTILE, "b"], ["compare", "foreign.json", "foreign.json"]),
    *(["grade", HOSTILE], ["grade", f"{HOSTILE}.py"], ["grade", "a", HOSTILE]),
    *(["check", HOSTILE], ["check", "--implementations", HOSTILE]),
    ["check", "--implementations", "raises.py"],
    *(["train", "--dataset", HOSTILE], ["train", "--resume", HOSTILE]),
    *(["train", "--data-dir", HOSTILE], ["train", "--resume", "foreign"]),
    ["report", "--output", f"{HOSTILE}/report/{HOSTILE}", "--dataset", HOSTILE],
    *(["explain", HOSTILE], ["explain", "raises.py:f"]),
    *(["explain", "relu", "--input", f"x={HOSTILE}"], [HOSTILE], [f"--{HOSTILE}"]),
    *(["grade", f"--jobs={HOSTILE}", "a"], ["data", "where", "--data-dir", HOSTILE]),
)


@pytest.mark.parametrize(
    "arguments", CALLS, ids=lambda call: ascii(" ".join(call))[:30]
)
def test_no_answer_acts_on_anything(
    called: Called, tmp_path: Path, arguments: list[str]
) -> None:
    (tmp_path / "raises.py").write_text(RAISES, encoding="utf-8")
    with suppress(OSError):  # such a name is not to be had everywhere
        (tmp_path / f"{HOSTILE}.py").write_text(RAISES, encoding="utf-8")
    record = json.dumps({"schema_version": HOSTILE, HOSTILE: HOSTILE})
    (tmp_path / "foreign.json").write_text(record)
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "run.json").write_text(record)
    done = called(*arguments)
    assert done.returncode == (0 if "where" in arguments else 2)
    assert is_harmless(done.stdout + done.stderr)
    assert "Traceback" not in done.stderr


def test_variables_of_the_environment_act_on_nothing(
    called: Called, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MKL_CBWR", HOSTILE)
    done = called("env")
    assert r"\x1b[2Jq" in done.stdout
    assert is_harmless(done.stdout + done.stderr)


@contextmanager
def mirror(answer: bytes) -> Iterator[str]:
    """The address of a server that says this, whatever it is asked."""

    class Says(StreamRequestHandler):
        def handle(self) -> None:
            while self.rfile.readline().strip():
                pass
            self.wfile.write(answer)

    with TCPServer(("127.0.0.1", 0), Says) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/"
        finally:
            server.shutdown()
            thread.join()


def test_the_words_of_a_mirror_act_on_nothing(
    called: Called, monkeypatch: pytest.MonkeyPatch
) -> None:
    reason = HOSTILE.replace("\r", "").encode()
    with mirror(b"HTTP/1.0 404 " + reason + b"\r\n\r\n") as address:
        monkeypatch.setenv("GRADPARITY_MNIST_MIRRORS", address)
        done = called("data", "fetch")
    assert done.returncode == 2
    assert r"404" in done.stderr
    assert r"\x1b[2Jq" in done.stderr
    assert is_harmless(done.stdout + done.stderr)


# --- There is no other way out --------------------------------------------------------

# Who prints, and who makes what prints; all of them take what they print from `visible`,
# but for `checks`, which is read into notebooks.
WAYS_OUT = {
    "Console": set(),
    "print": {"commands/application.py", "commands/streams.py", "explain/checks.py"},
    "PackageLoader": {"pages/templating.py"},
}


def test_what_leaves_goes_through_one_function() -> None:
    found: dict[str, set[str]] = {name: set() for name in WAYS_OUT}
    for path in modules("reports"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            called = node.func if isinstance(node, ast.Call) else None
            if isinstance(called, ast.Name) and called.id in found:
                name = path.relative_to(ROOT / "reports").as_posix()
                found[called.id].add(name)
    assert found == WAYS_OUT
