# The functions of the book that are not in a layer of chapter 5, each as it may be written.
import numpy as np


def step_function(x):
    return np.array(x > 0, dtype=int)


def relu(x):
    return np.where(x < 0, 0, x)


def sigmoid_grad(x):
    e = np.exp(-x)
    return e / (1 + e) ** 2


def numerical_diff(f, x):
    h = 1e-4
    return (f(x + h) - f(x - h)) / (2 * h)


def mean_squared_error(y, t):
    return np.mean((y - t) ** 2)


def sum_squared_error(y, t):
    return 0.5 * np.sum((y - t) ** 2)


def im2col(images, fh, fw, s=1, p=0):
    images = np.pad(images, ((0, 0), (0, 0), (p, p), (p, p)), mode="constant")
    windows = np.lib.stride_tricks.sliding_window_view(images, (fh, fw), axis=(2, 3))
    windows = windows[:, :, ::s, ::s].transpose(0, 2, 3, 1, 4, 5)
    return windows.reshape(-1, images.shape[1] * fh * fw)


def col2im(col, shape, fh, fw, s=1, p=0):
    n, c, h, w = shape
    images = np.zeros((n, c, h + 2 * p, w + 2 * p), dtype=col.dtype)
    rows = iter(col)
    for i in range(n):
        for y in range(0, h + 2 * p - fh + 1, s):
            for x in range(0, w + 2 * p - fw + 1, s):
                images[i, :, y : y + fh, x : x + fw] += next(rows).reshape(c, fh, fw)
    return images[:, :, p : h + p, p : w + p]
