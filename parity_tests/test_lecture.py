"""Lecture code runs on the reference after changing only its import lines."""

import os
import runpy
from typing import Any

import numpy as np
import pytest
import threadpoolctl

from reference import datasets


def test_the_bill(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_module("parity_tests.lecture.buy_fruit")
    assert capsys.readouterr().out.splitlines() == [
        "price: 715",
        "dApple: 2.2",
        "dApple_num: 110",
        "dOrange: 3.3000000000000003",
        "dOrange_num: 165",
        "dTax: 650",
    ]


def digits_as_mnist(**options: Any) -> Any:
    """scikit-learn's digits in MNIST's shape and number, where MNIST itself is not."""

    def enlarge(split: Any, samples: int) -> Any:
        x, t = split
        framed = np.kron(x.reshape(-1, 8, 8), np.ones((3, 3), x.dtype))
        framed = np.pad(framed, ((0, 0), (2, 2), (2, 2))).reshape(len(x), 784)
        repeated = np.arange(samples) % len(x)
        return framed[repeated], t[repeated]

    train, test = datasets.load_digits(**options)
    return enlarge(train, 60_000), enlarge(test, 10_000)


@pytest.mark.usefixtures("without_shape_checks")
def test_the_training_script(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    is_mnist = bool(os.environ.get("GRADPARITY_DATA"))
    if not is_mnist:
        monkeypatch.setattr(datasets, "load_mnist", digits_as_mnist)
    np.random.seed(0)
    with threadpoolctl.threadpool_limits(1):  # other tests run beside this one
        ran = runpy.run_module("parity_tests.lecture.train_mnist")
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert len(rows) == len(ran["train_acc_list"]) == 17
    first, last = (tuple(map(float, rows[i])) for i in (0, -1))
    assert max(first) < 0.3
    assert 0.96 < last[0] <= 1
    assert (0.96 if is_mnist else 0.9) < last[1] <= 1
    assert np.mean(ran["train_loss_list"][-100:]) < 0.1
