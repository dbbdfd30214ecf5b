"""`results.json`: one run of the suite, written, and read back with its mistakes named."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field, ValidationError

from gradparity.parity_tests.measuring import records
from gradparity.parity_tests.measuring.elementary import Measured
from gradparity.reference.data.reading import MIB, parse_json, read_regular
from gradparity.reports.visible import is_seen

if TYPE_CHECKING:
    from gradparity.reference.datasets import Dataset

LARGEST = 64 * MIB  # bytes of a file; the published one has four million
ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False)


class UnreadableResults(ValueError):
    """A file is not a `results.json` of this schema."""


class DatasetInfo(records.Record):
    """The data set of a run; sha256 by file."""

    name: str
    source: str
    why: str = ""
    sha256: dict[str, str] | None = None
    train: int | None = None
    test: int | None = None

    @classmethod
    def of(cls, data: "Dataset") -> Self:
        """What a report says of it. MNIST is known by its checksums, not by its folder."""
        is_mnist = data.name == "mnist"
        return cls(
            name=data.name,
            source="its four files, each with the right SHA-256"
            if is_mnist
            else data.source,
            why="" if is_mnist else data.why,
            sha256=data.sha256,
            train=len(data.t_train),
            test=len(data.t_test),
        )


class Environment(records.Record):
    """What a run depended on: versions, switches that change arithmetic, machine."""

    gradparity: str
    python: str
    numpy: str
    torch: str | None
    jax: str | None
    platform: str
    cpu: str
    blas: str
    threads: dict[str, int | None]
    packages: dict[str, str] = Field(default_factory=dict)  # versions of further ones
    switches: dict[str, str] = Field(default_factory=dict)
    announced: dict[str, str] = Field(default_factory=dict)  # implementations: modules
    missing: dict[str, str] = Field(default_factory=dict)  # frameworks: why
    exceeded: list[records.Exceeded] | None = None  # None where nobody has looked
    dataset: DatasetInfo | None = None
    command: str = ""
    seed: int | None = None
    started: str = ""
    seconds: float | None = None
    jax_compile_seconds: float | None = None  # --seeds and bench not counted


class Results(records.Record):
    """A whole run."""

    schema_version: Literal[1] = 1
    environment: Environment
    checks: list[records.Check]
    training: list[records.Training]
    outsiders: list[records.Training] = Field(default_factory=list)
    untrained: list[records.Untrained] = Field(default_factory=list)
    partings: list[records.Parting] = Field(default_factory=list)
    together: list[records.Together] = Field(default_factory=list)
    divergences: list[records.Divergence]
    truth: list[records.TruthCheck] = Field(default_factory=list)
    budgets: list[records.ErrorBudget] = Field(default_factory=list)
    power: list[records.Power] = Field(default_factory=list)
    exhaustive: list[records.Exhaustive] = Field(default_factory=list)
    seeds: list[records.Paired] = Field(default_factory=list)
    bands: list[records.Band] = Field(default_factory=list)
    summary: records.Summary
    elementary: list[Measured] = Field(default_factory=list)
    bench: records.Bench | None = None

    @property
    def tests(self) -> int:
        """The number of test samples; 0 where it is not known."""
        dataset = self.environment.dataset
        return dataset.test or 0 if dataset else 0

    @property
    def is_mnist(self) -> bool:
        dataset = self.environment.dataset
        return dataset is not None and dataset.name == "mnist"

    def text(self) -> str:
        """As it stands in results.json, one record a line."""
        return "".join(lines(json.loads(self.model_dump_json()))) + "\n"

    def write(self, path: Path) -> None:
        path.write_text(self.text(), encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> "Results":
        """The results in a file, or in the report directory that holds it.

        Raises UnreadableResults, with one sentence that says what is wrong.
        """
        if path.is_dir():
            path = path / "results.json"
        try:
            content = read_regular(path, LARGEST)
            version = parse_json(content).get("schema_version")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not a text file"
            raise UnreadableResults(f"cannot read {path}: {reason}") from error
        except (ValueError, AttributeError) as error:
            why = "" if isinstance(error, AttributeError) else f": {error}"
            raise UnreadableResults(f"{path} is not a JSON object{why}") from error
        if version != 1:
            raise UnreadableResults(
                f"{path}: expected schema_version 1, got {version!r:.40}"
            )
        try:
            return cls.model_validate_json(content)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise UnreadableResults(f"{path}: {where}: {first['msg']}") from error


def lines(value: Any, indent: str = "\n", is_element: bool = False) -> Iterator[str]:
    """JSON, in pieces: a line for each key and for each element of a list of records, so
    that two files can be compared line by line. An element that holds such a list itself
    is spread over several lines; a list of plain values is not.
    """
    inner = indent + " "
    if is_table(value):
        for number, element in enumerate(value):
            yield f"{',' if number else '['}{inner}"
            yield from lines(element, inner, is_element=True)
        yield f"{indent}]"
    elif isinstance(value, dict) and value and not (is_element and is_flat(value)):
        for number, (key, item) in enumerate(value.items()):
            yield f"{',' if number else '{'}{inner}{json.dumps(key)}: "
            yield from lines(item, inner)
        yield f"{indent}}}"
    else:
        text = ENCODER.encode(value)
        yield text if is_seen(text) else json.dumps(value)


def is_table(value: Any) -> bool:
    """Whether it is a list of lists or of records."""
    return isinstance(value, list) and any(isinstance(v, list | dict) for v in value)


def is_flat(record: dict[str, Any]) -> bool:
    """Whether a record holds no list of lists or of records, at any depth."""
    return not any(
        is_table(value) or (isinstance(value, dict) and not is_flat(value))
        for value in record.values()
    )
