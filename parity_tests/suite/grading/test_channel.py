"""The channel that results come through: whatever is written to it is an answer or a
disturbance, in bounded memory, and nothing is printed where it is read.
"""

import json
import tracemalloc
from pathlib import Path
from textwrap import dedent
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradparity.parity_tests.grading import launching, messages
from gradparity.parity_tests.grading.confinement import Limits
from gradparity.parity_tests.grading.grade import grade
from gradparity.parity_tests.grading.judging import judge
from gradparity.parity_tests.grading.messages import LENGTHS, Malformed, Reader
from gradparity.parity_tests.grading.outcomes import (
    Call,
    Outcome,
    Raised,
    Ran,
    Remark,
    Task,
)
from gradparity.parity_tests.grading.tasks import tasks_of
from gradparity.parity_tests.suite.grading.test_launching import RELU, loaded, written

TASK = Task(
    *("Relu", "batch", "float64"),
    calls=(Call({"x": np.zeros(2)}, np.zeros(2)), Call({"x": np.zeros(2)})),
)
READY = messages.packed({"kind": "ready"})
OFFERED = messages.packed({"kind": "offered", "names": ["Relu"]})
RAISED = Raised("ValueError", "no", "layers.py", 3, "x = 1")
OUTCOME: dict[str, Any] = {
    **{"kind": "outcome", "name": "Relu", "case": "batch", "dtype": "float64"},
    **{"call": 0, "results": ["out"], "raised": None, "remarks": []},
}
DISTURBED = "disturbed the channel that results go through"


def framed(header: object, body: bytes = b"") -> bytes:
    """A message as a submission may forge it."""
    head = header if isinstance(header, bytes) else json.dumps(header).encode()
    return LENGTHS.pack(len(head), len(body)) + head + body


def heard(*sent: bytes) -> launching._Answers:
    """What is made of it; an exception that is not foreseen is raised."""
    answers = launching._Answers([TASK], Limits(answer_size=1 << 20))
    for message in (READY, *sent):
        if not answers.take(message):
            break
    if answers.mistake is not None:
        raise answers.mistake
    return answers


# --- Forgeries ------------------------------------------------------------------------

MOST = (1 << 31) - 1
FORGED: dict[str, dict[str, Any]] = {
    "an empty array of any size": {"arrays": [["<f8", [0, MOST, MOST, MOST]]]},
    "a call that is no number": {"call": True, "arrays": [["<f8", [0]]]},
    "a line that is no number": {
        "raised": messages.of_raised(RAISED) | {"line": True},  # type: ignore[operator]
        "arrays": [["<f8", [0]]],
    },
    "a surrogate": {"name": "\ud800", "arrays": [["<f8", [0]]]},
    "many arrays": {"arrays": [["|b1", [0]]] * 4000},
    "a number of many digits": {"call": 10**4000, "arrays": [["<f8", [0]]]},
    "no number": {"call": float("nan"), "arrays": [["<f8", [0]]]},
}


@pytest.mark.parametrize("kind", FORGED)
def test_what_is_forged_is_a_disturbance(kind: str) -> None:
    assert heard(OFFERED, framed({**OUTCOME, **FORGED[kind]})).disturbed == DISTURBED


@pytest.mark.parametrize(
    "head",
    [
        b'{"a": ' * 10000,
        b"[" * 65536,
        b"9" * 65536,
        b'{"call": ' + b"9" * 5000 + b', "arrays": []}',
        b"\xff\xfe{\0}",
        b"\0\0\0{",
        b'{"arrays": [], "arrays": 1}',
        b"",
    ],
    ids=lambda head: repr(head)[:20],
)
def test_a_forged_header_is_a_disturbance(head: bytes) -> None:
    assert heard(OFFERED, framed(head)).disturbed == DISTURBED


def test_a_mistake_of_ours_is_not_told_as_theirs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def to_outcome(message: object) -> None:
        raise ZeroDivisionError("of ours")

    monkeypatch.setattr(messages, "to_outcome", to_outcome)
    result = grade(written(tmp_path, layers=RELU))
    assert result.problem == "could not be graded: ZeroDivisionError: of ours"


