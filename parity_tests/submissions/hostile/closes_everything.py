"""Closes whatever is open."""
import os

import numpy as np

os.closerange(0, 64)


class Relu:
    def forward(self, x):
        self.mask = x <= 0
        return np.where(self.mask, 0, x)

    def backward(self, dout):
        return np.where(self.mask, 0, dout)
