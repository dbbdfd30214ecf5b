"""Renews `grading/book.json`: `make book BOOK=... BOOK2=...`, with clones of both books.

They are https://github.com/oreilly-japan/deep-learning-from-scratch and its -2, both under
the MIT licence. Every version of every file on any branch is looked at, and of each class
and function at its top level the digest is kept, with the place where it is met first:
in the first book before the second, in `common/` before a chapter.
"""

import ast
import json
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

from gradparity.parity_tests.grading.copies import DATA, digest
from gradparity.parity_tests.suite.support import HANDED_OUT, SUBMISSIONS

SECOND = (
    "deep-learning-from-scratch-2/"  # what the places of the second book begin with
)


def definitions(text: str) -> Iterator[tuple[str, str]]:
    """Name and source of the classes and functions at the top of a file that is Python."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            yield node.name, ast.get_source_segment(text, node) or ""


def cells(notebook: str) -> Iterator[str]:
    """The code of a notebook, each cell by itself, without what is no Python."""
    for cell in json.loads(notebook)["cells"]:
        if cell["cell_type"] == "code":
            lines = "".join(cell["source"]).splitlines(keepends=True)
            yield "".join(line for line in lines if not line.startswith(("%", "!")))


def versions(clone: Path) -> Iterator[tuple[str, str]]:
    """The place and the text of every version of every file with code in it."""
    git = "git", "-C", str(clone)
    listed = subprocess.run(
        [*git, "rev-list", "--objects", "--branches", "--remotes"],
        capture_output=True,
        text=True,
        check=True,
    )
    for line in listed.stdout.splitlines():
        name, _, place = line.partition(" ")
        if place.endswith((".py", ".ipynb")):
            shown = [*git, "cat-file", "blob", name]
            text = subprocess.run(shown, capture_output=True, check=True).stdout
            yield place, text.decode("utf-8", "replace")


def digests(clones: list[tuple[str, Path]]) -> dict[str, list[str]]:
    """Of the clones, each with what its places begin with, and of what is handed out here
    and the chapters around it: the digests at each place.
    """
    found: list[tuple[bool, bool, str, str]] = []

    def look(place: str, text: str) -> None:
        for code in cells(text) if place.endswith(".ipynb") else (text,):
            for _, source in definitions(code):
                order = place.startswith(SECOND), not place.startswith("common/")
                found.append((*order, place, digest(source) or ""))

    for before, clone in clones:
        for place, text in versions(clone):
            look(before + place, text)
    for root in (HANDED_OUT, SUBMISSIONS / "book"):
        for path in root.rglob("*.py"):
            look(path.relative_to(root).as_posix(), path.read_text(encoding="utf-8"))
    places: dict[str, str] = {}
    for _, _, place, each in sorted(found):
        places.setdefault(each, place)
    places.pop("", None)
    files: dict[str, list[str]] = {place: [] for place in places.values()}
    for each, place in places.items():
        files[place].append(each)
    return files


def main() -> None:
    first, second = map(Path, sys.argv[1:])
    files = digests([("", first), (SECOND, second)])
    DATA.write_text(json.dumps(files, indent=1) + "\n", encoding="utf-8", newline="\n")
    print(f"{sum(map(len, files.values()))} definitions at {len(files)} places")


if __name__ == "__main__":
    main()
