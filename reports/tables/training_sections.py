"""What the report says of its trainings beside their accuracies, section by section."""

from dataclasses import dataclass

from gradparity.reports.results import Results
from gradparity.reports.tables import accuracy, predictions
from gradparity.reports.tables.drift import GROWTH, growth_table
from gradparity.reports.tables.partings import (
    PARTINGS,
    parting_sentences,
    parting_tables,
)
from gradparity.reports.tables.several_seeds import PAIRED_LEGEND, seed_tables
from gradparity.reports.tables.table import Table

OUTSIDERS = (
    "Written by others, so that the three cannot be wrong together: scikit-learn's "
    "MLPClassifier, optax, and torch.nn.Sequential with torch.optim.SGD. They start from "
    "the same parameters, are given the same mini-batches of the first tenth of the run, "
    "and are held against the reference on one thread."
)

UNTRAINED = (
    "Trainings that there are none of: what they need is missing, or they raised an error "
    "(FAIL), and the others went on without them."
)


@dataclass(frozen=True)
class ReportSection:
    """A heading with what is said under it."""

    anchor: str
    title: str
    text: str
    sentences: list[str]
    tables: list[Table]


def sections(results: Results) -> list[ReportSection]:
    """What the report says of its trainings; nothing where there is nothing to say."""
    trainings, partings = results.training, results.partings
    found = [
        ReportSection(
            "partings",
            "Where they part, and why",
            PARTINGS,
            parting_sentences(partings, results.together),
            list(parting_tables(partings)),
        ),
        ReportSection(
            "growth",
            "How the differences grow",
            GROWTH,
            [],
            [growth_table(trainings, partings)],
        ),
        ReportSection(
            "outcome",
            "Do they know the same?",
            predictions.OUTCOME,
            predictions.outcome_sentences(trainings),
            list(predictions.outcome_tables(trainings)),
        ),
        ReportSection(
            "outsiders",
            "Against outsiders",
            OUTSIDERS,
            outsider_sentences(results),
            [accuracy.training_table(results.outsiders)],
        ),
        ReportSection(
            "untrained",
            "Not trained",
            UNTRAINED,
            [],
            [accuracy.untrained_table(results.untrained)],
        ),
        ReportSection(
            "seeds", "From several seeds", PAIRED_LEGEND, [], seed_tables(results)
        ),
    ]
    return [s for s in found if s.sentences or any(t.rows for t in s.tables)]


def outsider_sentences(results: Results) -> list[str]:
    said = "; ".join(accuracy.training_sentences(results.outsiders, results.tests))
    return [f"{said[:1].upper()}{said[1:]}."] if said else []
