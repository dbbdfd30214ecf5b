"""How templates are read, whatever is written with them: everything is escaped, and a name
that nobody has filled is an error.
"""

from jinja2 import Environment, PackageLoader, StrictUndefined


def environment(*, autoescape: bool = True) -> Environment:
    """Of the templates in `reports/templates/`."""
    return Environment(
        loader=PackageLoader("gradparity.reports"),
        autoescape=autoescape,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
