"""The HTML page and its figures, made from small results that no run has to compute.

What is looked at here is the text of the page; what a browser makes of it is tested in
`test_browser`.
"""

import math
import re
from collections import Counter
from functools import cache
from html.parser import HTMLParser
from typing import Any, NamedTuple
from xml.etree import ElementTree

import numpy as np
import pytest
from markupsafe import escape

from gradparity.parity_tests.measuring.elementary import measured
from gradparity.parity_tests.measuring.records import (
    Apart,
    Check,
    Disagreement,
    Discordant,
    Divergence,
    Drift,
    Epoch,
    Parting,
    Summary,
    Together,
    Training,
    TruthCheck,
    Verdict,
    Worst,
)
from gradparity.reports.figures.gallery import draw
from gradparity.reports.pages.report_html import is_link, render, shown, sort_key
from gradparity.reports.pages.svg import Figure
from gradparity.reports.results import DatasetInfo, Environment, Results
from gradparity.reports.tables.reference_checks import TRUTH

ALL = ("reference", "torch", "jax", "jax-jit")
BAD = "<script>alert(1)</script>\"'&{{ 7 * 7 }}$x$"
IMAGES = np.linspace(0, 1, 20 * 64).reshape(20, 8, 8)


def checks(implementations: tuple[str, ...], missing: tuple[str, ...]) -> list[Check]:
    """Rows of every verdict but FAIL, and numbers of every kind."""
    rows = []
    for layer, quantity in (("Affine", "out"), ("Affine", "dW"), ("Relu", "dx")):
        for dtype, u in (("float64", 2.0**-53), ("float32", 2.0**-24)):
            for k, name in enumerate(implementations):
                row: dict[str, Any] = {"scope": "layer", "kind": "typical"}
                row |= {"layer": layer, "quantity": quantity, "dtype": dtype}
                row |= {"implementation": name, "case": f"{layer}/batch"}
                if name in missing:
                    row |= {"verdict": Verdict.MISSING, "note": "not installed"}
                    rows.append(Check(**row))
                    continue
                row["verdict"] = Verdict.WITHIN_BOUND if k else Verdict.IDENTICAL
                row |= {"max_abs": k * u, "max_rel": k * 3 * u, "max_ulp": k / 2}
                row |= {"bound_ratio": k / 7, "probable_ratio": k / 5}
                row |= {"max_abs_reference": k * u or None}
                row |= {"worst": Worst(index=[1, k], value=2.5, truth=2.0)}
                rows.append(Check(**row))
                if layer == "Relu" and k:
                    row |= {"case": "Relu/special", "verdict": Verdict.DOCUMENTED}
                    row["kind"] = "edge"
                    row |= {"max_rel": math.inf, "max_abs": math.nan}
                    row |= {"bound_ratio": math.inf, "note": "at-nan"}
                    rows.append(Check(**row))
    return rows


def training(name: str, dtype: str) -> Training:
    """A short training that ends a little away from the reference's."""
    own = name != "reference"
    differ = own and dtype == "float32"
    return Training(
        implementation=name,
        dtype=dtype,
        steps=200,
        batch_size=10,
        learning_rate=0.1,
        seed=0,
        seconds=1.5,
        epochs=[
            Epoch(epoch=e, step=s, loss=1 / s, train_accuracy=a, test_accuracy=a - 0.01)
            for e, s, a in ((0, 1, 0.12), (1, 101, 0.91), (2, 200, 0.93))
        ],
        losses=[(1, 2.3), (100, 0.9), (200, 0.5)],
        drift=[
            Drift(
                step=s,
                quantity="W1",
                max_abs=s * (1e-9 if differ else 1e-18),
                max_rel=1e-3,
            )
            for s in (1, 10, 200)
            if own
        ],
        flips=[(1, 0), (100, 2 * differ), (200, 5 * differ)] if own else [],
        test_predictions_differing=int(differ),
        disagreements=[
            Disagreement(
                index=3,
                label=8,
                reference=8,
                predicted=6,
                probabilities=[0.0] * 6 + [0.6, 0.1, 0.3, 0.0],
                reference_probabilities=[0.0] * 6 + [0.3, 0.1, 0.6, 0.0],
            )
        ]
        * differ,
        confusion=[[9, 1], [0, 10 - differ]],
        discordant=Discordant(only_reference=1, only_this=0, p_value=1)
        if own
        else None,
    )


