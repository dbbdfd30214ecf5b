# coding: utf-8
import sys, os
sys.path.append(os.pardir)  # 一つ上のフォルダのファイルをインポートするため
import numpy as np
import matplotlib.pyplot as plt
from dataset.mnist import load_mnist
from common.multi_layer_net import MultiLayerNet
from common.util import shuffle_dataset
from common.trainer import Trainer

(x_train, t_train), (x_test, t_test) = load_mnist(normalize=True)

# 速くするために、データを少なくする
x_train = x_train[:500]
t_train = t_train[:500]

# 二割を検証データに分ける
validation_rate = 0.20
validation_num = int(x_train.shape[0] * validation_rate)
x_train, t_train = shuffle_dataset(x_train, t_train)
x_val, x_train = x_train[:validation_num], x_train[validation_num:]
t_val, t_train = t_train[:validation_num], t_train[validation_num:]


def __train(lr, weight_decay, epocs=50):
    network = MultiLayerNet(input_size=784, hidden_size_list=[100, 100, 100, 100, 100, 100],
                            output_size=10, weight_decay_lambda=weight_decay)
    trainer = Trainer(network, x_train, t_train, x_val, t_val,
                      epochs=epocs, mini_batch_size=100,
                      optimizer='sgd', optimizer_param={'lr': lr}, verbose=False)
    trainer.train()

    return trainer.test_acc_list, trainer.train_acc_list


# ランダムに探す
optimization_trial = 100
results_val = {}
results_train = {}
for _ in range(optimization_trial):
    weight_decay = 10 ** np.random.uniform(-8, -4)
    lr = 10 ** np.random.uniform(-6, -2)

    val_acc_list, train_acc_list = __train(lr, weight_decay)
    key = "lr:" + str(lr) + ", weight decay:" + str(weight_decay)
    print("val acc:" + str(val_acc_list[-1]) + " | " + key)
    results_val[key] = val_acc_list
    results_train[key] = train_acc_list

# 良いものから順に20個
print("=========== Hyper-Parameter Optimization Result ===========")
best = sorted(results_val, key=lambda key: results_val[key][-1], reverse=True)
for i, key in enumerate(best[:20]):
    print("Best-" + str(i + 1) + "(val acc:" + str(results_val[key][-1]) + ") | " + key)

    plt.subplot(4, 5, i + 1)
    plt.title("Best-" + str(i + 1))
    plt.ylim(0.0, 1.0)
    if i % 5:
        plt.yticks([])
    plt.xticks([])
    plt.plot(results_val[key])
    plt.plot(results_train[key], "--")

plt.show()
