"""How tasks go to a submission's process and results come back: JSON and raw bytes.

Never pickle, which would run what it reads. A message is two lengths, a header in JSON,
and the bytes of the arrays that the header describes. Both sides write with `packed`;
what is read is checked for all that NumPy would not like, and no more: whether it was
asked for is for the reader to know.
"""

import json
import math
import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from gradparity.parity_tests.grading.outcomes import (
    Call,
    Note,
    Outcome,
    Raised,
    Remark,
    Task,
)

LENGTHS = struct.Struct(">II")
MOST_HEADER = 1 << 16
MOST_DIMENSIONS = 8
DTYPES = frozenset(np.dtype(code).str for code in "?bhilqBHILQefdg")
LONGEST = 300  # characters of a message or a line

Message = tuple[dict[str, Any], list[np.ndarray]]
# Whatever a submission puts in their place later, these are the ones that are used.
_to_json, _plain, _dtype, _pack = json.dumps, np.array, np.dtype, LENGTHS.pack


class Malformed(ValueError):
    """What was read is no message."""


class NoNumbers(TypeError):
    """An array that is to be sent holds something else than real numbers."""


def short(text: str) -> str:
    """At most `LONGEST` characters, and such as can be written to any file."""
    cut = text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
    return cut.encode("utf-8", "replace").decode("utf-8")


def packed(header: dict[str, Any], arrays: Iterable[np.ndarray] = ()) -> bytes:
    """A message, with the arrays in this machine's byte order.

    Raises:
        NoNumbers: the arrays are of something else.
    """
    plain = [_plain(array, subok=False) for array in arrays]
    for at, array in enumerate(plain):
        native = array.dtype.newbyteorder("=")
        if native.str not in DTYPES:
            raise NoNumbers(f"an array of {array.dtype}, expected numbers")
        plain[at] = array.astype(native, copy=False)
    described = [[array.dtype.str, list(array.shape)] for array in plain]
    head = _to_json(header | {"arrays": described}).encode("ascii")
    body = b"".join([array.tobytes() for array in plain])
    return _pack(len(head), len(body)) + head + body


class Reader:
    """Takes bytes as they come and gives messages as they are complete."""

    def __init__(self, most_body: int) -> None:
        self._bytes, self._most_body = bytearray(), most_body

    def feed(self, more: bytes) -> Iterator[Message]:
        """Raises Malformed; then nothing more can be read."""
        self._bytes += more
        while len(self._bytes) >= LENGTHS.size:
            head, body = LENGTHS.unpack_from(self._bytes)
            if head > MOST_HEADER or body > self._most_body:
                raise Malformed(f"a message of {head} and {body} bytes")
            end = LENGTHS.size + head + body
            if len(self._bytes) < end:
                return
            with memoryview(self._bytes) as whole:
                message = _unpacked(
                    bytes(whole[LENGTHS.size : LENGTHS.size + head]),
                    bytes(whole[LENGTHS.size + head : end]),
                )
            del self._bytes[:end]
            yield message

    def end(self) -> None:
        """Raises Malformed if something is left over."""
        if self._bytes:
            raise Malformed(f"{len(self._bytes)} bytes that are no message")


def _unpacked(head: bytes, body: bytes) -> Message:
    try:
        header = json.loads(head)
    except (ValueError, RecursionError) as error:
        raise Malformed("a header that is not JSON") from error
    described = header.pop("arrays", None) if isinstance(header, dict) else None
    if not isinstance(described, list):
        raise Malformed("a header that describes no arrays")
    arrays: list[np.ndarray] = []
    start = 0
    for each in described:
        dtype, shape = _described(each)
        size = dtype.itemsize * math.prod(shape)
        if size > len(body) - start:
            raise Malformed("an array that is not there")
        array = np.frombuffer(body, dtype, math.prod(shape), start)
        try:  # an array may be empty, and yet larger than any can be
            arrays.append(array.reshape(shape).copy())
        except ValueError as error:
            raise Malformed("an array that none can be") from error
        start += size
    if start != len(body):
        raise Malformed("bytes that are in no array")
    return header, arrays


