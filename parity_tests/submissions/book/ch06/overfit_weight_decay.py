# coding: utf-8
import os
import sys

sys.path.append(os.pardir)  # 一つ上のフォルダのファイルをインポートするため
import numpy as np
import matplotlib.pyplot as plt
from dataset.mnist import load_mnist
from common.multi_layer_net import MultiLayerNet
from common.optimizer import SGD

(x_train, t_train), (x_test, t_test) = load_mnist(normalize=True)

# 過学習するように、データを少なくする
x_train = x_train[:300]
t_train = t_train[:300]

weight_decay_lambda = 0.1  # 0ならば荷重減衰なし

network = MultiLayerNet(input_size=784, hidden_size_list=[100, 100, 100, 100, 100, 100],
                        output_size=10, weight_decay_lambda=weight_decay_lambda)
optimizer = SGD(lr=0.01)

max_epochs = 201
train_size = x_train.shape[0]
batch_size = 100

train_acc_list = []
test_acc_list = []

iter_per_epoch = max(train_size / batch_size, 1)
epoch_cnt = 0

for i in range(1000000000):
    chosen = np.random.choice(train_size, batch_size)
    grads = network.gradient(x_train[chosen], t_train[chosen])
    optimizer.update(network.params, grads)

    if i % iter_per_epoch == 0:
        train_acc_list.append(network.accuracy(x_train, t_train))
        test_acc_list.append(network.accuracy(x_test, t_test))
        print("epoch:" + str(epoch_cnt) + ", train acc:" + str(train_acc_list[-1])
              + ", test acc:" + str(test_acc_list[-1]))

        epoch_cnt += 1
        if epoch_cnt >= max_epochs:
            break

x = np.arange(max_epochs)
plt.plot(x, train_acc_list, marker='o', label='train', markevery=10)
plt.plot(x, test_acc_list, marker='s', label='test', markevery=10)
plt.xlabel("epochs")
plt.ylabel("accuracy")
plt.ylim(0, 1.0)
plt.legend(loc='lower right')
plt.show()
