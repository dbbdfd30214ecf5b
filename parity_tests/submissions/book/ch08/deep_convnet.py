# coding: utf-8
import sys, os
sys.path.append(os.pardir)  # 一つ上のフォルダのファイルをインポートするため
import pickle
import numpy as np
from collections import OrderedDict
from common.layers import *


class DeepConvNet:
    """認識率が99%を超える、深い畳み込みネットワーク

    （conv - relu - conv - relu - pool）を三回、
    その後に affine - relu - dropout - affine - dropout - softmax
    """
    def __init__(self, input_dim=(1, 28, 28),
                 conv_param_1={'filter_num': 16, 'filter_size': 3, 'pad': 1, 'stride': 1},
                 conv_param_2={'filter_num': 16, 'filter_size': 3, 'pad': 1, 'stride': 1},
                 conv_param_3={'filter_num': 32, 'filter_size': 3, 'pad': 1, 'stride': 1},
                 conv_param_4={'filter_num': 32, 'filter_size': 3, 'pad': 2, 'stride': 1},
                 conv_param_5={'filter_num': 64, 'filter_size': 3, 'pad': 1, 'stride': 1},
                 conv_param_6={'filter_num': 64, 'filter_size': 3, 'pad': 1, 'stride': 1},
                 hidden_size=50, output_size=10):
        conv_params = (conv_param_1, conv_param_2, conv_param_3,
                       conv_param_4, conv_param_5, conv_param_6)

        # 重みの形状と、一つのニューロンにつながる前の層のニューロンの数
        shapes, before = [], []
        channels = input_dim[0]
        for param in conv_params:
            size = param['filter_size']
            shapes.append((param['filter_num'], channels, size, size))
            before.append(channels * size * size)
            channels = param['filter_num']
        for n, m in ((channels * 4 * 4, hidden_size), (hidden_size, output_size)):
            shapes.append((n, m))
            before.append(n)

        self.params = {}
        for i, shape in enumerate(shapes):
            std = np.sqrt(2.0 / before[i])  # Heの初期値
            outputs = shape[0] if len(shape) == 4 else shape[1]
            self.params['W' + str(i + 1)] = std * np.random.randn(*shape)
            self.params['b' + str(i + 1)] = np.zeros(outputs)

        # 層を順に並べる
        self.layers = []
        for i, param in enumerate(conv_params):
            W, b = self.params['W' + str(i + 1)], self.params['b' + str(i + 1)]
            self.layers.append(Convolution(W, b, param['stride'], param['pad']))
            self.layers.append(Relu())
            if i % 2 == 1:
                self.layers.append(Pooling(pool_h=2, pool_w=2, stride=2))
        self.layers.append(Affine(self.params['W7'], self.params['b7']))
        self.layers.append(Relu())
        self.layers.append(Dropout(0.5))
        self.layers.append(Affine(self.params['W8'], self.params['b8']))
        self.layers.append(Dropout(0.5))

        self.last_layer = SoftmaxWithLoss()

    def predict(self, x, train_flg=False):
        for layer in self.layers:
            if isinstance(layer, Dropout):
                x = layer.forward(x, train_flg)
            else:
                x = layer.forward(x)
        return x

    def loss(self, x, t):
        return self.last_layer.forward(self.predict(x, train_flg=True), t)

    def accuracy(self, x, t, batch_size=100):
        if t.ndim != 1:
            t = np.argmax(t, axis=1)

        # メモリが足りるように、少しずつ。端数は数えない
        correct = 0.0
        for i in range(int(x.shape[0] / batch_size)):
            part = slice(i * batch_size, (i + 1) * batch_size)
            y = np.argmax(self.predict(x[part], train_flg=False), axis=1)
            correct += np.sum(y == t[part])

        return correct / x.shape[0]

    def gradient(self, x, t):
        # 順伝播
        self.loss(x, t)

        # 逆伝播
        dout = self.last_layer.backward(1)
        for layer in reversed(self.layers):
            dout = layer.backward(dout)

        # 重みを持つ層の番号
        grads = {}
        for i, number in enumerate((0, 2, 5, 7, 10, 12, 15, 18)):
            grads['W' + str(i + 1)] = self.layers[number].dW
            grads['b' + str(i + 1)] = self.layers[number].db
        return grads

    def save_params(self, file_name="params.pkl"):
        with open(file_name, 'wb') as f:
            pickle.dump(dict(self.params), f)

    def load_params(self, file_name="params.pkl"):
        with open(file_name, 'rb') as f:
            self.params.update(pickle.load(f))

        for i, number in enumerate((0, 2, 5, 7, 10, 12, 15, 18)):
            self.layers[number].W = self.params['W' + str(i + 1)]
            self.layers[number].b = self.params['b' + str(i + 1)]
