"""What is the book's, word for word, is told from what is somebody's own."""

import json
from pathlib import Path

import pytest

from gradparity.parity_tests.grading.copies import DATA, digest, origin
from gradparity.parity_tests.suite.grading import book_digests
from gradparity.parity_tests.suite.support import HANDED_OUT, ROOT, SUBMISSIONS

HALF = "def half(x):\n    h = x * 0.5\n    return 'half', h\n"
FORMATTED = (
    "def told(x):\n    return f\"{x!r:>{10}} {{}} {x['a']}\" + f'''{\n x}日''' 'b'\n"
)


@pytest.mark.parametrize(
    "other",
    [
        "# よくある関数\n\ndef half( x ):  # a half\n\n    h=x*0.5\n    # and\n"
        '    return "half", h\n\n# the end',
        'def half(x):\n    """What is half.\n\n  Of x.\n    """\n'
        "    h = x * 0.5\n    'h is it'\n    return '''half''', h",
        "def half(x):\n\th = x * \\\n\t\t0.5\n\treturn u'half', h",
        HALF.replace("\n", "\r\n"),
        HALF.replace("\n", "\r"),
        HALF.replace("\n", "\n    ").rstrip(" "),
        "    " + HALF.replace("\n", "\n    "),
    ],
)
def test_a_definition_written_otherwise_is_the_same(other: str) -> None:
    assert digest(other) == digest(HALF)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("0.5", "0.25"),
        ("x * 0.5", "0.5 * x"),
        ("half(x)", "half(x, y)"),
        ("    return", "    if x:\n        pass\n    return"),
        ("'half'", "'halved'"),
        ("'half'", "b'half'"),
        ("'half'", "f'half'"),
    ],
)
def test_another_definition_is_another(old: str, new: str) -> None:
    changed = HALF.replace(old, new)
    assert changed != HALF
    assert digest(changed) not in (None, digest(HALF))


def test_where_a_line_belongs_counts() -> None:
    inside = "def f(x):\n    for i in x:\n        g(i)\n        h(i)\n"
    after = "def f(x):\n    for i in x:\n        g(i)\n    h(i)\n"
    assert digest(inside) != digest(after)


def test_every_python_sees_the_same() -> None:
    """From 3.12 on f-strings are told apart into parts; the digests are those of 3.11."""
    assert digest(HALF) == "67022721d91b8143"
    assert digest(FORMATTED) == "bfb34598a45e6f3f"
    single, double = (
        "def f(x): return f'a {x[0]} \"'",
        'def f(x): return f"a {x[0]} \'"',
    )
    assert (
        digest(single) == digest(double) not in (None, digest("def f(x): return f'a'"))
    )


@pytest.mark.parametrize(
    "broken",
    [
        "def f(:\n    pass",
        "def f(x):\nreturn x",
        "def f():\n\treturn 1\n        return 2",
        "def f(): return (]",
        "def f(): return '",
        "def f(): return $",
        "\0",
        "def f(): return " + "(" * 300 + ")" * 300,
    ],
)
def test_what_is_no_python_is_nobodys(broken: str) -> None:
    assert digest(broken) is None
    assert origin(broken) is None


# --- What is kept ---------------------------------------------------------------------


def defined(root: Path) -> list[tuple[str, str, str]]:
    """Place, name and source of what the files below a folder define."""
    return [
        (path.relative_to(root).as_posix(), name, source)
        for path in sorted(root.rglob("*.py"))
        for name, source in book_digests.definitions(path.read_text(encoding="utf-8"))
    ]


def test_what_is_handed_out_is_the_books() -> None:
    for place, name, source in defined(HANDED_OUT):
        assert origin(source) == place, name
    for _, name, source in defined(SUBMISSIONS / "book"):
        assert origin(source) is not None, name


def test_the_lectures_transcription_is_the_books() -> None:
    found = {
        name: origin(source) for _, name, source in defined(SUBMISSIONS / "lecture")
    }
    assert found["sigmoid"] == found["cross_entropy_error"] == "common/functions.py"
    assert found["SoftmaxWithLoss"] == "common/layers.py"


def test_what_is_written_otherwise_is_nobody_elses() -> None:
    reference = defined(ROOT / "reference")
    assert [name for _, name, source in reference if origin(source)] == []
    for name, old, new in (("Relu", "<=", "<"), ("Affine", "axis=0", "axis=1")):
        (source,) = (s for _, n, s in defined(HANDED_OUT) if n == name)
        assert origin(source.replace(old, new)) is None


def test_a_digest_has_one_place() -> None:
    places = json.loads(DATA.read_text(encoding="utf-8"))
    digests = [each for at in places.values() for each in at]
    assert len(digests) == len(set(digests)) > 200
    assert all(len(each) == 16 for each in digests)


def test_all_versions_are_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    cell = {"cell_type": "code", "source": ["%pylab\n", "def own(x):\n", "    pass"]}
    text = {"cell_type": "markdown", "source": ["def text(x): pass"]}
    old, new = "def half(x): return x / 2", "\ufeffdef half(x):\r\n    return x * 0.5"
    files = {
        "one": [
            ("ch04/a.py", old),
            ("common/a.py", new),
            ("common/b.py", "def f(:"),
            ("notebooks/ch01.ipynb", json.dumps({"cells": [text, cell]})),
        ],
        "two": [("common/c.py", f"{old}\nclass Third:\n    pass\n")],
    }
    monkeypatch.setattr(book_digests, "versions", lambda clone: files[clone.name])
    for name in ("HANDED_OUT", "SUBMISSIONS"):
        monkeypatch.setattr(book_digests, name, tmp_path)
    assert book_digests.digests([("", Path("one")), ("second/", Path("two"))]) == {
        "common/a.py": [digest("def half(x):\n    return x * 0.5")],
        "ch04/a.py": [digest(old)],
        "notebooks/ch01.ipynb": [digest("def own(x):\n    pass")],
        "second/common/c.py": [digest("class Third:\n    pass")],
    }
