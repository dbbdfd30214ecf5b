# coding: utf-8
import sys, os
sys.path.append(os.pardir)  # 一つ上のフォルダのファイルをインポートするため
import numpy as np
import pickle
from dataset.mnist import load_mnist
from common.functions import sigmoid, softmax


def get_data():
    train, test = load_mnist(normalize=True, flatten=True, one_hot_label=False)
    return test


def init_network():
    with open("sample_weight.pkl", 'rb') as f:
        return pickle.load(f)


def predict(network, x):
    z1 = sigmoid(np.dot(x, network['W1']) + network['b1'])
    z2 = sigmoid(np.dot(z1, network['W2']) + network['b2'])
    a3 = np.dot(z2, network['W3']) + network['b3']

    return softmax(a3)


x, t = get_data()
network = init_network()

accuracy_cnt = 0
for i in range(len(x)):
    y = predict(network, x[i])
    if np.argmax(y) == t[i]:  # 確率の最も高いもの
        accuracy_cnt += 1

print("Accuracy:" + str(float(accuracy_cnt) / len(x)))
