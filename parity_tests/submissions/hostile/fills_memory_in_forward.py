"""Asks for memory once it is called."""


class Relu:
    def forward(self, x):
        kept = []
        while True:
            kept.append(bytearray(1 << 24))
