"""What `gradparity compare` takes as functions, and what as results; and that it says of
functions what the manual shows.
"""

import re
import shlex
from pathlib import Path
from threading import Event

import pytest

from gradparity.reports.commands import application
from gradparity.reports.commands.compare import is_function
from gradparity.reports.console import bar, errors

ROOT = next(p for p in Path(__file__).parents if (p / "pyproject.toml").is_file())
MANUAL = (ROOT / "docs" / "en" / "functions.md").read_text(encoding="utf-8")
SOURCES = dict(re.findall(r"```python\n# (\S+\.py)\n(.*?)```", MANUAL, re.DOTALL))
SHOWN = re.findall(r"```console\n\$ gradparity (.*?)\n(.*?)```", MANUAL, re.DOTALL)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mine.py:f", True),
        ("a/b/mine.py:layer_norm", True),
        ("package.module:Class.forward", True),
        (r"C:\work\mine.py:f", True),
        (r"C:\work\results.json", False),
        ("C:/work", False),
        ("results.json", False),
        ("runs/2024:05", False),
        ("mine.py:", False),
        (":f", False),
        ("mine.py:f(x)", False),
    ],
)
def test_functions_are_told_from_results(text: str, expected: bool) -> None:
    assert is_function(text) == expected


def test_what_is_there_under_that_name_is_a_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("run:b").mkdir()
    assert not is_function("run:b")
    assert is_function("run:c")


@pytest.mark.parametrize(("command", "expected"), SHOWN, ids=[c for c, _ in SHOWN])
def test_the_manual_shows_what_is_said(
    command: str,
    expected: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Every line before the tables; numbers in these depend on the processor."""
    pytest.importorskip("torch")
    pytest.importorskip("jax")
    monkeypatch.chdir(tmp_path)
    for name, source in SOURCES.items():
        Path(name).write_text(f"# {name}\n{source}", encoding="utf-8")
    with pytest.raises(SystemExit) as ended:
        application.app(shlex.split(command))
    said, _, tables = capsys.readouterr().out.partition("\n\n")
    assert said == expected.partition("\n\n")[0]
    assert ended.value.code == int(" differ: " in said)
    assert [each for each in headings(expected) if each not in said] == [
        each for each in headings(tables) if each in headings(expected)
    ]


def headings(text: str) -> list[str]:
    """The lines that stand alone."""
    return re.findall(r"(?<=\n\n)(.+)\n(?=\n)", f"\n\n{text}")


def test_a_bar_appears_after_a_while_only(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(errors, "_force_terminal", True)
    with bar("quick", 1, after=60) as advance:
        advance()
    assert "quick" not in capsys.readouterr().err
    with bar("slow", 1, after=0.01) as advance:
        Event().wait(0.2)
        advance()
    assert "slow" in capsys.readouterr().err
