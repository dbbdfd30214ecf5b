# coding: utf-8
import numpy as np


def smooth_curve(x):
    """損失のグラフを滑らかにする（カイザー窓による移動平均）"""
    width = 11
    half = width // 2

    # 両端は、折り返して延ばす
    longer = np.concatenate([x[width-1:0:-1], x, x[-1:-width:-1]])
    window = np.kaiser(width, 2)
    y = np.convolve(longer, window / np.sum(window), mode='valid')
    return y[half:len(y)-half]


def shuffle_dataset(x, t):
    """データとラベルを、同じ順番に並べ替える"""
    order = np.random.permutation(x.shape[0])
    return x[order], t[order]


def conv_output_size(input_size, filter_size, stride=1, pad=0):
    return (input_size - filter_size + 2*pad) / stride + 1


def im2col(input_data, filter_h, filter_w, stride=1, pad=0):
    """画像を、フィルターを当てる場所ごとに一行とした行列に展開する

    input_data の形状は (データ数, チャンネル, 高さ, 幅)
    """
    N, C, H, W = input_data.shape
    out_h = (H - filter_h + 2*pad) // stride + 1
    out_w = (W - filter_w + 2*pad) // stride + 1

    padded = np.pad(input_data, ((0, 0), (0, 0), (pad, pad), (pad, pad)), 'constant')
    col = np.zeros((N, C, filter_h, filter_w, out_h, out_w))

    for i in range(filter_h):
        for j in range(filter_w):
            col[:, :, i, j] = padded[:, :, i:i+stride*out_h:stride, j:j+stride*out_w:stride]

    return col.transpose(0, 4, 5, 1, 2, 3).reshape(N*out_h*out_w, -1)


def col2im(col, input_shape, filter_h, filter_w, stride=1, pad=0):
    """im2colの逆伝播：展開した行列を画像に足し戻す

    input_shape は元の画像の形状、(データ数, チャンネル, 高さ, 幅)
    """
    N, C, H, W = input_shape
    out_h = (H - filter_h + 2*pad) // stride + 1
    out_w = (W - filter_w + 2*pad) // stride + 1

    col = col.reshape(N, out_h, out_w, C, filter_h, filter_w)
    col = col.transpose(0, 3, 4, 5, 1, 2)

    padded = np.zeros((N, C, H + 2*pad + stride - 1, W + 2*pad + stride - 1))
    for i in range(filter_h):
        for j in range(filter_w):
            padded[:, :, i:i+stride*out_h:stride, j:j+stride*out_w:stride] += col[:, :, i, j]

    return padded[:, :, pad:pad+H, pad:pad+W]
