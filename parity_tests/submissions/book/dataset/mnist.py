# coding: utf-8
try:
    import urllib.request
except ImportError:
    raise ImportError('Python 3 is needed')
import os.path
import gzip
import pickle
import os
import numpy as np


url_base = 'https://ossci-datasets.s3.amazonaws.com/mnist/'

key_file = {
    'train_img': 'train-images-idx3-ubyte.gz',
    'train_label': 'train-labels-idx1-ubyte.gz',
    'test_img': 't10k-images-idx3-ubyte.gz',
    'test_label': 't10k-labels-idx1-ubyte.gz'
}

dataset_dir = os.path.dirname(os.path.abspath(__file__))
save_file = dataset_dir + "/mnist.pkl"

train_num = 60000
test_num = 10000
img_dim = (1, 28, 28)
img_size = 784


def _download(file_name):
    file_path = dataset_dir + "/" + file_name
    if os.path.exists(file_path):
        return

    print("Downloading " + file_name + " ... ")
    urllib.request.urlretrieve(url_base + file_name, file_path)
    print("Done")


def download_mnist():
    for file_name in key_file.values():
        _download(file_name)


def _load_label(file_name):
    print("Converting " + file_name + " to NumPy Array ...")
    with gzip.open(dataset_dir + "/" + file_name, 'rb') as f:
        labels = np.frombuffer(f.read(), np.uint8, offset=8)
    print("Done")

    return labels


def _load_img(file_name):
    print("Converting " + file_name + " to NumPy Array ...")
    with gzip.open(dataset_dir + "/" + file_name, 'rb') as f:
        pixels = np.frombuffer(f.read(), np.uint8, offset=16)
    print("Done")

    return pixels.reshape(-1, img_size)


def _convert_numpy():
    dataset = {}
    for part in ('train', 'test'):
        dataset[part + '_img'] = _load_img(key_file[part + '_img'])
        dataset[part + '_label'] = _load_label(key_file[part + '_label'])
    return dataset


def init_mnist():
    download_mnist()
    dataset = _convert_numpy()
    print("Creating pickle file ...")
    with open(save_file, 'wb') as f:
        pickle.dump(dataset, f, -1)
    print("Done!")


def _change_one_hot_label(X):
    T = np.zeros((X.size, 10))
    T[np.arange(X.size), X] = 1
    return T


def load_mnist(normalize=True, flatten=True, one_hot_label=False):
    """MNISTを読み込む。初めてのときはダウンロードする

    normalize は画素を0から1までにするか、flatten は画像をベクトルにするか、
    one_hot_label はラベルをone-hot表現にするか
    （訓練画像, 訓練ラベル）と（テスト画像, テストラベル）を返す
    """
    if not os.path.exists(save_file):
        init_mnist()

    with open(save_file, 'rb') as f:
        dataset = pickle.load(f)

    parts = []
    for part in ('train', 'test'):
        img, label = dataset[part + '_img'], dataset[part + '_label']
        if normalize:
            img = img.astype(np.float32) / 255.0
        if not flatten:
            img = img.reshape(-1, *img_dim)
        if one_hot_label:
            label = _change_one_hot_label(label)
        parts.append((img, label))

    return tuple(parts)


if __name__ == '__main__':
    init_mnist()
