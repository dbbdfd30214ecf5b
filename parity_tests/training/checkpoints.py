"""Saves what a training yields at every stop, and goes on from there.

What is yielded, and the optimizer's state, is all the state there is: the mini-batches
are fixed beforehand. So a checkpoint is one stop, and
to resume is to yield what is stored once more, and then to train from the last of it.
Whatever is computed from the stops has the same bits as without the interruption.

    DIR/run.json                               what the run is, and which versions made it
    DIR/<implementation>-<dtype>/<step>.npz    a stop:

        W1, b1, W2, b2   the parameters after the step
        state.NAME       of the optimizer, after the step; gradient descent has none
        losses           of every step since the stop before
        accuracies       on the training and the test set, or empty
        seconds          since the stop before
        belongs          the run (its SHA-256), implementation, dtype and step

Every file is all there or absent, even after SIGKILL; damage that comes later is noticed
by the CRC-32 of the `.npz` format.
"""

import hashlib
import io
import json
import time
import zipfile
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np

from gradparity.parity_tests.implementations.contract import Arrays, Implementation
from gradparity.parity_tests.training.plan import Plan
from gradparity.reference.data.cleanup import UNFINISHED, remove_abandoned, write_whole
from gradparity.reference.data.reading import MIB, parse_json, read_regular

RUN = "run.json"
LARGEST = (
    64 * MIB
)  # bytes of a stop, which has half a million in the lecture's training
STATE = "state."  # before the names of the optimizer's arrays
Software = dict[str, Any]
Accuracies = tuple[float, ...] | None  # on the training and the test set
Stop = tuple[int, Arrays, np.ndarray, Accuracies]


class CheckpointError(ValueError):
    """The checkpoints cannot be used, or not be written."""


class Damaged(Exception):
    """A file is not the checkpoint that it should be."""


class Stored(NamedTuple):
    """A stop as it is in a file."""

    params: Arrays
    state: Arrays
    losses: np.ndarray
    accuracies: Accuracies
    seconds: float