def parting(name: str, *names: str) -> Parting:
    """A parting from the reference at step 100, of unit 2 of 5."""
    values = {n: 3e-7 if n == name else -2e-7 for n in ("reference", *names)}
    masks = {n: [True, False, z > 0, True, True] for n, z in values.items()}
    return Parting(
        implementation=name,
        dtype="float32",
        step=100,
        sample=4,
        label=9,
        unit=2,
        preactivation={**values, "truth": -1e-7},
        exact=values,
        bound=1e-5,
        probable_bound=1e-6,
        masks=masks,
        flips=1,
        forced=1,
        gap_before=1e-7,
        jump=1e-5,
        allowed=1e-6,
        ratio=10.0,
        forced_ratio=0.1,
        verified=True,
        first=True,
        later=[Apart(step=s, gap=1e-5, forced=1e-7) for s in (100, 101, 110)],
    )


def truth_checks() -> list[TruthCheck]:
    """One row for every method."""
    return [
        TruthCheck(
            method=method,
            layer="Affine",
            case="Affine/small",
            quantity="dW",
            dtype="float32",
            elements=24,
            mean_abs=1e-8,
            max_abs=1.25e-7,
            max_ulp=1.0,
            bound_ratio=0.33,
            worst=Worst(index=[0, 1], value=1.0, truth=1.0),
            verdict=Verdict.WITHIN_BOUND,
        )
        for method in TRUTH
    ]


def sample(
    implementations: tuple[str, ...] = ALL,
    missing: tuple[str, ...] = (),
    trained: bool = True,
    dataset: str = "mnist",
) -> Results:
    """A run with these implementations."""
    rows = checks(implementations, missing)
    present = [name for name in implementations[:3] if name not in missing]
    values = dict.fromkeys(implementations, "0.10000000149011612, nan")
    divergence = Divergence(
        id="at-nan",
        where="relu at NaN",
        dtype="float32",
        values=values,
        why="NaN > 0 is false",
        source="https://example.org/issue?a=1&b=2",
    )
    source = DatasetInfo(
        name=dataset, source="here", why="There was no network.", sha256={"a": "0f"}
    )
    return Results(
        environment=Environment(
            gradparity="0",
            python="3",
            numpy="2",
            torch=None,
            jax=None,
            platform="p",
            cpu="c",
            blas="b",
            threads={"blas": 2},
            dataset=source,
        ),
        checks=rows,
        training=[training(n, d) for d in ("float64", "float32") for n in present]
        if trained
        else [],
        partings=[parting(n, *present[1:]) for n in present[1:]] if trained else [],
        together=[
            Together(
                implementation=n, dtype="float64", steps=200, gap=1e-16, nearest=1e-8
            )
            for n in present[1:]
            if trained
        ],
        divergences=[divergence],
        truth=truth_checks() if trained else [],
        summary=Summary.of(rows),
        elementary=measured()[:3],
    )


class Made(NamedTuple):
    """Results and what was made of them."""

    results: Results
    figures: list[Figure]
    page: str


def make(results: Results) -> Made:
    figures = draw(results, IMAGES, IMAGES)
    return Made(results, figures, render(results, figures))


@cache
def variant(name: str) -> Made:
    return make(VARIANTS[name])


