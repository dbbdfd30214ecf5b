"""Wrong, and with threads that never end."""
import threading
import time

import numpy as np


def work():
    while True:
        time.sleep(0.01)


for _ in range(5):
    threading.Thread(target=work).start()


class Relu:
    def forward(self, x):
        self.mask = x <= 0
        return np.where(self.mask, 0, x)

    def backward(self, dout):
        return dout * 2
