"""Returns more than anybody asked for."""
import numpy as np


class Relu:
    def forward(self, x):
        return np.broadcast_to(x.ravel()[0], (1 << 20, 1 << 20))

    def backward(self, dout):
        return np.zeros((4000, 4000))
