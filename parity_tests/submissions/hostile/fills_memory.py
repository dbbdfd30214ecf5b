"""Asks for memory for as long as there is some."""
kept = []
while True:
    kept.append(bytearray(1 << 24))
