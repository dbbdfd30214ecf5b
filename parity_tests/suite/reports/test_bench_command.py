"""`gradparity bench` and the section Speed, of measurements that nobody has to take."""

import itertools
import json
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from gradparity.parity_tests.benchmarks import bench as measuring
from gradparity.parity_tests.measuring.records import Bench, BenchRatio, BenchRow
from gradparity.parity_tests.suite.reports.test_page import BAD, Reader, sample
from gradparity.reference.datasets import load
from gradparity.reports import environment, runner
from gradparity.reports.commands import application, bench, choices
from gradparity.reports.commands.choices import Unusable
from gradparity.reports.figures.gallery import draw
from gradparity.reports.figures.step_times import speed, styles
from gradparity.reports.pages import report_html, report_markdown
from gradparity.reports.results import Results
from gradparity.reports.tables import sweeps, timings
from gradparity.reports.tables.table import Table

CONTENDERS = {  # kind, framework, overhead and µs for a sample
    "numpy floor": ("floor", "numpy", 5.0, 1.5),
    "torch floor": ("floor", "torch", 40.0, 1.2),
    "reference": ("ours", "numpy", 15.0, 2.9),
    "torch": ("ours", "torch", 180.0, 2.5),
    "torch nn + SGD": ("idiomatic", "torch", 250.0, 3.1),
    "torch nn + SGD + DataLoader": ("idiomatic", "torch", 300.0, 5.8),
    "sklearn": ("idiomatic", "sklearn", 200.0, 4.2),
    "lecture": ("lecture", "numpy", 20.0, 7.6),
}
BATCHES, HIDDEN = (1, 10, 100, 1000, 10_000), (10, 50, 2000)


def timed(part: str, name: str, batch: int, hidden: int, **more: Any) -> BenchRow:
    """A step that takes as long as its overhead and its samples."""
    kind, framework, overhead, each = CONTENDERS[name]
    time = overhead + each * batch * (0.2 + hidden / 62.5)
    row: dict[str, Any] = {"part": part, "name": name, "kind": kind, "unit": "µs"}
    row |= {"framework": framework, "batch_size": batch, "hidden": hidden}
    row |= {"median": time, "low": 0.9 * time, "high": 1.2 * time, "repeats": 15}
    return BenchRow(**{**row, "dtype": "float32", "threads": 2, **more})


def cost(name: str, value: float, unit: str, **more: Any) -> BenchRow:
    row: dict[str, Any] = {"part": "suite", "name": name, "kind": "cost", "unit": unit}
    row |= {"median": value, "low": value, "high": 2 * value, "repeats": 3}
    return BenchRow(**{**row, **more})


STEPS = [
    timed("step", name, 100, 50, dtype=dtype, threads=threads)
    for threads, dtype in itertools.product((2, 1), ("float32", "float64"))
    for name in CONTENDERS
]
SIZES = [(batch, 50) for batch in BATCHES] + [(100, hidden) for hidden in HIDDEN]
SWEEP = [timed("sweep", n, *size) for n in CONTENDERS for size in SIZES]
SUITE = [
    cost("gradparity --help", 0.0734, "s"),
    cost("cases", 4211, "count", repeats=1),
    cost("report", 61.25, "s", part="report", dtype="float64", note="on MNIST"),
]
RATIOS = [
    BenchRatio(
        name="slow", what="this ÷ that", value=1.9, low=1.8, high=2.0, at_most=1.6
    ),
    BenchRatio(name="quick", what="that ÷ this", value=0.5, at_most=0.5),
    BenchRatio(name="absent", what="its memory", at_most=2.5, note="no MNIST here"),
]
WHOLE = Bench(rows=[*STEPS, *SWEEP, *SUITE], ratios=RATIOS)
PARTIAL = {
    "nothing": Bench(rows=[], ratios=[]),
    "ratios": Bench(rows=[], ratios=RATIOS),
    "step": Bench(rows=STEPS, ratios=RATIOS),
    "one step": Bench(rows=STEPS[2:3], ratios=[]),
    "sweep": Bench(rows=SWEEP, ratios=RATIOS),
    "one axis": Bench(rows=[r for r in SWEEP if r.hidden == 50], ratios=[]),
    "one size": Bench(rows=SWEEP[:1], ratios=[]),
    "suite": Bench(rows=SUITE, ratios=RATIOS),
    "whole": WHOLE,
}
every = pytest.mark.parametrize("name", PARTIAL)


