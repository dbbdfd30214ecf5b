"""The page of functions that were compared: what it says, that what it says is escaped, and
that it is written whole or not at all.
"""

import atexit
import os
import re
from functools import cache
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any

import numpy as np
import pytest

from gradparity.parity_tests.functions import inputs, sentences, targets, wording
from gradparity.parity_tests.functions.comparison import Comparison, compare_functions
from gradparity.reports.commands import application
from gradparity.reports.pages import functions_html, steps
from gradparity.reports.writing import UnusableTarget

pytest.importorskip("torch")

BAD = "<script>alert(1)</script>\u202e\x1b[31m"
SOURCE = """
import numpy as np
import torch


def mine(x, w):
    centred = x - x.mean(-1, keepdim=True)
    variance = (centred * centred).mean(-1, keepdim=True)
    root = torch.sqrt(variance + 1e-5)  # <script>alert(1)</script>\u202e
    return centred / root * w


def theirs(x, w):
    centred = x - x.mean(-1, keepdim=True)
    variance = (centred * centred).mean(-1, keepdim=True)
    root = torch.sqrt(variance + 1e-6)
    return centred / root * w


def again(x, w):
    centred = x - x.sum(-1, keepdim=True) / x.shape[-1]
    variance = (centred * centred).mean(-1, keepdim=True)
    return centred * w / torch.sqrt(variance + 1e-5)


def pair(x, w):
    return np.sin(x), np.cos(w)


def one(x, w):
    return np.sin(x)


def many(x, w):
    for _ in range(20):
        x = torch.sin(x) + w
    return torch.exp(x)


def in_jax(x, w):
    import jax

    return jax.numpy.sin(x) * w


def many_more(x, w):
    for _ in range(20):
        x = torch.sin(x) + w
    return torch.exp(x * 1.001)
"""
FOLDER = Path(mkdtemp(prefix="gradparity-"))  # where the lines are read from
atexit.register(rmtree, FOLDER, ignore_errors=True)
GIVEN = {
    "x": np.random.default_rng(0).normal(size=(4, 3)),
    "w": np.array([0.5, -1.5, 2.0]),
}


@cache
def found(*names: str, called: tuple[str, ...] = ()) -> Comparison:
    """Functions of SOURCE, compared; under other names."""
    path = FOLDER / "mine.py"
    path.write_text(SOURCE, encoding="utf-8")
    loaded = targets.load_all([f"{path}:{name}" for name in names])
    for target, name in zip(loaded, called, strict=False):
        object.__setattr__(target, "name", name)
    return compare_functions(loaded, inputs.of(GIVEN), ["float32", "float64"])


def page(*names: str, called: tuple[str, ...] = ()) -> str:
    return functions_html.render(found(*names, called=called))


def text(html: str) -> str:
    """What a page says, without its markup."""
    plain = re.sub(r"<(style|script)>.*?</\1>", "", html, flags=re.DOTALL)
    plain = re.sub(r"<[^>]+>", " ", plain)
    for code, character in (("&gt;", ">"), ("&#39;", "'"), ("&amp;", "&")):
        plain = plain.replace(code, character)
    return " ".join(plain.split())


def test_the_answer_comes_first_with_both_values_and_the_mistake() -> None:
    made = found("mine", "theirs")
    said = text(page("mine", "theirs"))
    places = [
        said.index(part)
        for part in (
            "mine and theirs ✗ Not the same function",
            wording.answer(made),
            "The mistake: eps is 1e-05 in mine and 1e-06 in theirs",
            "First to differ in mine : forward aten::add(v5, 1e-05) mine.py:9",
            "Where the two part What ran",
            "How much is rounding Of each",
            "Operator by operator Each operator",
            "What was given input",
        )
    ]
    assert places == sorted(places)
    number = made.pairs[0].tried[0].wrong[0]
    for value in wording.told_apart(number.values):
        assert f"<dd>{value}</dd>" in page("mine", "theirs")


def test_the_first_that_differs_is_marked_in_words_and_joined() -> None:
    (pair,) = found("mine", "theirs").pairs
    groups = steps.picture(found("mine", "theirs"), pair, 1)
    lines = [line for part in groups[0].parts for line in part.lines]
    assert [group.title for group in groups] == ["Forward", "Backward"]
    assert [line.state for line in lines[:5]] == ["same"] * 4 + ["differ"]
    boxes = lines[4].boxes
    assert [box.words for box in boxes if box] == ["first to differ"] * 2
    assert [box.source.partition("  ")[0] for box in boxes if box] == [
        "root = torch.sqrt(variance + 1e-5)",
        "root = torch.sqrt(variance + 1e-6)",
    ]
    assert "furthest apart by 9e-06" in lines[4].apart
    titles = [part.title for part in groups[0].parts]
    assert titles[0] == ""
    assert re.fullmatch(r"\d+ rows after, 0 the same", titles[1])
    assert [bool(part.title) for part in groups[1].parts] == [True]


def test_many_steps_before_are_folded_but_the_last() -> None:
    made = found("many", "many_more")
    forward = steps.picture(made, made.pairs[0], 1)[0]
    before, seen, _ = forward.parts
    assert before.title == "37 rows before, 37 the same"
    assert [line.state for line in seen.lines] == ["same"] * steps.BEFORE + ["differ"]


