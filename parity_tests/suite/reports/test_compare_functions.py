"""What `gradparity compare` takes as functions, and what as results."""

from pathlib import Path

import pytest

from gradparity.reports.commands.compare import is_function


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