class Called:
    """What a call said, and what it asked to be measured."""

    def __init__(self) -> None:
        self.status: int | str | None = None
        self.stdout = self.stderr = ""
        self.asked: list[tuple[Any, ...]] = []
        self.progress = 0

    def measure(
        self,
        parts: Any,
        rounds: int,
        data_dir: Path | None,
        progress: Callable[[int], object],
    ) -> Bench:
        self.asked.append((list(parts), rounds, data_dir))
        progress(1)
        return WHOLE


Call = Callable[..., Called]


@pytest.fixture
def call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Call:
    """`gradparity` in this process, with nothing to measure."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Called:
        done = Called()
        monkeypatch.setattr(measuring, "count", lambda parts, rounds: 1)
        monkeypatch.setattr(measuring, "run", done.measure)
        monkeypatch.setattr(environment, "describe", lambda: sample().environment)
        monkeypatch.setattr(sys, "argv", ["gradparity", *arguments])
        try:
            application.main()
        except SystemExit as ended:
            done.status = ended.code
        done.stdout, done.stderr = capsys.readouterr()
        return done

    return run


# --- The command ----------------------------------------------------------------------


def test_the_parts_are_those_that_can_be_measured() -> None:
    assert bench.PARTS == measuring.PARTS


def test_bench_prints_every_table_and_ends_well(call: Call) -> None:
    done = call("bench")
    assert (done.status, done.stderr) == (0, "")
    assert done.asked == [(["step", "sweep", "suite", "report"], 15, None)]
    for table, under in timings.parts(WHOLE):
        assert table.text() in done.stdout
        assert under in done.stdout
    assert "1 of 2 limits that were measured are kept" in done.stdout
    assert "Measured on c, p, Python 3, NumPy 2." in done.stdout


def test_bench_as_json_is_one_object(call: Call) -> None:
    done = call(
        "bench", "suite", "report", "--rounds", "3", "--data-dir", "d", "--json"
    )
    assert done.status == 0
    assert done.asked == [(["suite", "report"], 3, Path("d"))]
    found = json.loads(done.stdout)
    assert found["ratios"] == {"slow": 1.9, "quick": 0.5, "absent": None}
    assert [BenchRow(**row) for row in found["rows"]] == WHOLE.rows
    assert [BenchRatio(**row) for row in found["limits"]] == RATIOS
    assert found["missing"] == {}
    assert found["environment"]["cpu"] == "c"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["steps"], "unknown part 'steps': expected step, sweep, suite, report"),
        (["--rounds", "2"], "--rounds"),
        (["step", "--figure", "a.svg"], "--figure draws the part sweep, got step"),
        (["step", "--data-dir", "d"], "--data-dir is for the part report, got step"),
        (["--figure", "a.png"], "--figure must name an .svg file, got a.png"),
        (["--figure", "no/a.svg"], "there is no folder no"),
        (["--figure", "other.svg"], "other.svg is neither"),
        (["--figure", "folder.svg"], "folder.svg is neither"),
    ],
)
def test_what_is_unusable_is_refused_before_measuring(
    call: Call, tmp_path: Path, arguments: list[str], said: str
) -> None:
    (tmp_path / "other.svg").write_text("my notes")
    (tmp_path / "folder.svg").mkdir()
    done = call("bench", *arguments)
    assert done.status == 2
    assert said in done.stderr
    assert not done.asked
    assert (tmp_path / "other.svg").read_text() == "my notes"
    assert {p.name for p in tmp_path.iterdir()} == {"other.svg", "folder.svg"}


def test_the_sweep_is_drawn_and_drawn_again(call: Call, tmp_path: Path) -> None:
    for _ in ("new", "replaced"):
        done = call("bench", "sweep", "--figure", "a.svg")
        assert done.status == 0
        assert done.stdout.endswith("a.svg\n")
    root = ElementTree.parse(tmp_path / "a.svg").getroot()
    texts = {element.text for element in root.iter() if element.text}
    assert {"batch size", "hidden size", *CONTENDERS} <= texts
    assert [path.name for path in tmp_path.iterdir()] == ["a.svg"]


def test_a_figure_of_nothing_is_refused_after_the_tables(
    call: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(Called, "measure", lambda *_: PARTIAL["one size"])
    done = call("bench", "sweep", "--figure", "a.svg")
    assert done.status == 2
    assert "no two sizes to draw a line through" in done.stderr
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    ("arguments", "name", "expected"),
    [
        (["--bench", "--jobs", "3"], "digits", (3, ("step", "sweep", "suite"))),
        (["--bench"], "mnist", (None, ("step", "sweep", "suite", "report"))),
        ([], "mnist", (None, ())),
    ],
)
def test_report_asks_for_what_can_be_measured(
    call: Call,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    name: str,
    expected: Any,
) -> None:
    asked = []

    def refuse(*given: Any, jobs: Any, bench: Any, data_dir: Any) -> Results:
        asked.append((jobs, bench))
        raise Unusable("that is enough")

    data = replace(load("digits"), name=name)
    monkeypatch.setattr(choices, "load_dataset", lambda *_: data)
    monkeypatch.setattr(runner, "report", refuse)
    done = call("report", "--implementations", "reference", *arguments)
    assert (done.status, done.stderr) == (2, "gradparity: that is enough\n")
    assert asked == [expected]


@pytest.mark.parametrize(
    ("more", "function"), [([], "train"), (["--seeds", "2"], "train_seeds")]
)
def test_train_passes_jobs_on(
    call: Call, monkeypatch: pytest.MonkeyPatch, more: list[str], function: str
) -> None:
    asked = []

    def train(*given: Any, jobs: int) -> None:
        asked.append(jobs)
        raise Unusable("that is enough")

    monkeypatch.setattr(runner, function, train)
    quick = ["--dataset", "digits", "--implementations", "reference", "--jobs", "5"]
    done = call("train", *quick, *more)
    assert (done.status, asked) == (2, [5]), done.stderr


@pytest.mark.parametrize("option", ["--save", "--checkpoint"])
def test_what_other_processes_train_cannot_be_saved(
    call: Call, tmp_path: Path, option: str
) -> None:
    done = call("train", "--dataset", "digits", "--jobs", "2", option, "folder")
    assert done.status == 2
    assert "--jobs goes without --checkpoint and --save" in done.stderr
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("command", ["train", "report"])
def test_no_jobs_at_all_are_refused(call: Call, command: str) -> None:
    done = call(command, "--jobs", "0")
    assert done.status == 2
    assert "--jobs" in done.stderr


# --- Tables and sentences -------------------------------------------------------------


def table(title: str, bench: Bench = WHOLE) -> Table:
    (found,) = [t for t, _ in timings.parts(bench) if t.title.startswith(title)]
    return found


def test_limits_say_in_words_whether_they_are_kept() -> None:
    assert table("Limits").rows == [
        ["this ÷ that", "1.90", "1.80 to 2.00", "1.6", "no"],
        ["that ÷ this", "0.500", "", "0.5", "yes"],
        ["its memory", "", "", "2.5", "no MNIST here"],
    ]
    first, second = timings.sentences(WHOLE)
    assert first == (
        "1 of 2 limits that were measured are kept; not kept: this ÷ that (1.90, at most "
        "1.6); not measured: 1."
    )
    assert second == (
        "A training step in float32 with 2 threads: reference 305 µs, 1.97 times its "
        "floor; torch 430 µs, 2.69 times its floor."
    )


def test_a_step_is_held_against_the_floor_of_its_framework() -> None:
    found = table("A training step, 1 thread")
    rows = {row[0]: row for row in found.rows}
    assert found.headers[2:] == ["float32, µs", "÷ floor", "float64, µs", "÷ floor"]
    assert rows["torch"][1:4] == ["ours", "430 (387 to 516)", "2.69"]
    assert rows["sklearn"][3] == ""  # it has no floor
    assert [*rows] == [*CONTENDERS]


def test_of_several_floors_the_first_counts() -> None:
    second = timed("step", "numpy floor", 100, 50)
    second.name, second.median = "numpy floor, new arrays", 1e6
    bench = Bench(rows=[*STEPS, second], ratios=[])
    rows = {row[0]: row for row in table("A training step, 2", bench).rows}
    assert rows["reference"][3] == "1.97"


def test_a_contender_without_one_dtype_has_empty_cells() -> None:
    bench = Bench(rows=STEPS[1:], ratios=[])
    rows = {row[0]: row for row in table("A training step, 2", bench).rows}
    assert rows["numpy floor"][2:4] == ["", ""]
    assert rows["reference"][3] == ""


def test_sweeps_go_over_one_size_at_a_time() -> None:
    by_batch, by_hidden = sweeps.sweeps(SWEEP)
    assert (by_batch.sizes, by_hidden.sizes) == ([*BATCHES], [*HIDDEN])
    assert by_batch.fixed == "hidden size 50, float32, 2 threads"
    assert by_hidden.fixed == "batch size 100, float32, 2 threads"
    found = table("µs for a step by batch size")
    assert found.headers == ["contender", "1", "10", "100", "1,000", "10,000"]
    assert found.rows[2] == ["reference", "17.9", "44.0", "305", "2,915", "29,015"]


@pytest.mark.parametrize(
    ("times", "end"),
    [
        ({1: 10.0, 10: 14.9, 100: 15.0}, 10),
        ({1: 10.0, 10: 15.0, 100: 11.0}, 1),  # what is quick again later does not count
        ({100: 11.0, 1: 10.0, 10: 9.0}, 100),
        ({7: 3.0}, 7),
    ],
)
def test_overhead_ends_where_a_step_takes_half_as_long_again(
    times: dict[int, float], end: int
) -> None:
    assert sweeps.overhead_end(times) == end


def test_overhead_is_said_of_both_sizes() -> None:
    found = table("Bound by overhead")
    assert found.headers[2:] == ["up to batch size", "up to hidden size"]
    assert ["torch", "ours", "10", "10"] in found.rows
    flat = [timed("sweep", "torch", batch, 50, median=9) for batch in (1, 10)]
    (row,) = table("Bound by overhead", Bench(rows=flat, ratios=[])).rows
    assert row == ["torch", "ours", "10 or more"]


def test_costs_have_units_and_notes() -> None:
    assert table("What the suite costs").rows == [
        ["gradparity --help", "0.0734", "s", "0.0734 to 0.147", ""],
        ["cases", "4,211", "count", "", ""],
        ["report, float64", "61.2", "s", "61.2 to 122", "on MNIST"],
    ]


def test_notes_of_loops_are_told_once() -> None:
    rows = [timed("step", "sklearn", 100, n, note="without momentum") for n in (1, 2)]
    said = timings.sentences(Bench(rows=rows, ratios=[]))
    assert said == ["sklearn: without momentum."]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        *((None, ""), (0, "0"), (0.00123, "0.00123"), (2, "2.00")),
        *((99.94, "99.9"), (99.96, "100"), (12345.6, "12,346")),
    ],
)
def test_numbers_have_three_digits(value: float | None, said: str) -> None:
    assert sweeps.short(value) == said


# --- The picture ----------------------------------------------------------------------


def test_lines_differ_in_more_than_colour() -> None:
    rows = sweeps.first_of_each(SWEEP)
    looks = styles(rows.values())
    drawn = {(look["marker"], str(look["linestyle"])) for look in looks.values()}
    assert len(drawn) == len(CONTENDERS)
    dashes = {name: looks[name]["linestyle"] for name in looks}
    assert dashes["numpy floor"] == dashes["torch floor"] != dashes["torch"]


def test_the_picture_is_told_in_words_and_is_always_the_same() -> None:
    drawn = speed(WHOLE)
    assert drawn is not None
    assert drawn == speed(WHOLE)
    assert "reference from 17.9 to 29,015, flat up to 1;" in drawn.alt
    assert "over the hidden size from 10 to 2,000 (batch size 100" in drawn.alt
    axis = [r for r in SWEEP if r.batch_size == 100]
    alone = speed(Bench(rows=axis, ratios=[]))
    assert alone is not None
    assert "batch size</" not in alone.svg


# --- The report -----------------------------------------------------------------------


def written(bench: Bench | None, trained: bool = False) -> tuple[str, str]:
    """As a page, and as Markdown."""
    results = sample(("reference",), trained=trained)
    results.bench = bench
    assert results.environment.dataset is not None
    results.environment.dataset.train = results.environment.dataset.test = 10
    figures = [speed(bench)] if bench else []
    drawn = [figure for figure in figures if figure]
    return report_html.render(results, drawn), report_markdown.render(results, drawn)


def section(html: str) -> str:
    start = html.index('<section id="speed"')
    return html[start : html.index("</section>", start)]


def text_of(html: str) -> str:
    """What a reader sees of it."""
    return " ".join(unescape(re.sub("<[^>]*>", " ", html)).split())


@every
def test_whatever_was_measured_is_in_the_report(name: str) -> None:
    bench = Results.model_validate_json(
        sample().model_copy(update={"bench": PARTIAL[name]}).text()
    ).bench
    assert bench == PARTIAL[name]
    html, text = written(bench)
    assert not Reader(html).open
    tables = list(timings.parts(bench))
    assert ('href="#speed"' in html) == bool(tables)
    assert ("## Speed" in text) == bool(tables)
    for each, under in tables:
        assert each.title in text_of(section(html))
        assert under in text_of(section(html))
        assert f"### {each.title}\n\n{each.markdown()}" in text
    drawn = name in ("sweep", "one axis", "whole")
    assert html.count("<svg") == drawn
    assert ("figures/speed.svg" in text) == drawn
    if tables:
        assert ("<svg" in section(html)) == drawn
        assert "Times are those of this machine" in section(html)


def test_the_picture_is_among_those_of_the_report() -> None:
    results = sample(("reference",), trained=False)
    before = draw(results, None)
    results.bench = WHOLE
    assert draw(results, None) == [*before, speed(WHOLE)]


def test_a_report_that_was_not_timed_says_nothing_of_it() -> None:
    html, text = written(None)
    assert "speed" not in html.lower()
    assert "Speed" not in text


def test_tables_are_sorted_by_their_numbers() -> None:
    html = section(written(WHOLE)[0])
    assert '<td class="n" data-sort="305.0">305 (274 to 366)</td>' in html
    assert '<td class="n" data-sort="29015.0">29,015</td>' in html
    assert "<td>yes</td>" in html
    cells = [["a", "1,200", "2.5e-07 0.3", "="], ["b", "", "-3", "7"]]
    keyed = report_html.with_keys(Table("t", ["1", "2", "3", "4"], cells))
    assert [[key for _, key in row] for row in keyed] == [
        [None, "1200.0", "2.5e-07", None],
        [None, "", "-3.0", None],
    ]
    assert report_html.with_keys(Table("t", ["1"], [])) == []


def test_names_are_escaped() -> None:
    rows = [row.model_copy(update={"name": BAD, "note": BAD}) for row in WHOLE.rows]
    ratio = BenchRatio(name=BAD, what=BAD, note=BAD)
    html, _ = written(Bench(rows=rows, ratios=[ratio]))
    assert "<script>alert" not in html
    assert BAD in text_of(section(html))


def test_seconds_of_trainings_side_by_side_are_not_shown() -> None:
    html, text = written(None, trained=True)
    assert "predictions differing" in html
    assert "predictions differing" in text
    assert ">seconds" not in html
    assert "| seconds" not in text
