"""Makes folders in folders, too deep for a path to tell."""
import os

for _ in range(3000):
    os.mkdir("d")
    os.chdir("d")
