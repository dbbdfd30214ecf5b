"""The `gradparity` command: tables, figures, pages."""