class Reader(HTMLParser):
    """Every start tag of a page, and whether all that is opened is closed."""

    VOID = frozenset({"meta", "link", "input", "br", "wbr", "img"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


VARIANTS = {
    "whole": sample(),
    "digits": sample(dataset="digits"),
    "torch missing": sample(missing=("torch",)),
    "only the reference left": sample(missing=("torch", "jax", "jax-jit")),
    "one implementation": sample(("reference",)),
    "no training": sample(trained=False),
}


@pytest.fixture(params=VARIANTS)
def made(request: pytest.FixtureRequest) -> Made:
    return variant(request.param)


def test_page_is_well_formed_with_unique_ids(made: Made) -> None:
    reader = Reader(made.page)
    assert not reader.open
    ids = Counter(a["id"] for _, a in reader.tags if "id" in a)
    assert ids.most_common(1)[0][1] == 1
    for _, attributes in reader.tags:
        labels = (attributes.get("aria-labelledby") or "").split()
        target = attributes.get("href") or ""
        assert ids.keys() >= set(labels)
        assert not target.startswith("#") or target[1:] in ids


def test_page_loads_nothing(made: Made) -> None:
    allowed = {divergence.source for divergence in made.results.divergences}
    for tag, attributes in Reader(made.page).tags:
        for name in ("src", "href", "xlink:href", "srcset", "action", "data", "poster"):
            value = attributes.get(name) or ""
            assert re.match(r"$|#|data:", value) or (tag == "a" and value in allowed)
    assert "@import" not in made.page
    assert not re.search(r"url\((?!#)", made.page)


def test_every_figure_has_a_text_alternative(made: Made) -> None:
    for figure in made.figures:
        root = ElementTree.fromstring(figure.svg)
        title, desc = root[0], root[1]
        assert (title.text, desc.text) == (figure.title, figure.alt)
        assert root.get("role") == "img"
        assert root.get("aria-labelledby") == f"{title.get('id')} {desc.get('id')}"
        assert re.search(r"\d", figure.alt)
        assert figure.caption.endswith(".")


def test_every_row_is_there(made: Made) -> None:
    tags = Reader(made.page).tags
    rows = [a for tag, a in tags if tag == "tr" and "data-layer" in a]
    keys = ("layer", "dtype", "implementation")
    found = Counter(tuple(row[f"data-{key}"] for key in keys) for row in rows)
    groups = {
        (c.layer, c.quantity, c.dtype, c.implementation, c.kind)
        for c in made.results.checks
    }
    assert found == Counter((layer, d, i) for layer, _, d, i, _ in groups)
    missing = sum(row["data-verdict"] == "missing" for row in rows)
    assert missing == made.results.summary.missing


def test_figures_are_those_with_something_to_show() -> None:
    def names(figures: list[Figure]) -> list[str]:
        return [figure.name for figure in figures]

    whole = ["bound-ratios", "loss", "accuracy", "growth", "partings"]
    whole.append("disagreements")
    assert names(variant("whole").figures) == whole
    assert names(draw(sample(), None)) == whole[:-2]
    assert names(variant("one implementation").figures) == whole[:3]
    assert names(variant("no training").figures) == whole[:1]
    assert not draw(sample(implementations=(), trained=False), IMAGES)


def test_figures_are_the_same_every_time() -> None:
    assert draw(sample(), IMAGES, IMAGES) == variant("whole").figures


def test_figures_take_the_colour_of_the_page() -> None:
    for figure in variant("whole").figures:
        assert "currentColor" in figure.svg
        assert not re.search(r"#0{6}|#f{6}|#010203|DejaVu", figure.svg, re.IGNORECASE)


def test_what_is_said_of_partings() -> None:
    page = variant("whole").page
    assert (
        "torch in float32 parts from the reference at step 100: on training image 4, "
        in page
    )
    assert "with this one ReLU forced to agree, 0.1 times" in page
    assert "jax in float64 never parts from the reference" in page
    alone = variant("one implementation").page
    assert "Where they part" not in alone
    assert "Do they know the same?" not in alone


def test_the_lecture_is_shown_for_mnist_only() -> None:
    whole, digits = variant("whole").page, variant("digits").page
    assert "0.1163 / 0.1222" in whole
    assert "lecture</text>" in whole
    assert "0.1163" not in digits
    assert "lecture</text>" not in digits


def test_digits_are_announced() -> None:
    assert '<p class="notice">' in variant("digits").page
    assert '<p class="notice">' not in variant("whole").page


def test_the_truth_has_a_table_for_every_method() -> None:
    page = variant("whole").page
    section = page[page.index('id="truth"') : page.index('id="details"')]
    for method, sentence in TRUTH.items():
        assert f"<h3>By {method}</h3>" in section
        assert str(escape(sentence)) in section
    assert section.count("1.2e-07 0.33") == len(TRUTH) - 1
    assert 'id="truth"' not in variant("no training").page


def test_typical_inputs_come_before_special_ones() -> None:
    page = variant("whole").page
    places = [
        page.index(f'<section id="{name}"')
        for name in ("gradients", "special", "divergences", "truth", "details")
    ]
    assert places == sorted(places)
    typical, special = page[places[0] : places[1]], page[places[1] : places[2]]
    assert "<h3>Gradient differences, float64</h3>" in typical
    assert "documented" not in typical
    assert "<h3>Special inputs, float32</h3>" in special
    assert "documented" in special


def test_failures_come_first() -> None:
    assert 'id="failures"' not in variant("whole").page
    results = sample()
    results.checks[5].verdict = Verdict.FAIL
    results.checks[5].note = "off by a factor"
    results.summary = Summary.of(results.checks)
    text = render(results, [])
    assert text.index('id="failures"') < text.index('id="gradients"')
    failures = text[text.index('id="failures"') : text.index('id="gradients"')]
    assert "off by a factor" in failures
    assert "2.5" in failures


def test_everything_from_data_is_escaped() -> None:
    results = sample()
    for check in results.checks:
        check.case = check.layer = check.quantity = check.note = BAD
    for row in results.truth:
        row.case = row.layer = row.quantity = row.dtype = BAD
    for run in results.training:
        run.implementation += BAD if run.implementation != "reference" else ""
        for drift in run.drift:
            drift.quantity = BAD
    for parting in results.partings:
        parting.masks[BAD] = parting.masks.pop(parting.implementation)
        value = parting.preactivation.pop(parting.implementation)
        parting.preactivation[BAD] = value
        parting.implementation = BAD
    for together in results.together:
        together.implementation = together.dtype = BAD
    for divergence in results.divergences:
        divergence.where = divergence.why = divergence.id = BAD
        divergence.values = {BAD: BAD}
        divergence.source = "javascript:alert(1)"
    environment = results.environment
    environment.cpu = environment.command = environment.platform = BAD
    environment.switches = {BAD: BAD}
    environment.dataset = DatasetInfo(name=BAD, source=BAD, why=BAD, sha256={BAD: BAD})
    page = make(results).page
    reader = Reader(page)
    assert not reader.open
    assert sum(tag == "script" for tag, _ in reader.tags) == 1
    links = [
        attributes.get("href") or "" for tag, attributes in reader.tags if tag == "a"
    ]
    assert all(link.startswith("#") for link in links)
    assert "<script>alert" not in page
    assert "{{ 7 * 7 }}" in page


def test_only_web_addresses_become_links() -> None:
    assert is_link("https://example.org/a?b=c#d")
    for source in ("javascript:alert(1)", "measured", "see https://example.org", ""):
        assert not is_link(source)
    assert 'href="https://example.org/issue?a=1&amp;b=2"' in variant("whole").page


def test_numbers_are_shown_short_and_sorted_whole() -> None:
    known = {0.0: "0", 3.0: "3", 1.23456e-9: "1.23e-09", 0.98765: "0.988"}
    known |= {math.inf: "∞", -math.inf: "−∞", 12345678.0: "1.23e+07"}
    assert {value: shown(value) for value in known} == known
    assert (shown(math.nan), shown(None)) == ("NaN", "–")
    assert sort_key(1.23456e-9) == "1.23456e-09"
    assert {sort_key(v) for v in (None, math.nan, math.inf, -math.inf)} == {""}
