# Loops over lists, and math in the place of NumPy, wherever that can be done.
import math

import numpy as np


def sigmoid(x):
    return np.array([[one_sigmoid(v) for v in row] for row in x.tolist()])


def one_sigmoid(v):
    if v >= 0:
        return 1 / (1 + math.exp(-v))
    return math.exp(v) / (1 + math.exp(v))


def softmax(x):
    rows = []
    for row in x.tolist():
        top = max(row)
        e = [math.exp(v - top) for v in row]
        s = math.fsum(e)
        rows.append([v / s for v in e])
    return np.array(rows)


def label(t_row):
    if isinstance(t_row, list):
        return t_row.index(1)
    return t_row


def cross_entropy_error(y, t):
    total = 0.0
    for y_row, t_row in zip(y.tolist(), t.tolist()):
        total -= math.log(y_row[label(t_row)])
    return total / len(y)


def numerical_gradient(f, x):
    h = 1e-4
    grad = np.zeros(x.shape)
    for i in np.ndindex(*x.shape):
        v = float(x[i])
        x[i] = v + h
        a = float(f(x))
        x[i] = v - h
        b = float(f(x))
        x[i] = v
        grad[i] = (a - b) / (2 * h)
    return grad


class AddLayer:
    def forward(self, x, y):
        return x + y

    def backward(self, dout):
        return +dout, +dout


class MulLayer:
    def forward(self, x, y):
        self.x, self.y = x, y
        return x * y

    def backward(self, dout):
        return dout * self.y, dout * self.x


class Relu:
    def forward(self, x):
        self.on = [[v > 0 for v in row] for row in x]
        return [[max(v, 0) for v in row] for row in x]

    def backward(self, dout):
        return [
            [d if on else 0.0 for d, on in zip(row, switches)]
            for row, switches in zip(dout, self.on)
        ]


class Sigmoid:
    def forward(self, x):
        self.out = sigmoid(x)
        return self.out

    def backward(self, dout):
        dx = np.zeros_like(dout)
        for i in range(dx.shape[0]):
            for j in range(dx.shape[1]):
                dx[i, j] = dout[i, j] * self.out[i, j] * (1 - self.out[i, j])
        return dx


class Affine:
    def __init__(self, W, b):
        self.W = W
        self.b = b

    def forward(self, x):
        if x.ndim > 2:
            raise NotImplementedError("matrices only")
        self.x = x
        out = np.zeros((x.shape[0], self.W.shape[1]), x.dtype)
        for n in range(out.shape[0]):
            for k in range(out.shape[1]):
                out[n, k] = self.b[k]
                for i in range(x.shape[1]):
                    out[n, k] += x[n, i] * self.W[i, k]
        return out

    def backward(self, dout):
        dx = np.zeros_like(self.x)
        self.dW = np.zeros_like(self.W)
        self.db = np.zeros_like(self.b)
        for n in range(dout.shape[0]):
            for k in range(dout.shape[1]):
                self.db[k] += dout[n, k]
                for i in range(self.x.shape[1]):
                    dx[n, i] += dout[n, k] * self.W[i, k]
                    self.dW[i, k] += self.x[n, i] * dout[n, k]
        return dx


class SoftmaxWithLoss:
    def forward(self, x, t):
        self.y = softmax(x)
        self.t = [label(row) for row in t.tolist()]
        return cross_entropy_error(self.y, t)

    def backward(self, dout=1):
        n = len(self.t)
        return np.array(
            [
                [(p - (k == c)) / n * dout for k, p in enumerate(row)]
                for row, c in zip(self.y.tolist(), self.t)
            ]
        )


class TwoLayerNet:
    def __init__(self, input_size, hidden_size, output_size):
        self.params = {}
        self.params["W1"] = 0.01 * np.random.randn(input_size, hidden_size)
        self.params["b1"] = np.zeros(hidden_size)
        self.params["W2"] = 0.01 * np.random.randn(hidden_size, output_size)
        self.params["b2"] = np.zeros(output_size)
        self.layers = [
            Affine(self.params["W1"], self.params["b1"]),
            Relu(),
            Affine(self.params["W2"], self.params["b2"]),
        ]
        self.last = SoftmaxWithLoss()

    def predict(self, x):
        for layer in self.layers:
            x = np.array(layer.forward(x))
        return x

    def loss(self, x, t):
        return self.last.forward(self.predict(x), t)

    def accuracy(self, x, t):
        y = self.predict(x).tolist()
        right = 0
        for row, t_row in zip(y, t.tolist()):
            right += row.index(max(row)) == label(t_row)
        return right / len(y)

    def gradient(self, x, t):
        self.loss(x, t)
        dout = self.last.backward()
        for layer in self.layers[::-1]:
            dout = np.array(layer.backward(dout))
        first, _, second = self.layers
        return {"W1": first.dW, "b1": first.db, "W2": second.dW, "b2": second.db}
