# coding: utf-8
import numpy as np
import matplotlib.pylab as plt


def step_function(x):
    return (x > 0).astype(int)

X = np.arange(-5.0, 5.0, 0.1)
Y = step_function(X)
plt.plot(X, Y)
plt.ylim(-0.1, 1.1)  # y軸の範囲
plt.show()