def _described(each: object) -> tuple[np.dtype, tuple[int, ...]]:
    match each:
        case [str(code), [*lengths]] if code in DTYPES:
            shape = tuple(n for n in lengths if type(n) is int and 0 <= n < 1 << 31)
            if len(shape) == len(lengths) <= MOST_DIMENSIONS:
                return _dtype(code), shape
    raise Malformed("an array that is none")


def of_task(task: Task) -> bytes:
    """A task as a message."""
    calls: list[dict[str, Any]] = []
    arrays: list[np.ndarray] = []
    for call in task.calls:
        calls.append({"inputs": [*call.inputs], "dout": call.dout is not None})
        arrays += call.inputs.values()
        arrays += [] if call.dout is None else [call.dout]
    header = {"name": task.name, "case": task.case, "dtype": task.dtype, "calls": calls}
    return packed(header, arrays)


def to_task(message: Message) -> Task:
    """The task of a message, which is ours: it is not doubted."""
    header, arrays = message
    left = iter(arrays)
    calls = []
    for call in header["calls"]:
        inputs = {name: next(left) for name in call["inputs"]}
        calls.append(Call(inputs, next(left) if call["dout"] else None))
    return Task(header["name"], header["case"], header["dtype"], tuple(calls))


def of_raised(raised: Raised | None) -> dict[str, Any] | None:
    """An exception for a header."""
    if raised is None:
        return None
    texts = {name: getattr(raised, name) for name in ("kind", "message", "source")}
    cut = {name: short(text) for name, text in texts.items()}
    return cut | {"file": raised.file, "line": raised.line, "cell": raised.cell}


def to_raised(value: object) -> Raised | None:
    """The exception in a header.

    Raises:
        Malformed: it is none.
    """
    match value:
        case None:
            return None
        case {
            "kind": str(kind),
            "message": str(message),
            "source": str(source),
            "file": None | str() as file,
            "line": None | int() as line,
            "cell": None | int() as cell,
        } if _is_number(line) and _is_number(cell):
            told = file if file is None else short(file)
            return Raised(short(kind), short(message), told, line, short(source), cell)
    raise Malformed("an exception that is none")


def _is_number(value: int | None) -> bool:
    """Whether it is that of a line or a cell, or none."""
    return value is None or (type(value) is int and 0 <= value < 1 << 31)


def of_note(note: Note) -> list[Any]:
    """A note for a header."""
    return [note.kind, short(note.what), of_raised(note.raised)]


def to_note(value: object) -> Note:
    """The note in a header.

    Raises:
        Malformed: it is none.
    """
    match value:
        case [str(kind), str(what), raised]:
            return Note(short(kind), short(what), to_raised(raised))
    raise Malformed("a note that is none")


def of_outcome(outcome: Outcome) -> bytes:
    """An outcome as a message.

    Raises:
        NoNumbers: one of the results is of something else.
    """
    header = {
        "kind": "outcome",
        "name": outcome.name,
        "case": outcome.case,
        "dtype": outcome.dtype,
        "call": outcome.call,
        "results": [*outcome.results],
        "raised": of_raised(outcome.raised),
        "remarks": [[remark.kind, short(remark.what)] for remark in outcome.remarks],
    }
    return packed(header, outcome.results.values())


def to_outcome(message: Message) -> Outcome:
    """The outcome in a message, of whatever task.

    Raises:
        Malformed: it is none.
    """
    header, arrays = message
    match header:
        case {
            "name": str(name),
            "case": str(case),
            "dtype": str(dtype),
            "call": int(call),
            "results": [*quantities],
            "raised": raised,
            "remarks": [*remarks],
        } if (
            type(call) is int
            and texts(quantities)
            and len({*quantities}) == len(quantities) == len(arrays)
        ):
            results = dict(zip(quantities, arrays, strict=True))
            said = tuple(_remark(remark) for remark in remarks)
            return Outcome(name, case, dtype, call, results, to_raised(raised), said)
    raise Malformed("an outcome that is none")


def texts(values: Sequence[object]) -> bool:
    """Are they all strings?"""
    return all(isinstance(value, str) for value in values)


def _remark(value: object) -> Remark:
    match value:
        case [str(kind), str(what)]:
            return Remark(short(kind), short(what))
    raise Malformed("a remark that is none")
