"""`gradparity` starts here, and so does `python -m gradparity`.

The command itself is in `reports.commands.application`, which takes a moment to import;
Ctrl-C is obeyed from before that moment on.
"""

from gradparity.reference.data.cleanup import obey_signals
from gradparity.reference.data.guard import apart


def main() -> None:
    """Run the command."""
    obey_signals()
    with apart():
        from gradparity.reports.commands import application, streams

        with streams.tolerant():
            application.main()


if __name__ == "__main__":
    main()
