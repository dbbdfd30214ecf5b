# As few new arrays as possible: results in buffers, and in the arguments.
import numpy as np


def sigmoid(x):
    y = np.negative(x)
    np.exp(y, out=y)
    y += 1
    np.reciprocal(y, out=y)
    return y


def softmax(x):
    x -= x.max(axis=1, keepdims=True)
    np.exp(x, out=x)
    x /= x.sum(axis=1, keepdims=True)
    return x


def cross_entropy_error(y, t):
    index = t if t.ndim == 1 else t.argmax(axis=1)
    picked = y[np.arange(y.shape[0]), index]
    picked += 1e-7
    np.log(picked, out=picked)
    return -picked.sum() / y.shape[0]


def numerical_gradient(f, x, h=1e-4):
    grad = np.zeros_like(x)
    with np.nditer(x, flags=["multi_index"], op_flags=["readwrite"]) as it:
        for element in it:
            element += h
            grad[it.multi_index] = f(x)
            element -= 2 * h
            grad[it.multi_index] -= f(x)
            element += h
    grad /= 2 * h
    return grad


class AddLayer:
    def forward(self, x, y):
        x = x + y
        return x

    def backward(self, dout):
        return dout, dout


class MulLayer:
    def forward(self, x, y):
        self.x, self.y = x * 1, y * 1
        x *= y
        return x

    def backward(self, dout):
        self.x *= dout
        self.y *= dout
        return self.y, self.x


class Relu:
    def forward(self, x):
        self.mask = x <= 0
        x[self.mask] = 0
        return x

    def backward(self, dout):
        dout *= ~self.mask
        return dout


class Sigmoid:
    def forward(self, x):
        self.out = sigmoid(x)
        return self.out

    def backward(self, dout):
        dout *= self.out
        np.subtract(1, self.out, out=self.out)
        dout *= self.out
        return dout


class Affine:
    def __init__(self, W, b):
        self.W, self.b = W, b
        self.dW = np.zeros_like(W)
        self.db = np.zeros_like(b)

    def forward(self, x):
        self.shape = x.shape
        x.shape = (x.shape[0], x.size // x.shape[0])
        self.x = x
        out = np.dot(x, self.W)
        out += self.b
        return out

    def backward(self, dout):
        np.dot(self.x.T, dout, out=self.dW)
        np.sum(dout, axis=0, out=self.db)
        return np.dot(dout, self.W.T).reshape(self.shape)


class SoftmaxWithLoss:
    def forward(self, x, t):
        self.y = softmax(x)
        self.index = t if t.ndim == 1 else t.argmax(axis=1)
        self.loss = cross_entropy_error(self.y, self.index)
        return self.loss

    def backward(self, dout=1):
        dx = self.y
        dx[np.arange(len(dx)), self.index] -= 1
        dx /= len(dx)
        dx *= dout
        return dx


class TwoLayerNet:
    def __init__(self, input_size, hidden_size, output_size):
        self.params = {
            "W1": np.random.normal(0, 0.01, (input_size, hidden_size)),
            "b1": np.zeros(hidden_size),
            "W2": np.random.normal(0, 0.01, (hidden_size, output_size)),
            "b2": np.zeros(output_size),
        }
        self.layers = [
            Affine(self.params["W1"], self.params["b1"]),
            Relu(),
            Affine(self.params["W2"], self.params["b2"]),
        ]
        self.last = SoftmaxWithLoss()

    def predict(self, x):
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def loss(self, x, t):
        return self.last.forward(self.predict(x), t)

    def accuracy(self, x, t):
        t = t if t.ndim == 1 else t.argmax(axis=1)
        return np.count_nonzero(self.predict(x).argmax(axis=1) == t) / len(x)

    def gradient(self, x, t):
        self.loss(x, t)
        dout = self.last.backward()
        for layer in reversed(self.layers):
            dout = layer.backward(dout)
        first, second = self.layers[0], self.layers[2]
        return {"W1": first.dW, "b1": first.db, "W2": second.dW, "b2": second.db}
