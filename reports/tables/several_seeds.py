"""Trainings from several seeds: compared in pairs, and beside the lecture's rows."""

from collections.abc import Iterator, Sequence

from gradparity.parity_tests.measuring.records import Band, Paired
from gradparity.parity_tests.measuring.wording import grouped
from gradparity.reports.results import Results
from gradparity.reports.tables.accuracy import lecture_accuracy
from gradparity.reports.tables.table import Table

PAIRED_LEGEND = (
    "Differences are taken by seed; the interval is Student's t, p that of the exact test "
    "that flips their signs. Differing: the seeds that end with test predictions unlike "
    "the reference's, and how many those are in all."
)


def paired_table(rows: Sequence[Paired]) -> Table:
    """Over several seeds: is the final test accuracy another than the reference's?"""
    cells = []
    for row in rows:
        count = len(row.differences)
        tested = ["0", f"all {count} differences are 0: nothing to test", ""]
        if row.interval is not None:
            low, high = row.interval
            tested = [f"{row.mean:+.5f}", f"{low:+.5f} to {high:+.5f}", f"{row.p:.3g}"]
        cells.append(
            [
                *(row.implementation, row.dtype, *tested),
                f"{row.seeds_differing} of {count}",
                str(row.test_predictions_differing),
            ]
        )
    headers = [
        *("implementation", "dtype", "mean difference", "95 % interval", "p"),
        *("seeds differing", "predictions differing"),
    ]
    return Table("Test accuracy at the end less the reference's", headers, cells)


def band_tables(bands: Sequence[Band]) -> Iterator[Table]:
    """The lecture's rows beside the reference's accuracies from several seeds."""
    for dtype, chosen in grouped(bands, "dtype").items():
        rows = [band_row(band, is_end=band is chosen[-1]) for band in chosen]
        headers = [
            *("epoch", "step", "lecture", "train, lowest to highest", "mean"),
            *("test, lowest to highest", "mean", "the lecture's"),
        ]
        title = f"The lecture and {chosen[0].seeds} seeds of the reference, {dtype}"
        yield Table(title, headers, rows)


def seed_tables(results: Results) -> list[Table]:
    """What there is to say of trainings from several seeds."""
    found = [*band_tables(results.bands)] if results.is_mnist else []
    return found + ([paired_table(results.seeds)] if results.seeds else [])


def band_row(band: Band, is_end: bool) -> list[str]:
    pair = lecture_accuracy(band.epoch, is_end)
    row = ["end" if is_end else str(band.epoch), str(band.step)]
    row.append(f"{pair[0]:.4f}/{pair[1]:.4f}" if pair else "")
    for low, mean, high in (band.train_accuracy, band.test_accuracy):
        row += [f"{low:.4f} to {high:.4f}", f"{mean:.4f}"]
    return [*row, placed(pair, band) if pair else ""]


def placed(lecture: tuple[float, float], band: Band) -> str:
    """Where the lecture's pair lies: `both inside`, `train inside, test below`."""

    def place(value: float, among: tuple[float, float, float]) -> str:
        low, _, high = among
        return "below" if value < low else "above" if value > high else "inside"

    train, test = (
        place(value, among)
        for value, among in zip(
            lecture, (band.train_accuracy, band.test_accuracy), strict=True
        )
    )
    return f"both {train}" if train == test else f"train {train}, test {test}"
