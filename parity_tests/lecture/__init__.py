"""Scripts written as the lecture writes them; only the import lines name this project."""
