# coding: utf-8
import numpy as np


def identity_function(x):
    return x


def step_function(x):
    return (x > 0).astype(int)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def sigmoid_grad(x):
    y = sigmoid(x)
    return y * (1.0 - y)


def relu(x):
    return np.maximum(0, x)


def relu_grad(x):
    grad = np.zeros_like(x)
    grad[x >= 0] = 1  # x = 0 では1とする
    return grad


def softmax(x):
    if x.ndim == 2:  # バッチ：転置して、列ごとに計算する
        xt = x.T
        e = np.exp(xt - np.max(xt, axis=0))
        return (e / np.sum(e, axis=0)).T

    e = np.exp(x - np.max(x))  # 最大値を引いて、オーバーフローを防ぐ
    return e / np.sum(e)


def sum_squared_error(y, t):
    return 0.5 * np.sum((y - t) ** 2)


def mean_squared_error(y, t):  # 初版での名前
    return sum_squared_error(y, t)


def cross_entropy_error(y, t):
    if y.ndim == 1:  # データ一つも、大きさ1のバッチとして扱う
        y, t = y.reshape(1, -1), t.reshape(1, -1)

    # one-hot表現のラベルは、正解のインデックスに直す
    if y.size == t.size:
        t = np.argmax(t, axis=1)

    n = y.shape[0]
    correct = y[np.arange(n), t]
    return -np.sum(np.log(correct + 1e-7)) / n


def softmax_loss(X, t):
    return cross_entropy_error(softmax(X), t)
