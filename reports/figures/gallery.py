"""All pictures of a report, drawn from its results and, for the digits, the test images.

Implementations differ by marker and dash as well as by colour (Okabe and Ito's, which
colour-blind readers can tell apart). What a picture shows is decided in this package; how
it becomes part of a page is apart, in `reports.pages.svg`.
"""

import matplotlib

from gradparity.reports.figures.bound_ratios import bound_ratios
from gradparity.reports.figures.digits import disagreements
from gradparity.reports.figures.error_budget import error_budget
from gradparity.reports.figures.growth import growth
from gradparity.reports.figures.parted_relus import parted
from gradparity.reports.figures.seed_bands import seeds
from gradparity.reports.figures.step_times import speed
from gradparity.reports.figures.styles import Pixels
from gradparity.reports.figures.training_curves import accuracy, loss
from gradparity.reports.pages.svg import STYLE, Figure
from gradparity.reports.results import Results
from gradparity.reports.tables.accuracy import LECTURE_ACCURACY


def draw(
    results: Results, images: Pixels | None, train_images: Pixels | None = None
) -> list[Figure]:
    """All pictures for which there is something to show.

    Args:
        results: of the run.
        images: the test images, from 0 to 1, which `Disagreement.index` counts; None
            if they are not at hand.
        train_images: the same of those that were trained on, for `Parting.sample`.
    """
    training = results.training
    lecture = LECTURE_ACCURACY if results.is_mnist else []
    with matplotlib.rc_context(STYLE):
        drawn = [
            bound_ratios(results.checks),
            error_budget(results.budgets),
            loss(training),
            accuracy(training, lecture),
            seeds(results.bands, lecture),
            growth(training, results.partings),
            parted(results.partings, train_images),
            disagreements(training, images),
            speed(results.bench) if results.bench else None,
        ]
    return [figure for figure in drawn if figure]
