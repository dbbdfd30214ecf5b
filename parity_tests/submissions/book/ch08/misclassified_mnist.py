# coding: utf-8
import sys, os
sys.path.append(os.pardir)  # 一つ上のフォルダのファイルをインポートするため
import numpy as np
import matplotlib.pyplot as plt
from deep_convnet import DeepConvNet
from dataset.mnist import load_mnist


(x_train, t_train), (x_test, t_test) = load_mnist(flatten=False)

network = DeepConvNet()
network.load_params("deep_convnet_params.pkl")

print("calculating test accuracy ... ")
batch_size = 100
classified_ids = []
for i in range(0, x_test.shape[0], batch_size):
    y = network.predict(x_test[i:i+batch_size], train_flg=False)
    classified_ids.extend(np.argmax(y, axis=1))

classified_ids = np.array(classified_ids)
print("test accuracy:" + str(np.mean(classified_ids == t_test)))

# 間違えたものを20枚まで表示する
fig = plt.figure()
fig.subplots_adjust(left=0, right=1, bottom=0, top=1, hspace=0.2, wspace=0.2)

mis_pairs = {}
for view, i in enumerate(np.where(classified_ids != t_test)[0][:20]):
    ax = fig.add_subplot(4, 5, view + 1, xticks=[], yticks=[])
    ax.imshow(x_test[i].reshape(28, 28), cmap=plt.cm.gray_r, interpolation='nearest')
    mis_pairs[view + 1] = (t_test[i], classified_ids[i])

print("======= misclassified result =======")
print("{view index: (label, inference), ...}")
print(mis_pairs)

plt.show()
