"""`results.json`: one run of the suite, written, and read back with its mistakes named."""

import json
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from gradparity.parity_tests.measuring.elementary import Measured
from gradparity.parity_tests.measuring.records import (
    Band,
    Bench,
    Check,
    Divergence,
    Exhaustive,
    Paired,
    Parting,
    Record,
    Summary,
    Together,
    Training,
    TruthCheck,
)


class UnreadableResults(ValueError):
    """A file is not a `results.json` of this schema."""


class DatasetInfo(Record):
    """The data set of a run; sha256 by file."""

    name: str
    source: str
    why: str = ""
    sha256: dict[str, str] | None = None
    train: int | None = None
    test: int | None = None


class Environment(Record):
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
    dataset: DatasetInfo | None = None
    command: str = ""
    seed: int | None = None
    started: str = ""
    seconds: float | None = None
    jax_compile_seconds: float | None = None  # --seeds and bench not counted


class Results(Record):
    """A whole run."""

    schema_version: Literal[1] = 1
    environment: Environment
    checks: list[Check]
    training: list[Training]
    outsiders: list[Training] = Field(default_factory=list)
    partings: list[Parting] = Field(default_factory=list)
    together: list[Together] = Field(default_factory=list)
    divergences: list[Divergence]
    truth: list[TruthCheck] = Field(default_factory=list)
    exhaustive: list[Exhaustive] = Field(default_factory=list)
    seeds: list[Paired] = Field(default_factory=list)
    bands: list[Band] = Field(default_factory=list)
    summary: Summary
    elementary: list[Measured] = Field(default_factory=list)
    bench: Bench | None = None

    @property
    def tests(self) -> int:
        """The number of test samples; 0 where it is not known."""
        dataset = self.environment.dataset
        return dataset.test or 0 if dataset else 0

    def text(self) -> str:
        """As it stands in results.json."""
        return self.model_dump_json(indent=1) + "\n"

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
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not a text file"
            raise UnreadableResults(f"cannot read {path}: {reason}") from error
        try:
            version = json.loads(text).get("schema_version")
        except (ValueError, AttributeError) as error:
            raise UnreadableResults(f"{path} is not a JSON object") from error
        if version != 1:
            raise UnreadableResults(
                f"{path}: expected schema_version 1, got {version!r}"
            )
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise UnreadableResults(f"{path}: {where}: {first['msg']}") from error