def test_the_same_are_joined_and_nothing_is_marked() -> None:
    made = found("mine", "again")
    html = page("mine", "again")
    assert "✓</span> The same function" in html
    assert wording.answer(made) in text(html)
    assert "first to differ" not in html
    assert 'class="step same"' in html
    assert 'class="step differ"' not in html
    assert "The mistake" not in html


def test_arrays_tell_where_they_come_from_and_what_they_are() -> None:
    (pair,) = found("mine", "theirs").pairs
    groups = steps.picture(found("mine", "theirs"), pair, 1)
    lines = [line for group in groups for part in group.parts for line in part.lines]
    boxes = [line.boxes[0] for line in lines if line.boxes[0]]
    assert [(a.name, a.maker, a.kind) for a in boxes[1].takes] == [
        ("x", None, "float64 [4, 3]"),
        ("", 0, "float64 [4, 1]"),
    ]
    first = [sentences.shown(value) for value in GIVEN["x"].ravel()[:6].tolist()]
    assert boxes[1].takes[0].numbers == ", ".join(first) + ", …"
    names = [array.name for box in boxes for array in box.gives]
    assert {"out", "dx", "dw"} <= {*names}


def test_outputs_that_are_not_as_many_are_told_without_any_number() -> None:
    said = text(page("pair", "one"))
    assert "✗ Not the same function" in said
    assert "The numbers of outputs differ pair out[0], out[1] one out" in said


def test_numbers_beside_each_other_are_told_apart() -> None:
    near = np.array([0.5, 1 / 3])
    assert steps.numbers(near) == "0.5, 0.333333333"
    assert steps.numbers(near, near + 1e-11 * np.arange(2)) == "0.5, 0.333333333333"
    assert steps.numbers(near, np.ones(3)) == "0.5, 0.333333333"


def test_what_is_computed_for_the_backward_is_marked() -> None:
    pytest.importorskip("jax")
    assert "kept for the backward" in page("in_jax", "mine")
    assert "kept for the backward" not in page("mine", "again")


def test_rounding_is_drawn_and_where_it_comes_from() -> None:
    html = page("mine", "again")
    (pair,) = found("mine", "again").pairs
    tried = next(t for t in pair.tried if t.dtype == "float32")
    for number in tried.numbers:
        assert number.ratio is not None
        assert f"width: {100 * number.ratio:.1f}%" in html
        assert functions_html.percent(number.ratio) in text(html)
    dtypes = [dtype for dtype, _ in functions_html.budgets(found("mine", "again"))]
    assert ("Where it comes from" in text(html)) == bool(dtypes)


def test_three_functions_have_two_pictures() -> None:
    html = page("mine", "again", "theirs")
    assert html.count('<section id="steps-') == 2
    said = text(html)
    assert "Step by step: mine and again" in said
    assert "Where the two part: mine and theirs" in said
    idents = re.findall(r' id="([^"]+)"', html)
    assert len(idents) == len({*idents})
    linked = re.findall(r'href="#([^"]+)"', html)
    assert {*linked} <= {*idents}


def test_what_others_wrote_is_escaped_and_harmless() -> None:
    html = page("mine", "theirs", called=(f"f.py:{BAD}", "g.py:b"))
    assert html.count("<script>") == 1
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "\u202e" not in html
    assert "\x1b" not in html
    assert html.count(r"\u202e") > 2


def test_it_asks_for_nothing() -> None:
    html = page("mine", "theirs")
    assert not re.search(r"""(?:src|href)=(?!"#|"data:,")""", html)
    assert not re.search(r"url\(|@import|fetch\(|https?://", html)


def test_a_page_of_very_many_steps_stays_small(monkeypatch: Any) -> None:
    monkeypatch.setattr(steps, "MOST", 5)
    said = text(page("many", "many_more"))
    assert "32 more are not shown." in said
    assert said.count("first to differ") > 1


def test_it_is_whole_or_absent(tmp_path: Path, monkeypatch: Any) -> None:
    path = tmp_path / "page.html"
    functions_html.check_target(path)
    functions_html.write(path, found("mine", "again"))
    assert path.read_text(encoding="utf-8") == page("mine", "again")
    functions_html.check_target(path)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    monkeypatch.setattr(Path, "replace", full)
    monkeypatch.setenv("TMPDIR", str(tmp_path / "kept"))
    before = path.read_bytes()
    with pytest.raises(UnusableTarget, match="cannot be written"):
        functions_html.write(path, found("mine", "theirs"))
    assert path.read_bytes() == before


def test_what_is_no_page_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(SOURCE, encoding="utf-8")
    with pytest.raises(UnusableTarget, match="earlier page of a comparison"):
        functions_html.check_target(tmp_path / "mine.py")


def test_the_command_writes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(SOURCE, encoding="utf-8")
    for names, more, status in (
        (["mine", "theirs"], [], 1),
        (["mine", "again"], ["--json"], 0),
    ):
        with pytest.raises(SystemExit) as exit_info:
            application.app(
                [
                    *("compare", *(f"mine.py:{name}" for name in names)),
                    *("--shape", "x=2,3", "--shape", "w=3", "--html", "p.html", *more),
                ]
            )
        assert exit_info.value.code == status
        assert Path("p.html").read_text(encoding="utf-8").endswith("</html>")
        out = capsys.readouterr().out
        assert out.endswith("p.html\n") != bool(more)
