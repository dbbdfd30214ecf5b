"""Ways of computing that are right and lose digits, seen in a program: they are told, also
where the numbers at hand show nothing of it.
"""

from collections.abc import Iterator

from gradparity.parity_tests.functions.programs import Executed, Recording
from gradparity.reference.rounding.programs import Step

LOSES = "which loses digits where"


class Reader:
    """Looks at how values of a program come about."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.makers = {step.name: step for step in recording.program}

    def made(self, name: str, *operations: str) -> Step | None:
        """The step that makes a value, past what only moves it, if it is one of these."""
        step = self.makers.get(name)
        while step is not None and step.operation.name in (
            "move",
            "reshape",
            "broadcast",
        ):
            step = self.makers.get(step.operands[0])
        return step if step is not None and step.operation.name in operations else None

    def source(self, name: str) -> str:
        """The value, before it was moved."""
        step = self.makers.get(name)
        while step is not None and step.operation.name in (
            "move",
            "reshape",
            "broadcast",
        ):
            name = step.operands[0]
            step = self.makers.get(name)
        return name

    def squared(self, name: str) -> str | None:
        """What a value is the square of."""
        step = self.made(name, "multiply", "power")
        if step is None:
            return None
        if step.operation.name == "power":
            return (
                self.source(step.operands[0])
                if step.settings["exponent"] == 2
                else None
            )
        first, second = map(self.source, step.operands)
        return first if first == second else None

    def averaged(self, name: str) -> str | None:
        """What a value is the mean of."""
        over = self.made(name, "over", "scale")
        total = None if over is None else self.made(over.operands[0], "sum")
        return None if total is None else self.source(total.operands[0])

    def executed(self, step: Step) -> Executed | None:
        number = self.recording.owner(step.name)
        return None if number is None else self.recording.executed[number]


def remarks(recording: Recording) -> Iterator[str]:
    """Sentences, without a full stop, about steps that lose digits, each once."""
    reader = Reader(recording)
    told = set()
    for step in reader.makers.values():
        said = one_pass(reader, step) or near_one(reader, step)
        executed = reader.executed(step)
        if said is None or executed is None or executed.phase == "backward":
            continue
        where = f" ({executed.where})" if executed.where else ""
        if said + where not in told:
            told.add(said + where)
            yield said + where


def one_pass(reader: Reader, step: Step) -> str | None:
    """E[x^2] - E[x]^2."""
    if step.operation.name != "subtract":
        return None
    whole, mean = step.operands
    squares = reader.averaged(whole)
    x = None if squares is None else reader.squared(squares)
    middle = reader.squared(mean)
    if x is None or middle is None or reader.averaged(middle) != x:
        return None
    return (
        f"a variance is computed as E[x^2] - E[x]^2, {LOSES} the mean is large against "
        "the deviation"
    )


def near_one(reader: Reader, step: Step) -> str | None:
    """log(1 + x) and exp(x) - 1."""
    if step.operation.name == "log":
        inner = reader.made(step.operands[0], "add")
        if inner is not None and "= 1.0" in inner.operands:
            return (
                f"a logarithm is taken of 1 + x, {LOSES} x is small; log1p(x) does not"
            )
    minus_one = step.operation.name == "subtract" and step.operands[1] == "= 1.0"
    if minus_one and reader.made(step.operands[0], "exp") is not None:
        return f"1 is subtracted from exp(x), {LOSES} x is small; expm1(x) does not"
    return None
