"""Starts a process that stays behind."""
import os
import time

import numpy as np

if os.fork() == 0:
    time.sleep(1000)


class Relu:
    def forward(self, x):
        self.mask = x <= 0
        return np.where(self.mask, 0, x)

    def backward(self, dout):
        return np.where(self.mask, 0, dout)
