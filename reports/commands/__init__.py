"""The `gradparity` command: a module for each subcommand."""
