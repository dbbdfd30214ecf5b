# coding: utf-8
import numpy as np
import matplotlib.pylab as plt


def numerical_diff(f, x):
    h = 1e-4
    return (f(x + h) - f(x - h)) / (2 * h)  # 中心差分


def function_1(x):
    return 0.01 * x ** 2 + 0.1 * x


def tangent_line(f, x):
    slope = numerical_diff(f, x)
    print(slope)
    at_zero = f(x) - slope * x
    return lambda t: slope * t + at_zero

x = np.arange(0.0, 20.0, 0.1)
tf = tangent_line(function_1, 5)

plt.xlabel("x")
plt.ylabel("f(x)")
plt.plot(x, function_1(x))
plt.plot(x, tf(x))
plt.show()
