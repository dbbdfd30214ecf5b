# coding: utf-8
import sys, os
sys.path.append(os.pardir)  # 一つ上のフォルダのファイルをインポートするため
import numpy as np
from collections import OrderedDict
from common.layers import *
from common.gradient import numerical_gradient


class MultiLayerNet:
    """全結合層をいくつでも重ねたネットワーク

    hidden_size_list は隠れ層のニューロンの数（例：[100, 100]）、
    activation は 'relu' か 'sigmoid'、
    weight_init_std は重みの標準偏差、または 'relu'（'he'）か 'sigmoid'（'xavier'）、
    weight_decay_lambda は荷重減衰（L2ノルム）の強さ
    """
    def __init__(self, input_size, hidden_size_list, output_size,
                 activation='relu', weight_init_std='relu', weight_decay_lambda=0):
        self.input_size = input_size
        self.output_size = output_size
        self.hidden_size_list = hidden_size_list
        self.hidden_layer_num = len(hidden_size_list)
        self.weight_decay_lambda = weight_decay_lambda
        self.params = {}
        self.__init_weight(weight_init_std)

        # 層を順に重ねる。最後のAffineの後には活性化関数がない
        activation_layer = {'sigmoid': Sigmoid, 'relu': Relu}[activation]
        last = self.hidden_layer_num + 1
        self.layers = OrderedDict()
        for i in range(1, last + 1):
            self.layers['Affine' + str(i)] = Affine(self.params['W' + str(i)],
                                                    self.params['b' + str(i)])
            if i != last:
                self.layers['Activation_function' + str(i)] = activation_layer()

        self.last_layer = SoftmaxWithLoss()

    def __init_weight(self, weight_init_std):
        sizes = [self.input_size] + self.hidden_size_list + [self.output_size]
        kind = str(weight_init_std).lower()

        for i in range(1, len(sizes)):
            before, after = sizes[i-1], sizes[i]
            if kind in ('relu', 'he'):  # Heの初期値
                std = np.sqrt(2.0 / before)
            elif kind in ('sigmoid', 'xavier'):  # Xavierの初期値
                std = np.sqrt(1.0 / before)
            else:
                std = weight_init_std

            self.params['W' + str(i)] = std * np.random.randn(before, after)
            self.params['b' + str(i)] = np.zeros(after)

    def predict(self, x):
        for layer in self.layers.values():
            x = layer.forward(x)
        return x

    def loss(self, x, t):
        y = self.predict(x)

        decay = 0
        for i in range(1, self.hidden_layer_num + 2):
            W = self.params['W' + str(i)]
            decay += 0.5 * self.weight_decay_lambda * np.sum(W ** 2)

        return self.last_layer.forward(y, t) + decay

    def accuracy(self, x, t):
        y = np.argmax(self.predict(x), axis=1)
        if t.ndim != 1:
            t = np.argmax(t, axis=1)

        return np.sum(y == t) / float(x.shape[0])

    def numerical_gradient(self, x, t):
        """数値微分による勾配（ディクショナリ）"""
        f = lambda W: self.loss(x, t)

        grads = {}
        for i in range(1, self.hidden_layer_num + 2):
            for name in ('W' + str(i), 'b' + str(i)):
                grads[name] = numerical_gradient(f, self.params[name])
        return grads

    def gradient(self, x, t):
        """誤差逆伝播法による勾配（ディクショナリ）"""
        # 順伝播
        self.loss(x, t)

        # 逆伝播
        dout = self.last_layer.backward(1)
        for layer in reversed(list(self.layers.values())):
            dout = layer.backward(dout)

        grads = {}
        for i in range(1, self.hidden_layer_num + 2):
            affine = self.layers['Affine' + str(i)]
            grads['W' + str(i)] = affine.dW + self.weight_decay_lambda * affine.W
            grads['b' + str(i)] = affine.db
        return grads
