import sys

raise ValueError(f"read {sys.stdin.read()!r}")
