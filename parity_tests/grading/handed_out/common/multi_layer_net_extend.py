# coding: utf-8
import sys, os
sys.path.append(os.pardir)  # 一つ上のフォルダのファイルをインポートするため
import numpy as np
from collections import OrderedDict
from common.layers import *
from common.gradient import numerical_gradient


class MultiLayerNetExtend:
    """荷重減衰、Dropout、Batch Normalizationも使えるネットワーク

    hidden_size_list は隠れ層のニューロンの数（例：[100, 100]）、
    activation は 'relu' か 'sigmoid'、
    weight_init_std は重みの標準偏差、または 'relu'（'he'）か 'sigmoid'（'xavier'）、
    weight_decay_lambda は荷重減衰（L2ノルム）の強さ、
    use_dropout と dropout_ration はDropoutを使うかと、その割合、
    use_batchnorm はBatch Normalizationを使うか
    """
    def __init__(self, input_size, hidden_size_list, output_size,
                 activation='relu', weight_init_std='relu', weight_decay_lambda=0,
                 use_dropout=False, dropout_ration=0.5, use_batchnorm=False):
        self.input_size = input_size
        self.output_size = output_size
        self.hidden_size_list = hidden_size_list
        self.hidden_layer_num = len(hidden_size_list)
        self.use_dropout = use_dropout
        self.weight_decay_lambda = weight_decay_lambda
        self.use_batchnorm = use_batchnorm
        self.params = {}
        self.__init_weight(weight_init_std)

        # 層を順に重ねる。最後のAffineの後には何もない
        activation_layer = {'sigmoid': Sigmoid, 'relu': Relu}[activation]
        last = self.hidden_layer_num + 1
        self.layers = OrderedDict()
        for i in range(1, last + 1):
            self.layers['Affine' + str(i)] = Affine(self.params['W' + str(i)],
                                                    self.params['b' + str(i)])
            if i == last:
                break

            if self.use_batchnorm:
                gamma = np.ones(hidden_size_list[i-1])
                beta = np.zeros(hidden_size_list[i-1])
                self.params['gamma' + str(i)] = gamma
                self.params['beta' + str(i)] = beta
                self.layers['BatchNorm' + str(i)] = BatchNormalization(gamma, beta)

            self.layers['Activation_function' + str(i)] = activation_layer()

            if self.use_dropout:
                self.layers['Dropout' + str(i)] = Dropout(dropout_ration)

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

    def predict(self, x, train_flg=False):
        for name, layer in self.layers.items():
            # 訓練とテストで違うことをする層
            if name.startswith(('Dropout', 'BatchNorm')):
                x = layer.forward(x, train_flg)
            else:
                x = layer.forward(x)
        return x

    def loss(self, x, t, train_flg=False):
        y = self.predict(x, train_flg)

        decay = 0
        for i in range(1, self.hidden_layer_num + 2):
            W = self.params['W' + str(i)]
            decay += 0.5 * self.weight_decay_lambda * np.sum(W ** 2)

        return self.last_layer.forward(y, t) + decay

    def accuracy(self, x, t):
        y = np.argmax(self.predict(x, train_flg=False), axis=1)
        if t.ndim != 1:
            t = np.argmax(t, axis=1)

        return np.sum(y == t) / float(x.shape[0])

    def numerical_gradient(self, x, t):
        """数値微分による勾配（ディクショナリ）"""
        f = lambda W: self.loss(x, t, train_flg=True)

        grads = {}
        for i in range(1, self.hidden_layer_num + 2):
            names = ['W' + str(i), 'b' + str(i)]
            if self.use_batchnorm and i <= self.hidden_layer_num:
                names += ['gamma' + str(i), 'beta' + str(i)]
            for name in names:
                grads[name] = numerical_gradient(f, self.params[name])
        return grads

    def gradient(self, x, t):
        # 順伝播
        self.loss(x, t, train_flg=True)

        # 逆伝播
        dout = self.last_layer.backward(1)
        for layer in reversed(list(self.layers.values())):
            dout = layer.backward(dout)

        grads = {}
        for i in range(1, self.hidden_layer_num + 2):
            affine = self.layers['Affine' + str(i)]
            W = self.params['W' + str(i)]
            grads['W' + str(i)] = affine.dW + self.weight_decay_lambda * W
            grads['b' + str(i)] = affine.db

            if self.use_batchnorm and i <= self.hidden_layer_num:
                norm = self.layers['BatchNorm' + str(i)]
                grads['gamma' + str(i)] = norm.dgamma
                grads['beta' + str(i)] = norm.dbeta
        return grads
