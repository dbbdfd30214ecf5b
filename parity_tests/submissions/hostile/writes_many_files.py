"""Fills the disk with files of which none is large."""
number = 0
while True:
    number += 1
    with open(f"file{number}", "w") as file:
        file.write("x")
