# The layers of chapters 6 and 7, each as it may be written: without im2col, place by place.
import numpy as np


class Conv2D:
    def __init__(self, weight, bias, padding=0, stride=1):
        self.weight, self.bias, self.padding, self.stride = weight, bias, padding, stride

    def places(self, height, width):
        _, _, fh, fw = self.weight.shape
        for i, y in enumerate(range(0, height - fh + 1, self.stride)):
            for j, x in enumerate(range(0, width - fw + 1, self.stride)):
                yield i, j, slice(y, y + fh), slice(x, x + fw)

    def forward(self, x):
        p = self.padding
        self.x = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
        places = list(self.places(*self.x.shape[2:]))
        rows, columns = 1 + places[-1][0], 1 + places[-1][1]
        out = np.empty((len(x), len(self.weight), rows, columns), x.dtype)
        for i, j, down, across in places:
            seen = self.x[:, :, down, across]
            out[:, :, i, j] = np.tensordot(seen, self.weight, axes=((1, 2, 3), (1, 2, 3)))
        return out + self.bias[:, None, None]

    def backward(self, dout):
        dx, self.dW = np.zeros_like(self.x), np.zeros_like(self.weight)
        for i, j, down, across in self.places(*self.x.shape[2:]):
            here = dout[:, :, i, j]
            self.dW += np.tensordot(here, self.x[:, :, down, across], axes=(0, 0))
            dx[:, :, down, across] += np.tensordot(here, self.weight, axes=(1, 0))
        self.db = dout.sum(axis=(0, 2, 3))
        p = self.padding
        return dx[:, :, p : dx.shape[2] - p, p : dx.shape[3] - p]


class MaxPool:
    def __init__(self, pool_h, pool_w, stride=2, pad=0):
        self.pool_h, self.pool_w, self.stride, self.pad = pool_h, pool_w, stride, pad

    def forward(self, x):
        assert self.pad == 0
        size, s = (self.pool_h, self.pool_w), self.stride
        windows = np.lib.stride_tricks.sliding_window_view(x, size, axis=(2, 3))
        self.windows, self.shape = windows[:, :, ::s, ::s], x.shape
        return self.windows.max(axis=(4, 5))

    def backward(self, dout):
        dx = np.zeros(self.shape, dout.dtype)
        for n, c, i, j in np.ndindex(dout.shape):
            window = self.windows[n, c, i, j]
            y, x = np.unravel_index(window.argmax(), window.shape)
            dx[n, c, i * self.stride + y, j * self.stride + x] += dout[n, c, i, j]
        return dx


Convolution, Pooling = Conv2D, MaxPool


class Dropout:
    # Scales in training, and draws one by one.
    def __init__(self, keep_prob=0.5):
        self.keep_prob, self.rng = keep_prob, np.random.default_rng()

    def forward(self, x, train=True):
        if not train:
            return x.copy()
        self.mask = self.rng.binomial(1, self.keep_prob, x.shape).astype(x.dtype)
        self.mask /= np.float32(self.keep_prob)
        return x * self.mask

    def backward(self, dout):
        return dout * self.mask


class BatchNorm:
    def __init__(self, beta, gamma, momentum=0.9):
        self.gamma, self.beta, self.momentum = gamma, beta, momentum
        self.mean, self.var = 0.0, 1.0
        self.training = True

    def forward(self, x):
        if not self.training:
            return self.gamma * (x - self.mean) / np.sqrt(self.var + 1e-5) + self.beta
        mean, var = x.mean(0), x.var(0)
        self.mean = self.momentum * self.mean + (1 - self.momentum) * mean
        self.var = self.momentum * self.var + (1 - self.momentum) * var
        self.scale = 1 / (np.sqrt(var) + np.float32(1e-5))
        self.normal = (x - mean) * self.scale
        return self.gamma * self.normal + self.beta

    def backward(self, dout):
        self.dbeta, self.dgamma = dout.sum(0), (dout * self.normal).sum(0)
        share = self.dbeta + self.normal * self.dgamma
        return self.gamma * self.scale * (dout - share / np.float32(len(dout)))


BatchNormalization = BatchNorm
