# coding: utf-8
from google.colab import drive
drive.mount('/content/drive')

import sys, os
sys.path.append(os.pardir)
import numpy as np
from dataset.mnist import load_mnist
from tl_nn import TwoLayerNet

(x_train, t_train), (x_test, t_test) = load_mnist(normalize=True, one_hot_label=True)

network = TwoLayerNet(input_size=784, hidden_size=50, output_size=10)

iters_num = 10000
batch_size = 100
learning_rate = 0.1

for i in range(iters_num):
    batch_mask = np.random.choice(x_train.shape[0], batch_size)
    grad = network.gradient(x_train[batch_mask], t_train[batch_mask])

    for key in ('W1', 'b1', 'W2', 'b2'):
        network.params[key] -= learning_rate * grad[key]

print(network.accuracy(x_test, t_test))
