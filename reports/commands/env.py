"""`gradparity env`: what a run depends on."""

from gradparity.reports.commands.options import AsJson


def env(as_json: AsJson = False) -> None:
    """Show versions, threads and the switches that change arithmetic."""
    from gradparity.reports.console import output, print_json
    from gradparity.reports.environment import describe, with_accuracy
    from gradparity.reports.tables.overview import environment_table

    environment = with_accuracy(describe())
    if as_json:
        print_json(**dict(environment))
    else:
        environment_table(environment).print(output)
