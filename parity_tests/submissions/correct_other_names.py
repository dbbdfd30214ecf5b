# Other variable names, np.matmul, and every layer written out for itself.
import numpy as np


def sigmoid(a):
    return np.exp(-np.logaddexp(0, -a))


def softmax(scores):
    largest = np.max(scores, axis=1, keepdims=True)
    powers = np.exp(scores - largest)
    return powers / np.sum(powers, axis=1, keepdims=True)


def index_of(target, how_many):
    if target.ndim == 2:
        return np.argmax(target, axis=1)
    return target


def cross_entropy_error(prob, target):
    rows = np.arange(len(prob))
    chosen = prob[rows, index_of(target, len(prob))]
    return -np.mean(np.log(chosen))


def numerical_gradient(func, where):
    eps = 1e-5
    slope = np.empty_like(where)
    for place in np.ndindex(where.shape):
        old = where[place]
        where[place] = old + eps
        right = func(where)
        where[place] = old - eps
        left = func(where)
        where[place] = old
        slope[place] = (right - left) / (2 * eps)
    return slope


class AddLayer:
    def forward(self, left, right):
        return np.add(left, right)

    def backward(self, upstream):
        return upstream * 1.0, upstream * 1.0


class MulLayer:
    def forward(self, left, right):
        self.pair = (left, right)
        return np.multiply(left, right)

    def backward(self, upstream):
        left, right = self.pair
        return upstream * right, upstream * left


class Relu:
    def forward(self, a):
        self.positive = a > 0
        return np.maximum(a, 0)

    def backward(self, upstream):
        return upstream * self.positive


class Sigmoid:
    def forward(self, a):
        self.z = sigmoid(a)
        return self.z

    def backward(self, upstream):
        return self.z * (1 - self.z) * upstream


class Affine:
    def __init__(self, weight, bias):
        self.weight, self.bias = weight, bias

    def forward(self, inputs):
        self.shape = inputs.shape
        self.flat = inputs.reshape(len(inputs), -1)
        return np.matmul(self.flat, self.weight) + self.bias

    def backward(self, upstream):
        self.dW = np.matmul(self.flat.T, upstream)
        self.db = np.matmul(np.ones_like(upstream[:, 0]), upstream)
        return np.matmul(upstream, self.weight.T).reshape(self.shape)


class SoftmaxWithLoss:
    def forward(self, scores, target):
        shifted = scores - scores.max(axis=1, keepdims=True)
        log_sum = np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        log_prob = shifted - log_sum
        self.prob = np.exp(log_prob)
        self.rows = np.arange(len(scores))
        self.index = index_of(target, len(scores))
        return -log_prob[self.rows, self.index].mean()

    def backward(self, upstream=1):
        gradient = self.prob.copy()
        gradient[self.rows, self.index] -= 1
        gradient /= len(self.rows)
        return gradient * upstream


class TwoLayerNet:
    def __init__(self, n_in, n_hidden, n_out, std=0.01):
        generator = np.random.default_rng(0)
        self.params = {
            "W1": std * generator.normal(size=(n_in, n_hidden)),
            "b1": np.zeros(n_hidden),
            "W2": std * generator.normal(size=(n_hidden, n_out)),
            "b2": np.zeros(n_out),
        }

    def build(self):
        p = self.params
        self.first = Affine(p["W1"], p["b1"])
        self.switch = Relu()
        self.second = Affine(p["W2"], p["b2"])
        self.last = SoftmaxWithLoss()

    def predict(self, images):
        self.build()
        return self.second.forward(self.switch.forward(self.first.forward(images)))

    def loss(self, images, target):
        scores = self.predict(images)
        return self.last.forward(scores, target)

    def accuracy(self, images, target):
        guess = np.argmax(self.predict(images), axis=1)
        return np.mean(guess == index_of(target, len(images)))

    def gradient(self, images, target):
        self.loss(images, target)
        down = self.last.backward()
        down = self.second.backward(down)
        down = self.switch.backward(down)
        self.first.backward(down)
        return {
            "W1": self.first.dW,
            "b1": self.first.db,
            "W2": self.second.dW,
            "b2": self.second.db,
        }
