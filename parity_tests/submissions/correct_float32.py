# float32 from beginning to end, whatever goes in.
import numpy as np

F = np.float32


def sigmoid(x):
    return F(1) / (F(1) + np.exp(-F(x)))


def softmax(x):
    e = np.exp(F(x) - F(x).max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def cross_entropy_error(y, t):
    y = F(y)
    if t.ndim == 1:
        t = np.eye(y.shape[1], dtype=F)[t]
    return -np.sum(F(t) * np.log(y + F(1e-7))) / F(len(y))


def numerical_gradient(f, x):
    h = 1e-3
    grad = np.zeros(x.shape, dtype=F)
    for i in np.ndindex(x.shape):
        keep = x[i]
        x[i] = keep + h
        above = f(x)
        x[i] = keep - h
        below = f(x)
        x[i] = keep
        grad[i] = (above - below) / (2 * h)
    return grad


class AddLayer:
    def forward(self, x, y):
        return F(x) + F(y)

    def backward(self, dout):
        return F(dout) * 1, F(dout) * 1


class MulLayer:
    def forward(self, x, y):
        self.x, self.y = F(x), F(y)
        return self.x * self.y

    def backward(self, dout):
        return F(dout) * self.y, F(dout) * self.x


class Relu:
    def forward(self, x):
        self.mask = (F(x) > 0).astype(F)
        return F(x) * self.mask

    def backward(self, dout):
        return F(dout) * self.mask


class Sigmoid:
    def forward(self, x):
        self.out = sigmoid(x)
        return self.out

    def backward(self, dout):
        return F(dout) * self.out * (F(1) - self.out)


class Affine:
    def __init__(self, W, b):
        self.W, self.b = W, b

    def forward(self, x):
        self.shape = x.shape
        self.x = F(x).reshape(x.shape[0], -1)
        return self.x.dot(F(self.W)) + F(self.b)

    def backward(self, dout):
        dout = F(dout)
        self.dW = self.x.T.dot(dout)
        self.db = dout.sum(axis=0)
        return dout.dot(F(self.W).T).reshape(self.shape)


class SoftmaxWithLoss:
    def forward(self, x, t):
        self.y = softmax(x)
        self.t = t if t.ndim == 2 else np.eye(x.shape[1])[t]
        self.t = F(self.t)
        return float(cross_entropy_error(self.y, self.t))

    def backward(self, dout=1):
        return (self.y - self.t) * F(dout) / F(len(self.y))


class TwoLayerNet:
    def __init__(self, input_size, hidden_size, output_size, weight_init_std=0.01):
        rng = np.random.RandomState(0)
        self.params = {
            "W1": F(weight_init_std * rng.randn(input_size, hidden_size)),
            "b1": np.zeros(hidden_size, F),
            "W2": F(weight_init_std * rng.randn(hidden_size, output_size)),
            "b2": np.zeros(output_size, F),
        }
        self.affine1 = Affine(self.params["W1"], self.params["b1"])
        self.relu = Relu()
        self.affine2 = Affine(self.params["W2"], self.params["b2"])
        self.last = SoftmaxWithLoss()

    def predict(self, x):
        return self.affine2.forward(self.relu.forward(self.affine1.forward(x)))

    def loss(self, x, t):
        return self.last.forward(self.predict(x), t)

    def accuracy(self, x, t):
        if t.ndim == 2:
            t = t.argmax(axis=1)
        return float((self.predict(x).argmax(axis=1) == t).mean())

    def gradient(self, x, t):
        self.loss(x, t)
        dout = self.relu.backward(self.affine2.backward(self.last.backward()))
        self.affine1.backward(dout)
        return {
            "W1": self.affine1.dW,
            "b1": self.affine1.db,
            "W2": self.affine2.dW,
            "b2": self.affine2.db,
        }
