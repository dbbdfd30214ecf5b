# coding: utf-8
import numpy as np
import matplotlib.pyplot as plt
from simple_convnet import SimpleConvNet


def filter_show(filters, nx=8, margin=3, scale=10):
    """フィルターを並べて表示する"""
    rows = int(np.ceil(filters.shape[0] / nx))

    fig = plt.figure()
    fig.subplots_adjust(left=0, right=1, bottom=0, top=1, hspace=0.05, wspace=0.05)
    for i, each in enumerate(filters):
        ax = fig.add_subplot(rows, nx, i + 1, xticks=[], yticks=[])
        ax.imshow(each[0], cmap=plt.cm.gray_r, interpolation='nearest')
    plt.show()


network = SimpleConvNet()
# 訓練の前
filter_show(network.params['W1'])

# 訓練の後
network.load_params("params.pkl")
filter_show(network.params['W1'])
