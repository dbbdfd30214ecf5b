# coding: utf-8
import sys, os
sys.path.append(os.pardir)  # 一つ上のフォルダのファイルをインポートするため
import pickle
import numpy as np
from collections import OrderedDict
from common.layers import *
from common.gradient import numerical_gradient


class SimpleConvNet:
    """簡単な畳み込みネットワーク

    conv - relu - pool - affine - relu - affine - softmax

    input_dim は画像の形状（チャンネル, 高さ, 幅）、
    conv_param は畳み込み層の設定（フィルターの数と大きさ、パディング、ストライド）
    """
    def __init__(self, input_dim=(1, 28, 28),
                 conv_param={'filter_num': 30, 'filter_size': 5, 'pad': 0, 'stride': 1},
                 hidden_size=100, output_size=10, weight_init_std=0.01):
        filter_num, filter_size = conv_param['filter_num'], conv_param['filter_size']
        pad, stride = conv_param['pad'], conv_param['stride']
        conv_size = (input_dim[1] - filter_size + 2*pad) / stride + 1
        pool_size = int(filter_num * (conv_size / 2) * (conv_size / 2))

        # 重みの形状
        shapes = {'W1': (filter_num, input_dim[0], filter_size, filter_size),
                  'W2': (pool_size, hidden_size),
                  'W3': (hidden_size, output_size)}
        biases = {'b1': filter_num, 'b2': hidden_size, 'b3': output_size}
        self.params = {}
        for i in ('1', '2', '3'):
            self.params['W' + i] = weight_init_std * np.random.randn(*shapes['W' + i])
            self.params['b' + i] = np.zeros(biases['b' + i])

        # 層を順に並べる
        self.layers = OrderedDict()
        self.layers['Conv1'] = Convolution(self.params['W1'], self.params['b1'], stride, pad)
        self.layers['Relu1'] = Relu()
        self.layers['Pool1'] = Pooling(pool_h=2, pool_w=2, stride=2)
        self.layers['Affine1'] = Affine(self.params['W2'], self.params['b2'])
        self.layers['Relu2'] = Relu()
        self.layers['Affine2'] = Affine(self.params['W3'], self.params['b3'])

        self.last_layer = SoftmaxWithLoss()

    def predict(self, x):
        for layer in self.layers.values():
            x = layer.forward(x)
        return x

    def loss(self, x, t):
        return self.last_layer.forward(self.predict(x), t)

    def accuracy(self, x, t, batch_size=100):
        if t.ndim != 1:
            t = np.argmax(t, axis=1)

        # メモリが足りるように、少しずつ。端数は数えない
        correct = 0.0
        for i in range(int(x.shape[0] / batch_size)):
            part = slice(i * batch_size, (i + 1) * batch_size)
            y = np.argmax(self.predict(x[part]), axis=1)
            correct += np.sum(y == t[part])

        return correct / x.shape[0]

    def numerical_gradient(self, x, t):
        """数値微分による勾配（ディクショナリ）"""
        f = lambda w: self.loss(x, t)

        grads = {}
        for i in ('1', '2', '3'):
            for name in ('W' + i, 'b' + i):
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
        for i, name in enumerate(('Conv1', 'Affine1', 'Affine2')):
            grads['W' + str(i + 1)] = self.layers[name].dW
            grads['b' + str(i + 1)] = self.layers[name].db
        return grads

    def save_params(self, file_name="params.pkl"):
        with open(file_name, 'wb') as f:
            pickle.dump(dict(self.params), f)

    def load_params(self, file_name="params.pkl"):
        with open(file_name, 'rb') as f:
            self.params.update(pickle.load(f))

        for i, name in enumerate(('Conv1', 'Affine1', 'Affine2')):
            self.layers[name].W = self.params['W' + str(i + 1)]
            self.layers[name].b = self.params['b' + str(i + 1)]
