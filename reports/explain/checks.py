"""What the cells of a notebook call that its reader need not read: small tables, and the
checks of the exercises, which would give the answers away if they stood there.
"""

import tomllib
import warnings
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from hashlib import sha256
from types import SimpleNamespace
from typing import Any

import numpy as np
from tabulate import tabulate

from gradparity.parity_tests import DTYPES
from gradparity.parity_tests.catalogue.case import Case, NetworkCase
from gradparity.parity_tests.catalogue.cases import (
    LAYER_CASES,
    NETWORK_CASES,
    SHAPE_CASES,
)
from gradparity.parity_tests.checking.values import Prepared, check
from gradparity.parity_tests.implementations.contract import Implementation
from gradparity.parity_tests.implementations.registry import load
from gradparity.parity_tests.measuring.records import Check, Verdict
from gradparity.reports.explain import wording
from gradparity.reports.explain.walk import tidy

NETWORK = "TwoLayerNet"
COLUMNS = ("owner", "name", "dtype", "shape", "bytes", "same_as")
PAPER = (
    "background:#fff;color:#22252b;--forward:#14587f;--backward:#9a4200;"
    "padding:8px;overflow-x:auto"
)
NEAR = 5e-3  # how near an answer must be, relatively: as in the pages' script


@cache
def says(lang: str) -> Mapping[str, str]:
    """The sentences that only notebooks have."""
    path = wording.FOLDER / f"notebook.{lang}.toml"
    return tomllib.loads(path.read_text(encoding="utf-8"))


def picture(svg: str) -> None:
    """Show a drawing on a light ground of its own: a notebook's theme may be another than
    the system's, which a picture on its own would go by.
    """
    from IPython.display import HTML, display

    display(HTML(f'<div style="{PAPER}">{svg}</div>'))


def show(found: Mapping[str, Any]) -> None:
    """Print names and values, the rows of a matrix below each other."""
    for name, value in found.items():
        start = f"{name} = "
        print(start + np.array2string(np.asarray(value), prefix=start, precision=6))


def table(saved: Sequence[Mapping[str, Any]], columns: Sequence[str] = COLUMNS) -> None:
    """Print what a `hood` returned, a row for each entry."""
    print(tabulate([[each[c] for c in columns] for each in saved], columns), end="\n\n")


def seal(topic: str, exercise: str, letter: str) -> str:
    """By this a letter can be recognized, but not read."""
    return sha256(f"{topic}/{exercise}/{letter}".encode()).hexdigest()[:8]


class Checks:
    """The checks of one notebook. Each prints what there is to say, and nothing as long
    as there is no answer.
    """

    def __init__(self, topic: str, lang: str) -> None:
        self.topic = topic
        self.says = {**wording.ui(lang), **says(lang)}

    def missing(self, reason: object) -> None:
        """Say why something is not shown."""
        print(self.says["missing"].format(reason))

    def predict(self, exercise: str, answer: Any, numbers: Mapping[str, Any]) -> None:
        """Hold a number against what the run gave; `numbers` are the names that a page's
        words may use.
        """
        if answer is None:
            return
        expression = next(q.answer for q in questions(self.topic) if q.name == exercise)
        given = {name: np.asarray(value) for name, value in numbers.items()}
        right = wording.evaluate(expression, given)
        try:
            near = abs(float(answer) - right) <= NEAR * abs(right) + 1e-12
        except (TypeError, ValueError):
            print(self.says["not_a_number"])
        else:
            print(self.says["right" if near else "not_right"])

    def choose(self, exercise: str, answer: str, sealed: str) -> None:
        """Hold a letter against the sealed one."""
        if answer:
            letter = str(answer).strip().lower()
            near = seal(self.topic, exercise, letter) == sealed
            print(self.says["right" if near else "not_right"])

    def repair(
        self, definition: type, layer: str, inputs: dict[str, Any], dout: Any
    ) -> None:
        """Print what a class gives in the place of a layer, and the first quantity that is
        wrong when it goes through the suite's typical cases.
        """
        mended: Any = load("reference")
        place = "networks" if layer == NETWORK else "layers"
        setattr(mended, place, SimpleNamespace(**{layer: definition}))
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")  # what is being repaired may well warn
            try:
                gives = results(mended, layer, inputs, dout)
            except Exception as error:  # whatever the reader's class raises
                print(f"{type(error).__name__}: {error}")
            else:
                right = results(load("reference"), layer, inputs, dout)
                rows = [[k, tidy(v), tidy(right[k])] for k, v in gives.items()]
                heads = self.says["wrong_heads"]
                print(tabulate(rows, heads, disable_numparse=True), end="\n\n")
            first = next(wrong(layer, mended), None)
        print(self.says["right"] if first is None else self.told(first))

    def told(self, row: Check) -> str:
        """What is wrong, in a sentence."""
        found = row.worst
        detail = row.note or (
            self.says["gives"].format(value=tidy(found.value), truth=tidy(found.truth))
            if found
            else str(row.verdict)
        )
        return self.says["first_wrong"].format(
            **row.model_dump(include={"quantity", "case", "dtype"}),
            detail=detail,
            not_right=self.says["not_right"],
        )


def questions(topic: str) -> Iterator[wording.Question]:
    """The exercises as they are written down, no numbers put in."""
    path = wording.FOLDER / f"{topic}.{wording.LANGUAGES[0]}.md"
    _, _, text = path.read_text(encoding="utf-8").partition("\n## try\n")
    return wording.questions(text)


def results(
    implementation: Implementation, layer: str, inputs: dict[str, Any], dout: Any
) -> dict[str, np.ndarray]:
    """Output and gradients of a layer; of the network all that flows through it."""
    given = {name: np.asarray(value) for name, value in inputs.items()}
    if layer == NETWORK:
        assert implementation.run_network is not None
        x, t = given.pop("x"), given.pop("t")
        return implementation.run_network(given, x, t)
    return implementation.run_layer(layer, given, np.asarray(dout))


def wrong(layer: str, implementation: Implementation) -> Iterator[Check]:
    """The rows that fail, of all typical cases of a layer in both dtypes."""
    cases: list[Case | NetworkCase] = [*LAYER_CASES, *NETWORK_CASES, *SHAPE_CASES]
    for case in cases:
        if case.layer == layer and case.kind == "typical":
            for dtype in DTYPES:
                prepared = Prepared.of(case, dtype)
                rows, _ = check(prepared, "reference", implementation)
                yield from (row for row in rows if row.verdict == Verdict.FAIL)
