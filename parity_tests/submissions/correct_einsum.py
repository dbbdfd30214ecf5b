# einsum for every product, tanh for the sigmoid, and a network without layers.
import numpy as np


def sigmoid(x):
    return 0.5 * (1 + np.tanh(x / 2))


def softmax(x):
    z = x - x.max(-1)[:, None]
    return np.exp(z - np.log(np.einsum("ij->i", np.exp(z)))[:, None])


def one_hot(t, shape):
    return t if t.shape == shape else np.eye(shape[1])[t]


def cross_entropy_error(y, t):
    t = one_hot(t, y.shape)
    return -np.einsum("ij,ij->", t, np.log(y + 1e-8)) / y.shape[0]


def numerical_gradient(f, x):
    h = 2.0**-17
    flat = x.reshape(-1)
    gradient = []
    for i in range(flat.size):
        keep = flat[i].copy()
        flat[i] = keep + h
        up = f(x)
        flat[i] = keep - h
        down = f(x)
        flat[i] = keep
        gradient.append((up - down) / (2 * h))
    return np.array(gradient).reshape(x.shape)


class AddLayer:
    def forward(self, x, y):
        return x + y

    def backward(self, dout):
        return [np.array(dout), np.array(dout)]


class MulLayer:
    def forward(self, x, y):
        self.saved = x, y
        return np.einsum("...,...->...", x, y)

    def backward(self, dout):
        x, y = self.saved
        return np.einsum("...,...->...", dout, y), np.einsum("...,...->...", dout, x)


class Relu:
    def forward(self, x):
        self.step = np.heaviside(x, 0)
        return np.einsum("...,...->...", x, self.step)

    def backward(self, dout):
        return np.einsum("...,...->...", dout, self.step)


class Sigmoid:
    def forward(self, x):
        self.x = x
        return np.exp(x) / (1 + np.exp(x))

    def backward(self, dout):
        e = np.exp(-self.x)
        return dout * e / (1 + e) ** 2


class Affine:
    def __init__(self, W, b):
        self.W, self.b = W, b

    def forward(self, x):
        self.shape = x.shape
        self.x = x.reshape(x.shape[0], -1)
        return np.einsum("ni,io->no", self.x, self.W) + self.b

    def backward(self, dout):
        self.dW = np.einsum("ni,no->io", self.x, dout)
        self.db = np.einsum("no->o", dout)
        return np.einsum("no,io->ni", dout, self.W).reshape(self.shape)


class SoftmaxWithLoss:
    def forward(self, x, t):
        self.y = softmax(x)
        self.t = one_hot(t, x.shape)
        return cross_entropy_error(self.y, self.t)

    def backward(self, dout=1):
        return dout * (self.y - self.t) / self.y.shape[0]


class TwoLayerNet:
    def __init__(self, input_size, hidden_size, output_size):
        self.params = dict(
            W1=0.01 * np.random.randn(input_size, hidden_size),
            b1=np.zeros((1, hidden_size)),
            W2=0.01 * np.random.randn(hidden_size, output_size),
            b2=np.zeros((1, output_size)),
        )

    def predict(self, x):
        p = self.params
        self.a = np.einsum("ni,ih->nh", x, p["W1"]) + p["b1"]
        self.z = self.a * (self.a > 0)
        return np.einsum("nh,ho->no", self.z, p["W2"]) + p["b2"]

    def loss(self, x, t):
        return cross_entropy_error(softmax(self.predict(x)), t)

    def accuracy(self, x, t):
        y = self.predict(x)
        return (y.argmax(1) == one_hot(t, y.shape).argmax(1)).sum() / len(x)

    def gradient(self, x, t):
        y = softmax(self.predict(x))
        delta = (y - one_hot(t, y.shape)) / len(x)
        back = np.einsum("no,ho->nh", delta, self.params["W2"]) * (self.a > 0)
        return {
            "W1": np.einsum("ni,nh->ih", x, back),
            "b1": np.einsum("nh->h", back),
            "W2": np.einsum("nh,no->ho", self.z, delta),
            "b2": np.einsum("no->o", delta),
        }
