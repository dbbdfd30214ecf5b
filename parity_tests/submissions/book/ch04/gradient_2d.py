# coding: utf-8
import numpy as np
import matplotlib.pylab as plt
from mpl_toolkits.mplot3d import Axes3D


def _numerical_gradient_no_batch(f, x):
    h = 1e-4
    grad = np.zeros_like(x)

    for i in range(x.size):
        saved = x[i]

        x[i] = float(saved) + h
        plus = f(x)
        x[i] = saved - h
        minus = f(x)

        grad[i] = (plus - minus) / (2 * h)
        x[i] = saved  # 元の値に戻しておく

    return grad


def numerical_gradient(f, X):
    if X.ndim == 1:
        return _numerical_gradient_no_batch(f, X)

    grad = np.zeros_like(X)
    for i, row in enumerate(X):
        grad[i] = _numerical_gradient_no_batch(f, row)

    return grad


def function_2(x):
    return np.sum(x ** 2) if x.ndim == 1 else np.sum(x ** 2, axis=1)


def tangent_line(f, x):
    slope = numerical_gradient(f, x)
    print(slope)
    at_zero = f(x) - slope * x
    return lambda t: slope * t + at_zero


if __name__ == '__main__':
    grid = np.arange(-2, 2.5, 0.25)
    X, Y = [each.flatten() for each in np.meshgrid(grid, grid)]

    # 一行が一つの点
    grad = numerical_gradient(function_2, np.array([X, Y]).T).T

    plt.figure()
    plt.quiver(X, Y, -grad[0], -grad[1], angles="xy", color="#666666")
    plt.xlim([-2, 2])
    plt.ylim([-2, 2])
    plt.xlabel('x0')
    plt.ylabel('x1')
    plt.grid()
    plt.draw()
    plt.show()
