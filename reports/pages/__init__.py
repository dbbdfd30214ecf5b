"""Writes pages: the report in HTML and Markdown, gradings, and the pictures in them."""
