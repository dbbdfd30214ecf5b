# coding: utf-8
import numpy as np


def _numerical_gradient_1d(f, x):
    h = 1e-4
    grad = np.zeros_like(x)

    for i in range(x.size):
        saved = x[i]

        x[i] = saved + h
        plus = f(x)
        x[i] = saved - h
        minus = f(x)

        grad[i] = (plus - minus) / (2 * h)
        x[i] = saved  # 元の値に戻しておく

    return grad


def numerical_gradient_2d(f, X):
    if X.ndim == 1:
        return _numerical_gradient_1d(f, X)

    grad = np.zeros_like(X)
    for i, row in enumerate(X):
        grad[i] = _numerical_gradient_1d(f, row)

    return grad


def numerical_gradient(f, x):
    h = 1e-4
    grad = np.zeros_like(x)

    for i in np.ndindex(*x.shape):  # 何次元の配列でもよい
        saved = x[i]

        x[i] = saved + h
        plus = f(x)
        x[i] = saved - h
        minus = f(x)

        grad[i] = (plus - minus) / (2 * h)
        x[i] = saved  # 元の値に戻しておく

    return grad
