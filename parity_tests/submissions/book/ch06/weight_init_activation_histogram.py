# coding: utf-8
import numpy as np
import matplotlib.pyplot as plt


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def ReLU(x):
    return np.maximum(0, x)


def tanh(x):
    return np.tanh(x)

input_data = np.random.randn(1000, 100)
node_num = 100
hidden_layer_size = 5
activations = {}  # 層ごとの出力

x = input_data
for i in range(hidden_layer_size):
    # 標準偏差を 0.01 や np.sqrt(1.0 / node_num) などに変えてみる
    w = np.random.randn(node_num, node_num) * 1

    # 活性化関数も ReLU や tanh に変えてみる
    x = sigmoid(np.dot(x, w))
    activations[i] = x

for i, a in activations.items():
    plt.subplot(1, hidden_layer_size, i + 1)
    plt.title(str(i + 1) + "-layer")
    if i != 0:
        plt.yticks([], [])
    plt.hist(a.flatten(), 30, range=(0, 1))
plt.show()
