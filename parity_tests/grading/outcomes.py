"""What is asked of a submission, and what it answers: arrays, and never verdicts.

This is read in the submission's own process, which imports NumPy and nothing else of
ours. Whatever comes back from there is data to be doubted.
"""

from dataclasses import dataclass, field

import numpy as np

from gradparity.parity_tests.grading.course import SUBJECTS

Arrays = dict[str, np.ndarray]

NETWORK = "TwoLayerNet"
GRADED = tuple(SUBJECTS)
# The case in which there is a second object of the class, between forward and backward.
BESIDE = "two objects"


@dataclass(frozen=True, eq=False)
class Call:
    """One forward and the backward after it; or one call of a function.

    `inputs` go by the names of the catalogue: x, y, W, b, t, and for the network W1, b1,
    W2, b2, x, t. Without a `dout`, backward is called without an argument.
    """

    inputs: Arrays
    dout: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Task:
    """Calls that go, one after the other, to one instance of the class `name`."""

    name: str
    case: str
    dtype: str
    calls: tuple[Call, ...]


@dataclass(frozen=True)
class Raised:
    """An exception, and the line of the submission that it came from, if it was one; of a
    notebook, the cell and the line in it.
    """

    kind: str
    message: str
    file: str | None = None
    line: int | None = None
    source: str = ""
    cell: int | None = None

    @property
    def said(self) -> str:
        """`ValueError: its message`; of a rule that was broken there is no kind."""
        return ": ".join(filter(None, (self.kind, self.message)))


@dataclass(frozen=True)
class Remark:
    """Something that was seen beside the numbers.

    `kind` is one of: `wrote` (into the argument that `what` names), `shares` (a result
    shares memory with an argument: `what` is "dx, dout"), `overwrote` (an array that it
    had returned before changed later: `what` is its quantity), `type` (a result is no
    array and no number: `what` is "out, list"), `not restored` (numerical_gradient left x
    changed), `uses` (on the first call of a task, of another class or function of the
    submission, which `what` names; of what may be built from others alone), `named` (a
    gradient or parameter has another name than the book's: `what` is "dW, dw"), `called`
    (a method has: "gradient, grad"),
    `made` (it makes the array `what` itself, and was given ours), `needless` (its
    constructor takes an argument that is of no use), `differences` (a gradient is found by
    central differences), `rebinds` (an optimizer puts a new array in the place of the
    parameter `what`), `lists` (it takes lists, and no dictionaries).
    """

    kind: str
    what: str


@dataclass(frozen=True, eq=False)
class Outcome:
    """What came of call number `call` (from 0) of a task.

    `results` are `out` and `d...` of a layer, `out` of a function, `gradient` of
    numerical_gradient, predict, loss, accuracy, dW1, db1, dW2 and db2 of a network, and
    W1, b1, W2 and b2 of an optimizer.
    What the submission has no means to answer is not in there. After an exception there
    are those that came before it.
    """

    name: str
    case: str
    dtype: str
    call: int
    results: Arrays = field(default_factory=dict)
    raised: Raised | None = None
    remarks: tuple[Remark, ...] = ()


@dataclass(frozen=True)
class Note:
    """Something that was seen while a submission was loaded.

    `kind` is one of: `top level` (the code at the top level of the file `what` was left
    out, as it `raised`, or as a rule was broken, which is `raised.message`), `lent` (the
    file `what` was handed out, or is the lecture's own), `absent` (the module `what` is not
    installed), `cupy` (NumPy was used for the module `what`), `not loaded` (the file `what`
    could not be loaded, as it `raised`), and `replaced` (an import came after the subject
    `what` was defined, and took its name).
    """

    kind: str
    what: str
    raised: Raised | None = None


@dataclass(frozen=True, eq=False)
class Ran:
    """What came of a submission as a whole.

    Either it could not be loaded (`unloadable`), or it broke a rule, which `broke` tells
    in a sentence, with what had come until then; or neither. `offered` are the names of
    GRADED that it has; `notes` are what was seen while it was loaded. `printed` is how many
    characters it wrote to standard output, and `first_printed` the first line of them.
    `reached_for` are files that it tried to read and had not brought, the first of them.
    """

    offered: tuple[str, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    unloadable: Raised | None = None
    broke: str | None = None
    printed: int = 0
    first_printed: str = ""
    reached_for: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()
    seconds: float = 0.0
