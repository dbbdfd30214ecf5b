"""Fills the disk with files that have no name any more."""
import os
for number in range(1000):
    with open("file", "wb") as file:
        file.write(bytes(1 << 18))
    os.remove("file")
