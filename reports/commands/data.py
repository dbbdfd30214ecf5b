"""`gradparity data`: the data sets."""

from pathlib import Path

import typer

from gradparity.reports.commands.options import AsJson, DataDir

app = typer.Typer(
    help="The data sets: where they are looked for, fetching, verifying.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command()
def where(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Show every place where MNIST is looked for, in order, and what is there."""
    show(state(data_dir), as_json, ["place", "folder", "file", "status"])


@app.command()
def verify(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Check MNIST's files by their checksums. Exit status 1 if one is damaged."""
    rows = state(data_dir)
    show(rows, as_json, ["file", "status", "sha256", "detail"])
    raise typer.Exit(1 if any(row["status"] == "damaged" for row in rows) else 0)


@app.command()
def fetch() -> None:
    """Download MNIST into the user cache, where it is not there already."""
    from gradparity.reference.data.mirrors import fetch_mnist
    from gradparity.reports.console import download_bars, say

    with download_bars() as progress:
        folder = fetch_mnist(progress=progress, connect_timeout=10.0)
    say(f"MNIST is in {folder}")


def state(data_dir: Path | None) -> list[dict[str, str | None]]:
    """A row for each of MNIST's files in every place."""
    from gradparity.reference.data.mnist_files import verify_mnist

    return [
        {
            "place": status.place.how,
            "folder": str(status.place.folder),
            "file": status.file,
            "status": status.status,
            "sha256": status.sha256,
            "detail": status.detail,
        }
        for status in verify_mnist(data_dir)
    ]


def show(rows: list[dict[str, str | None]], as_json: bool, columns: list[str]) -> None:
    """Print the rows in a table with these columns, or all of them as JSON."""
    from gradparity.reports.console import output, print_json
    from gradparity.reports.tables.table import Table

    if as_json:
        print_json(files=rows)
    else:
        cells = [[str(row[column] or "") for column in columns] for row in rows]
        Table("MNIST", columns, cells).print(output)