@dataclass
class Checkpoints:
    """The checkpoints of one run, in a folder.

    `tell` is given a sentence whenever a training does not begin at its beginning.
    """

    folder: Path
    sha256: str
    tell: Callable[[str], object]
    _spent: dict[tuple[str, str], float] = field(default_factory=dict)
    failure: str | None = None  # why no more are written

    @classmethod
    def open(
        cls,
        folder: Path,
        plan: Plan,
        resume: bool,
        software: Software,
        tell: Callable[[str], object],
    ) -> Self:
        """Begin a run in a new or empty folder, or resume the one that is in it.

        Args:
            folder: made if it is not there.
            plan: of the run.
            resume: whether there may be checkpoints already; there need not be.
            software: versions, threads and switches that may change bits, by name.
            tell: called with remarks, each a sentence.

        Raises:
            CheckpointError: there are files and `resume` is False, or they are of
                another run, or of none; nothing is written then.
            OSError: the folder cannot be written in.
        """
        run = description(plan)
        found = [*folder.iterdir()] if folder.exists() else []
        if found and not resume:
            raise CheckpointError(
                f"--checkpoint must name a new or empty directory, but {folder} is not "
                f"empty: --resume goes on from the checkpoints in it"
            )
        made_with: list[Software] = []
        if any(path.suffix != UNFINISHED for path in found):
            there, made_with = _read_run(folder)
            if there != run:
                raise CheckpointError(
                    f"--resume: the checkpoints in {folder} are of another run: "
                    f"{_difference(there, run)}"
                )
        for other in made_with:
            if changed := _changes(other, software):
                tell(
                    f"checkpoints in {folder} were made with {changed}: the results may "
                    f"not be bit for bit those of an uninterrupted run"
                )
        folder.mkdir(parents=True, exist_ok=True)
        for each in (folder, *filter(Path.is_dir, folder.iterdir())):
            remove_abandoned(each, ".", UNFINISHED)
        if software not in made_with:
            made_with.append(software)
        text = json.dumps({"run": run, "made with": made_with}, indent=2)
        try:
            write_whole(folder / RUN, text.encode())
        except OSError as error:
            raise CheckpointError(
                f"--checkpoint: {folder / RUN} cannot be written "
                f"({error.strerror or error})"
            ) from error
        return cls(folder, run["SHA-256"], tell)

    def train(
        self,
        implementation: Implementation,
        params: Arrays,
        train_set: tuple[np.ndarray, np.ndarray],
        test_set: tuple[np.ndarray, np.ndarray],
        batches: np.ndarray,
        learning_rate: float = 0.1,
        *,
        stops: Collection[int] = (),
        evaluate: Collection[int] = (),
    ) -> Iterator[Stop]:
        """As `implementation.train`, which it is from the first stop that is not stored.

        The training goes on where a checkpoint cannot be written: `failure` says so then,
        and none comes after it.
        """
        assert implementation.train is not None
        stops = sorted({stop for stop in stops if 0 < stop < len(batches)})
        stops.append(len(batches))
        name, dtype = implementation.name, dtype_of(params)
        self._spent[name, dtype], done = 0.0, 0
        state: Arrays = {}
        for step, stored in self._stored(name, params, stops, evaluate):
            yield step, stored.params, stored.losses, stored.accuracies
            self._spent[name, dtype] += stored.seconds
            params, state, done = stored.params, stored.state, step
        if done == len(batches):
            return
        since = time.perf_counter()
        for more, reached, losses, accuracies in implementation.train(
            params,
            train_set,
            test_set,
            batches[done:],
            learning_rate,
            stops=[stop - done for stop in stops if stop > done],
            evaluate=[stop - done for stop in evaluate if stop > done],
            state=state,
        ):
            step = done + more
            now = time.perf_counter()
            stored = Stored(reached, state, losses, accuracies, now - since)
            self._write(name, dtype, step, stored)
            yield step, reached, losses, accuracies
            since = now

    def spent(self, name: str, dtype: str) -> float:
        """How many seconds the stops took that this training found stored."""
        return self._spent[name, dtype]

    def _stored(
        self, name: str, params: Arrays, stops: list[int], evaluate: Collection[int]
    ) -> Iterator[tuple[int, Stored]]:
        """The stops that are stored without a gap, whole; says where that ends."""
        dtype = dtype_of(params)
        done, remark = 0, ""
        last = max((s for s in stops if self._path(name, dtype, s).exists()), default=0)
        for step in stops:
            if step > last:
                break
            path = self._path(name, dtype, step)
            try:
                stored = read(path, self._belongs(name, dtype, step))
                _check(stored, params, step - done, step in evaluate)
            except Damaged as damage:
                remark = f"{path} is not used, {damage}: "
                break
            yield step, stored
            done = step
        if done < last or 0 < done < stops[-1]:
            start = f"from step {done}" if done else "from the beginning"
            self.tell(f"{remark}{name} in {dtype} goes on {start}")

    def _path(self, name: str, dtype: str, step: int) -> Path:
        return self.folder / f"{name}-{dtype}" / f"{step:08}.npz"

    def _belongs(self, name: str, dtype: str, step: int) -> str:
        return f"{self.sha256} {name} {dtype} {step}"

    def _write(self, name: str, dtype: str, step: int, stop: Stored) -> None:
        values: dict[str, Any] = {
            **stop.params,
            **{STATE + name: value for name, value in stop.state.items()},
            "losses": stop.losses,
            "accuracies": np.array(stop.accuracies or (), np.float64),
            "seconds": stop.seconds,
            "belongs": self._belongs(name, dtype, step),
        }
        file = io.BytesIO()
        np.savez(file, **values)
        path = self._path(name, dtype, step)
        if self.failure is not None:
            return
        try:
            path.parent.mkdir(exist_ok=True)
            write_whole(path, file.getvalue())
        except OSError as error:
            self.failure = (
                f"{path} cannot be written ({error.strerror or error}); --resume goes "
                f"on from the checkpoints before it"
            )
            self.tell(self.failure)


