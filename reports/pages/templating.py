"""How templates are read, whatever is written with them: everything is escaped, and what
is not seen has its code; and a name that nobody has filled is an error.
"""

from jinja2 import Environment, PackageLoader, StrictUndefined

from gradparity.reports.visible import harmless


def environment(*, autoescape: bool = True) -> Environment:
    """Of the templates in `reports/templates/`."""
    return Environment(
        loader=PackageLoader("gradparity.reports"),
        autoescape=autoescape,
        undefined=StrictUndefined,
        finalize=lambda value: harmless(value) if type(value) is str else value,
        trim_blocks=True,
        lstrip_blocks=True,
    )
