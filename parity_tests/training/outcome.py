"""Have two networks learned the same? What their scores on the test set say."""

import numpy as np

from gradparity.parity_tests.measuring.records import Disagreement, Discordant
from gradparity.reference.functions import softmax

Scores = np.ndarray  # (tests, classes)
Labels = np.ndarray  # (tests,)


def confusion(scores: Scores, labels: Labels) -> list[list[int]]:
    """How many samples of each label (row) are given each class (column)."""
    classes = scores.shape[1]
    counts = np.zeros((classes, classes), int)
    np.add.at(counts, (labels, scores.argmax(axis=-1)), 1)
    return counts.tolist()


def discordant(scores: Scores, reference: Scores, labels: Labels) -> Discordant:
    """The samples that only one of the two has right, and McNemar's exact test.

    If the two were equally likely to be the one that is right, the number of those that
    one has would be binomial with probability 1/2 (McNemar 1947; two-sided).
    """
    from scipy.special import bdtr  # not before it is needed

    right, reference_right = (s.argmax(axis=-1) == labels for s in (scores, reference))
    only_this = int((right & ~reference_right).sum())
    only_reference = int((reference_right & ~right).sum())
    fewer, pairs = min(only_this, only_reference), only_this + only_reference
    return Discordant(
        only_reference=only_reference,
        only_this=only_this,
        p_value=min(1.0, 2 * float(bdtr(fewer, pairs, 0.5))),
    )


def disagreements(
    scores: Scores, reference: Scores, labels: Labels
) -> list[Disagreement]:
    """The samples that are classified differently."""
    predicted, expected = scores.argmax(axis=-1), reference.argmax(axis=-1)
    return [
        Disagreement(
            index=int(i),
            label=int(labels[i]),
            reference=int(expected[i]),
            predicted=int(predicted[i]),
            probabilities=softmax(scores[i]).tolist(),
            reference_probabilities=softmax(reference[i]).tolist(),
        )
        for i in np.flatnonzero(predicted != expected)
    ]
