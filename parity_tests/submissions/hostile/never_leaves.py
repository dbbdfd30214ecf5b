"""Wrong, and does not end when it should."""
import atexit
import time

import numpy as np


@atexit.register
def stay():
    while True:
        time.sleep(1)


class Relu:
    def forward(self, x):
        self.mask = x <= 0
        return np.where(self.mask, 0, x)

    def backward(self, dout):
        return dout * 2
