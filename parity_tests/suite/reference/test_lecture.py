"""Lecture code runs on the reference after changing only its import lines."""

import os
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import threadpoolctl

from gradparity.parity_tests import lecture
from gradparity.reference import datasets


def test_the_bill(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_module("gradparity.parity_tests.lecture.buy_fruit")
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
@pytest.mark.parametrize(
    ("steps", "least", "most_loss"),
    [(1_500, 0.9, 0.3), pytest.param(10_000, 0.96, 0.1, marks=pytest.mark.deep)],
)
def test_the_training_script(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    steps: int,
    least: float,
    most_loss: float,
) -> None:
    """As far as it is asked to go; all of its 10,000 steps are half a minute."""
    is_mnist = bool(os.environ.get("GRADPARITY_DATA"))
    if not is_mnist:
        monkeypatch.setattr(datasets, "load_mnist", digits_as_mnist)
    script = Path(lecture.__file__).with_name("train_mnist.py").read_text("utf-8")
    length = "iters_num = 10000"
    assert script.count(length) == 1
    np.random.seed(0)
    with threadpoolctl.threadpool_limits(1):  # other tests run beside this one
        ran: dict[str, Any] = {}
        exec(script.replace(length, f"iters_num = {steps}"), ran)
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert len(rows) == len(ran["train_acc_list"]) == (steps - 1) // 600 + 1
    assert len(ran["train_loss_list"]) == steps
    first, last = (tuple(map(float, rows[i])) for i in (0, -1))
    assert max(first) < 0.3
    assert least < last[0] <= 1
    assert (least if is_mnist else min(least, 0.9)) < last[1] <= 1
    assert np.mean(ran["train_loss_list"][-100:]) < most_loss
