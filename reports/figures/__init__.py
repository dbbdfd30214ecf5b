"""The pictures of a report, drawn with matplotlib: a module for each subject."""