def test_a_message_is_held_twice_at_most() -> None:
    body = bytes(4 << 20)
    sent = framed(OUTCOME | {"arrays": [["<f8", [len(body) // 8]]]}, body)
    reader = Reader(len(body))
    tracemalloc.start()
    try:
        for at in range(0, len(sent), 1 << 16):
            for _ in reader.feed(sent[at : at + (1 << 16)]):
                pass
        assert tracemalloc.get_traced_memory()[1] < 3.5 * len(body)
    finally:
        tracemalloc.stop()


# --- Fuzzing --------------------------------------------------------------------------

PLAIN = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([-1, 1 << 31, 1 << 63, MOST, 10**4000])
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["Relu", "batch", "float64", "out", "dx", "x", "\ud800"])
)
VALUES = st.recursive(
    PLAIN,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=4,
)
ARRAYS = st.lists(
    st.tuples(
        st.sampled_from([*sorted(messages.DTYPES), "O", ">f8"]),
        st.lists(st.sampled_from([0, 1, 2, MOST, -1, 1 << 31]), max_size=9),
    ),
    max_size=2,
)
FIELDS = {
    **dict.fromkeys(OUTCOME, VALUES),
    **dict.fromkeys(("names", "sentence", "where"), VALUES),
    "kind": st.sampled_from(["outcome", "offered", "broke", "unloadable", "end"])
    | VALUES,
    "raised": VALUES
    | VALUES.map(lambda value: messages.of_raised(RAISED) | {"line": value}),  # type: ignore[operator]
    "arrays": ARRAYS | VALUES,
}
HEADERS = st.fixed_dictionaries({}, optional=FIELDS).map(
    lambda fields: OUTCOME | {"arrays": [["<f8", [2]]]} | fields
)
RIGHT = (
    *(OFFERED, messages.packed({"kind": "end"})),
    messages.of_outcome(
        Outcome(
            *("Relu", "batch", "float64", 1),
            results={"out": np.zeros(2), "dx": np.array(True)},
            raised=RAISED,
            remarks=(Remark("wrote", "x"),),
        )
    ),
)


@st.composite
def garbled(draw: st.DrawFn) -> bytes:
    content = bytearray(draw(st.sampled_from(RIGHT)))
    for at in draw(st.lists(st.integers(0, len(content) - 1), max_size=3)):
        content[at] = draw(st.integers(0, 255))
    return bytes(content)


SENT = st.lists(
    st.binary(max_size=30)
    | garbled()
    | st.builds(framed, HEADERS, st.binary(max_size=17) | st.just(bytes(16))),
    max_size=5,
)


def is_told(sent: list[bytes]) -> None:
    """It is heard or a disturbance; and what is heard can be written anywhere."""
    answers = heard(OFFERED, *sent)
    assert answers.disturbed in (None, DISTURBED)
    ran = answers.ran(None, launching._Printed(), 1.0)
    for outcome in ran.outcomes:
        raised = outcome.raised or RAISED
        said = [remark.kind + remark.what for remark in outcome.remarks]
        said += [raised.kind, raised.message, raised.source, raised.file or ""]
        for text in said:
            assert len(text) <= 2 * messages.LONGEST
            text.encode()
        for array in outcome.results.values():
            assert array.dtype.str in messages.DTYPES


@given(SENT)
def test_whatever_is_sent_is_told(sent: list[bytes]) -> None:
    is_told(sent)


@pytest.mark.deep
@settings(max_examples=20_000, derandomize=False)
@given(SENT)
def test_much_more_that_is_sent_is_told(sent: list[bytes]) -> None:
    is_told(sent)


@given(st.binary(max_size=60), st.integers(1, 9))
def test_it_does_not_matter_in_which_pieces_it_comes(more: bytes, size: int) -> None:
    def read(step: int) -> list[str]:
        sent, reader, found = RIGHT[2] + more, Reader(1 << 10), []
        try:
            for at in range(0, len(sent), step):
                for message in reader.feed(sent[at : at + step]):
                    found.append(repr(message))
            reader.end()
        except Malformed:
            found.append("malformed")
        return found

    assert read(size) == read(1 << 10)


# --- Numbers --------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["f", "d", "e", "g", "q", "?"])
def test_numbers_of_any_bits_are_judged_without_a_warning(code: str) -> None:
    """Signalling NaN among them: what warns is an error here."""
    signalling = {"e": "007c01", "f": "7f800001", "d": "7ff0000000000001"}
    bits = bytes.fromhex(signalling.get(code, "ffee0123456789abcdef"))[::-1]
    outcomes = []
    for task in tasks_of("Relu"):
        for number, call in enumerate(task.calls):
            shape = call.inputs["x"].shape
            raw = bits * (call.inputs["x"].size * 16)
            size = call.inputs["x"].size * np.dtype(code).itemsize
            array = np.frombuffer(raw[:size], code).reshape(shape)
            results = {"out": array, "dx": array}
            about = (task.name, task.case, task.dtype, number)
            outcomes.append(Outcome(*about, results=results))
    graded = judge("a.py", Ran(offered=("Relu",), outcomes=tuple(outcomes)))
    assert graded.status == "fail"


def test_the_order_of_bytes_does_not_matter(tmp_path: Path) -> None:
    swapped = """
    for name in ("forward", "backward"):
        def method(self, x, right=getattr(Relu, name)):
            found = right(self, x)
            return found.astype(found.dtype.newbyteorder(">"))
        setattr(Relu, name, method)
    """
    graded = judge("a.py", loaded(tmp_path, layers=RELU + dedent(swapped)))
    assert (graded.status, graded.warnings) == ("pass", [])


# --- What is printed ------------------------------------------------------------------


@pytest.mark.parametrize("printed", [b"x", "レ".encode(), b"\x80", b"\xff"])
def test_what_is_printed_is_limited_in_bytes(
    printed: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launching, "MOST_PRINTED", 1 << 20)
    found = launching._Printed()
    assert found.take(printed * ((1 << 20) // len(printed)))
    assert not found.take(printed)
    assert found.excess == "printed more than 1 MiB"
