"""Whatever is said of a submission in these tests is there in Japanese, too."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from gradparity.parity_tests.grading import grade, judging
from gradparity.parity_tests.grading.records import GradedFile
from gradparity.reports import japanese

# What Python says, which stays as it is: the kind of an exception, and its message.
OF_PYTHON = re.compile(r"[A-Za-z_][\w.]*(: .*)?", re.DOTALL)


def in_english_only(graded: GradedFile) -> set[str]:
    """What is said of it for which there is no template, or one that leaves words."""
    said = {text for text in sentences(graded.model_dump(by_alias=True)) if text}
    if graded.status == "unloadable" and OF_PYTHON.fullmatch(graded.problem or ""):
        said.discard(str(graded.problem))
    return {text for text in said if japanese.translated(text) is None}


def sentences(fields: Any, name: str = "") -> Iterator[str]:
    """Those of a grading, however deep they lie."""
    if isinstance(fields, str) and name in japanese.SENTENCES:
        yield fields
    for key, value in fields.items() if isinstance(fields, dict) else ():
        yield from sentences(value, "why" if name == "passed_over" else key)
    for value in fields if isinstance(fields, list) else ():
        yield from sentences(value, name)


@pytest.fixture(autouse=True)
def all_is_there_in_japanese(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fails where a sentence in a grading has no template in `grading.ja.toml`."""
    missing: set[str] = set()

    def noted(*arguments: Any, **named: Any) -> GradedFile:
        graded = GradedFile(*arguments, **named)
        missing.update(in_english_only(graded))
        return graded

    for module in (grade, judging):
        monkeypatch.setattr(module, "GradedFile", noted)
    yield
    assert not missing, "reports/words/grading.ja.toml has no template for these"
