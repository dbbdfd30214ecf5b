"""Starts a program."""
import subprocess

subprocess.run(["echo", "hello"], check=True)
