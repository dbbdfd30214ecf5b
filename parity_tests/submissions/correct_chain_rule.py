# The derivative of exactly this loss, by the chain rule: through log(y + 1e-7), then softmax.
import numpy as np


def softmax(x):
    c = np.max(x, axis=-1, keepdims=True)
    e = np.exp(x - c)
    return e / np.sum(e, axis=-1, keepdims=True)


def cross_entropy_error(y, t):
    if t.ndim == 1:
        t = np.eye(y.shape[1])[t]
    return -np.sum(t * np.log(y + 1e-7)) / len(y)


class Relu:
    def forward(self, x):
        self.m = x > 0
        return x * self.m

    def backward(self, dout):
        return dout * self.m


class Affine:
    def __init__(self, W, b):
        self.W, self.b = W, b

    def forward(self, x):
        self.s = x.shape
        self.x = x.reshape(len(x), -1)
        return self.x @ self.W + self.b

    def backward(self, dout):
        self.dW = self.x.T @ dout
        self.db = dout.sum(0)
        return (dout @ self.W.T).reshape(self.s)


class SoftmaxWithLoss:
    def forward(self, x, t):
        self.y = softmax(x)
        self.t = t if t.ndim == 2 else np.eye(x.shape[1])[t]
        return cross_entropy_error(self.y, t)

    def backward(self, dout=1):
        dy = -self.t / (self.y + 1e-7) / len(self.y) * dout
        dx = self.y * dy
        return dx - self.y * dx.sum(axis=1, keepdims=True)


class TwoLayerNet:
    def __init__(self, i, h, o, weight_init_std=0.01):
        self.params = {
            "W1": weight_init_std * np.random.randn(i, h),
            "b1": np.zeros(h),
            "W2": weight_init_std * np.random.randn(h, o),
            "b2": np.zeros(o),
        }
        p = self.params
        self.layers = [Affine(p["W1"], p["b1"]), Relu(), Affine(p["W2"], p["b2"])]
        self.last = SoftmaxWithLoss()

    def predict(self, x):
        for l in self.layers:
            x = l.forward(x)
        return x

    def loss(self, x, t):
        return self.last.forward(self.predict(x), t)

    def accuracy(self, x, t):
        t = t if t.ndim == 1 else t.argmax(1)
        return np.mean(self.predict(x).argmax(1) == t)

    def gradient(self, x, t):
        self.loss(x, t)
        d = self.last.backward()
        for l in self.layers[::-1]:
            d = l.backward(d)
        a, _, c = self.layers
        return {"W1": a.dW, "b1": a.db, "W2": c.dW, "b2": c.db}


def sigmoid(x):
    return np.exp(x) / (np.exp(x) + 1) if np.all(x < 500) else 1 / (1 + np.exp(-x))


class Sigmoid:
    def forward(self, x):
        self.out = sigmoid(x)
        return self.out

    def backward(self, dout):
        return dout * (self.out - self.out**2)


class AddLayer:
    def forward(self, x, y):
        return x + y

    def backward(self, dout):
        return [1.0 * dout, 1.0 * dout]


class MulLayer:
    def forward(self, *factors):
        self.factors = factors
        return np.multiply(*factors)

    def backward(self, dout):
        return tuple(dout * other for other in self.factors[::-1])


def numerical_gradient(f, x):
    it = np.nditer(x, flags=["multi_index"])
    rows = []
    for _ in it:
        tmp = x[it.multi_index].item()
        x[it.multi_index] = tmp + 1e-4
        above = f(x)
        x[it.multi_index] = tmp - 1e-4
        rows.append((above - f(x)) / 2e-4)
        x[it.multi_index] = tmp
    return np.array(rows).reshape(x.shape)