def description(plan: Plan) -> dict[str, Any]:
    """What tells one run from another, in words as far as there are any."""
    data = plan.dataset
    seen = hashlib.sha256()
    fixed = {
        **plan.params,
        "batches": plan.batches,
        "x_train": data.x_train,
        "t_train": data.t_train,
        "x_test": data.x_test,
        "t_test": data.t_test,
        "learning rate": np.array(plan.learning_rate),
        "stops": np.array(plan.stops),
        "epoch steps": np.array(plan.epoch_steps),
    }
    for name, value in fixed.items():
        seen.update(f"{name} {value.dtype.str} {value.shape} ".encode())
        seen.update(np.ascontiguousarray(value).data)
    return {
        "data set": data.name,
        "steps": plan.steps,
        "batch size": plan.batches.shape[1],
        "learning rate": plan.learning_rate,
        "seed": plan.seed,
        "saved states": len(plan.stops),
        "SHA-256": seen.hexdigest(),
    }


def _read_run(folder: Path) -> tuple[dict[str, Any], list[Software]]:
    try:
        found = parse_json(read_regular(folder / RUN, MIB))
        return dict(found["run"]), list(map(dict, found["made with"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not one of ours"
        raise CheckpointError(
            f"--resume: {folder} is not empty and holds no checkpoints: "
            f"{RUN} cannot be read ({reason})"
        ) from error


def _difference(there: dict[str, Any], here: dict[str, Any]) -> str:
    """Every setting that differs; or, if none has a name, what else it can be."""
    named = [
        f"{name} {there.get(name)} there, {value} here"
        for name, value in here.items()
        if name != "SHA-256" and there.get(name) != value
    ]
    return "; ".join(named) or (
        "the initial parameters, the mini-batches, the data or the steps at which it is "
        "saved differ"
    )


def _changes(there: Software, here: Software) -> str:
    names = sorted(
        name for name in {*there, *here} if there.get(name) != here.get(name)
    )
    return ", ".join(f"{n} {there.get(n)} (now {here.get(n)})" for n in names)


def read(path: Path, belongs: str) -> Stored:
    """The stop in a file; `Damaged` unless it is whole and belongs where it is."""
    if not path.exists():
        raise Damaged("it is missing")
    try:
        content = read_regular(path, LARGEST)
        with zipfile.ZipFile(io.BytesIO(content)) as parts:
            if sum(part.file_size for part in parts.infolist()) > len(content):
                raise ValueError("it would unfold to more than there is in it")
            broken = parts.testzip()
        if broken is not None:
            raise ValueError(f"{broken} is not as it was written")
        with np.load(io.BytesIO(content), allow_pickle=False) as found:
            values = {name: found[name] for name in found.files}
        came = str(values.pop("belongs"))
        losses, accuracies = values.pop("losses"), map(float, values.pop("accuracies"))
        seconds = float(values.pop("seconds"))
        evaluated = tuple(accuracies) or None
    except Exception as error:  # what comes of damage differs from byte to byte
        reason = getattr(error, "strerror", None) or error or type(error).__name__
        raise Damaged(f"it cannot be read ({reason})") from error
    if came != belongs:
        raise Damaged(f"it belongs to another run or place ({came})")
    state = {n: values.pop(n) for n in [*values] if n.startswith(STATE)}
    state = {name.removeprefix(STATE): value for name, value in state.items()}
    return Stored(values, state, losses, evaluated, seconds)


def _check(stored: Stored, like: Arrays, steps: int, evaluated: bool) -> None:
    """`Damaged` unless the arrays are such as the training yields there."""
    came, expected = (
        {name: (value.shape, value.dtype) for name, value in params.items()}
        for params in (stored.params, like)
    )
    accuracies = len(stored.accuracies or ())
    if (came, stored.losses.shape, accuracies) != (expected, (steps,), 2 * evaluated):
        raise Damaged("it holds arrays of other names, shapes or dtypes")
    arrays = [*stored.params.values(), *stored.state.values(), stored.losses]
    numbers = [*arrays, np.array(stored.accuracies or ()), np.array(stored.seconds)]
    if not all(n.dtype.kind in "biuf" and np.isfinite(n).all() for n in numbers):
        raise Damaged("it holds infinite numbers, NaN or what is no number")


def dtype_of(params: Arrays) -> str:
    """The name of the dtype that all parameters have."""
    return str(next(iter(params.values())).dtype.name)
