"""Takes long to be made."""
import time


class Relu:
    def __init__(self):
        time.sleep(1000)

    def forward(self, x):
        return x
