"""Trained parameters through a file into every other implementation, bit for bit."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gradparity.parity_tests.implementations.contract import Arrays, Implementation
from gradparity.parity_tests.suite.support import load_or_skip
from gradparity.parity_tests.training.plan import TRAINABLE, Plan, in_dtype
from gradparity.parity_tests.training.run import train
from gradparity.reference.datasets import load as load_dataset
from gradparity.reference.networks.parameters import (
    LAYOUT,
    NAMES,
    UnreadableParameters,
    load,
    save,
)
from gradparity.reference.rounding import Arithmetic, Bounded
from gradparity.reports.commands.application import main


@pytest.fixture(scope="module")
def plan() -> Plan:
    return Plan.of(load_dataset("digits"), 20)


def assert_same(a: Arrays, b: Arrays) -> None:
    assert {k: v.dtype for k, v in a.items()} == {k: v.dtype for k, v in b.items()}
    for name, value in a.items():
        assert value.tobytes() == b[name].tobytes(), name


@pytest.fixture
def params(plan: Plan, dtype: str) -> Arrays:
    """As a few steps of the reference leave them."""
    return train(plan, dtype, load_or_skip("reference"), None)[1].params[-1]


def test_from_any_implementation_into_every_other(
    tmp_path: Path, plan: Plan, dtype: str, trainable: Implementation
) -> None:
    _, trajectory = train(plan, dtype, trainable, None)
    trained = trajectory.params[-1]
    save(tmp_path / "net.safetensors", trained)
    loaded = load(tmp_path / "net.safetensors")
    assert [*loaded] == [*NAMES]
    assert_same(loaded, trained)
    assert all(v.flags.writeable and v.flags.c_contiguous for v in loaded.values())
    x = in_dtype(plan.dataset, dtype).x_test
    for name in TRAINABLE:
        other = load_or_skip(name)
        scores = other.predict(loaded, x)
        assert scores.tobytes() == other.predict(trained, x).tobytes()
    own = load_or_skip(trainable.name).predict(loaded, x)
    np.testing.assert_array_equal(own, trajectory.scores)


def test_the_same_parameters_give_the_same_bytes(
    tmp_path: Path, params: Arrays
) -> None:
    backwards = dict(reversed(params.items()))
    in_columns = {name: np.asfortranarray(value) for name, value in params.items()}
    for number, same in enumerate((params, backwards, in_columns)):
        save(tmp_path / str(number), same)
    contents = {path.read_bytes() for path in tmp_path.iterdir()}
    assert len(contents) == 1


def test_any_reader_of_safetensors_finds_what_is_documented(
    tmp_path: Path, params: Arrays
) -> None:
    from safetensors import safe_open

    save(tmp_path / "net.safetensors", params)
    with safe_open(tmp_path / "net.safetensors", "numpy") as file:
        assert file.metadata()["layout"].startswith(LAYOUT)
        assert_same({name: file.get_tensor(name) for name in file.keys()}, params)  # noqa: SIM118


def test_a_file_of_other_origin_is_read(tmp_path: Path, params: Arrays) -> None:
    from safetensors.numpy import save_file

    save_file(params, tmp_path / "net.safetensors")
    assert_same(load(tmp_path / "net.safetensors"), params)


def torch_network(params: Arrays) -> Any:
    torch = pytest.importorskip("torch")
    from gradparity.torch_impl.networks import TwoLayerNet

    return TwoLayerNet.from_params(
        {name: torch.from_numpy(value) for name, value in params.items()}
    )


def test_through_a_plain_sequential_and_back(
    tmp_path: Path, plan: Plan, dtype: str, params: Arrays
) -> None:
    torch = pytest.importorskip("torch")
    from gradparity.torch_impl.networks import from_sequential, to_sequential

    save(tmp_path / "net.safetensors", params)
    network = torch_network(load(tmp_path / "net.safetensors"))
    state = torch.random.get_rng_state()
    model: Any = to_sequential(network)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert [type(layer).__name__ for layer in model] == ["Linear", "ReLU", "Linear"]
    assert all(p.is_contiguous() and p.requires_grad for p in model.parameters())
    expected = {"0.weight": "W1", "0.bias": "b1", "2.weight": "W2", "2.bias": "b2"}
    for key, value in model.state_dict().items():
        assert value.numpy().tobytes() == params[expected.pop(key)].T.tobytes()
    assert expected == {}

    other = torch.nn.Sequential(*(type(m)(*size(m)) for m in model)).to(model[0].weight)
    other.load_state_dict(model.state_dict())  # somebody's own model
    back = from_sequential(other)
    found = {name: value.detach().numpy() for name, value in back.named_parameters()}
    assert_same(found, params)
    save(tmp_path / "back.safetensors", found)
    names = ("net.safetensors", "back.safetensors")
    assert len({(tmp_path / name).read_bytes() for name in names}) == 1
    x = torch.from_numpy(in_dtype(plan.dataset, dtype).x_test)
    assert torch.equal(back(x), network(x))


def size(layer: Any) -> tuple[int, ...]:
    return tuple(layer.weight.T.shape) if hasattr(layer, "weight") else ()


def test_a_sequential_predicts_the_same(plan: Plan, dtype: str, params: Arrays) -> None:
    """Within twice the rounding bound of the scores, for its weights lie in memory the
    other way round; and to the bit, when they do not.
    """
    torch = pytest.importorskip("torch")
    from gradparity.torch_impl.networks import to_sequential

    network = torch_network(params)
    model: Any = to_sequential(network)
    x = in_dtype(plan.dataset, dtype).x_test
    scores, others = (m(torch.from_numpy(x)).detach().numpy() for m in (network, model))
    arithmetic = Arithmetic.of(dtype)
    W1, b1, W2, b2 = (Bounded.exact(params[name], arithmetic) for name in NAMES)
    hidden = Bounded.exact(x, arithmetic).matmul(W1, b1).relu()
    bound = 2 * hidden.matmul(W2, b2).error
    assert (np.abs(scores.astype(np.longdouble) - others) <= bound).all()
    for layer in (model[0], model[2]):
        layer.weight = torch.nn.Parameter(layer.weight.detach().T.contiguous().T)
    assert model(torch.from_numpy(x)).detach().numpy().tobytes() == scores.tobytes()


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ("[]", "must be Linear, ReLU, Linear, got none"),
        ("[Linear(4, 3), ReLU()]", "must be Linear, ReLU, Linear, got Linear, ReLU"),
        ("[Linear(4, 3), GELU(), Linear(3, 2)]", "got Linear, GELU, Linear"),
        (
            "[Linear(4, 3), ReLU(), Linear(3, 2, bias=False)]",
            "a Linear must have a bias",
        ),
        (
            "[Linear(4, 3), ReLU(), Linear(5, 2)]",
            r"W2 must have shape \(3, 2\), got \(5",
        ),
        ("[Linear(4, 3), ReLU(), Linear(3, 2).double()]", "must have one dtype"),
    ],
)
def test_another_sequential_is_refused(layers: str, expected: str) -> None:
    torch = pytest.importorskip("torch")
    from gradparity.torch_impl.networks import from_sequential

    model = torch.nn.Sequential(*eval(layers, vars(torch.nn)))
    with pytest.raises((TypeError, ValueError), match=expected):
        from_sequential(model)


def rewritten(**changes: Any) -> Callable[[Path], object]:
    def rewrite(path: Path) -> None:
        from safetensors.numpy import save_file

        params = load(path) | changes
        save_file({k: v for k, v in params.items() if v is not None}, path)

    return rewrite


def edited(edit: Callable[[bytes], bytes]) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(edit(path.read_bytes()))


# In the words of its newer versions, and of its older ones.
NOT_COVERED = "file not fully covered|MetadataIncompleteBuffer"


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty": (edited(lambda raw: b""), "[Hh]eader ?[Tt]oo ?[Ss]mall"),
    "a text": (
        edited(lambda raw: b"W1, b1, W2, b2\n" * 9),
        "[Hh]eader ?[Tt]oo ?[Ll]arge",
    ),
    "cut": (edited(lambda raw: raw[:-1]), NOT_COVERED),
    "cut early": (edited(lambda raw: raw[:100]), "[Ii]nvalid ?[Hh]eader"),
    "too long": (edited(lambda raw: raw + b"\0"), NOT_COVERED),
    "flipped": (
        edited(lambda raw: raw[:-9] + bytes([raw[-9] ^ 1]) + raw[-8:]),
        "the numbers are not those that were saved",
    ),
    "a name missing": (
        rewritten(b1=None),
        "must be named W1, b1, W2, b2, got W1, W2, b2",
    ),
    "a name too many": (rewritten(b3=np.ones(2)), "got W1, W2, b1, b2, b3$"),
    "a shape": (rewritten(b1=np.ones(7)), r"b1 must have shape \(50,\), got \(7,\)"),
    "a rank": (rewritten(W1=np.ones(50)), r"W1 must have rank 2, got rank 1"),
    "two dtypes": (
        rewritten(b1=np.ones(50, "f")),
        "must have one dtype, got W1: float64",
    ),
    "integers": (rewritten(b1=np.ones(50, int)), "b1 must be a floating-point array"),
    "half precision": (
        rewritten(
            W1=np.ones((2, 2), "e"),
            b1=np.ones(2, "e"),
            W2=np.ones((2, 2), "e"),
            b2=np.ones(2, "e"),
        ),
        "must be float32 or float64, got float16",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_file_that_is_not_right_is_refused(
    damage: str, tmp_path: Path, plan: Plan, without_shape_checks: None
) -> None:
    path = tmp_path / "net.safetensors"
    save(path, plan.params)
    spoil, expected = DAMAGES[damage]
    spoil(path)
    with pytest.raises(UnreadableParameters, match=expected) as refusal:
        load(path)
    assert str(refusal.value).startswith(f"{path}: ")
    assert "\n" not in str(refusal.value)


def test_bfloat16_is_refused(tmp_path: Path, plan: Plan) -> None:
    torch = pytest.importorskip("torch")
    from safetensors.torch import save_file

    half = {k: torch.from_numpy(v).bfloat16() for k, v in plan.params.items()}
    save_file(half, tmp_path / "net.safetensors")
    with pytest.raises(UnreadableParameters):
        load(tmp_path / "net.safetensors")


@pytest.mark.parametrize("path", ["nowhere", "."])
def test_no_file_is_an_os_error(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OSError, match=r"No such file|Is a directory|Permission denied"):
        load(path)


def test_what_cannot_be_saved(
    tmp_path: Path, plan: Plan, without_shape_checks: None
) -> None:
    path = tmp_path / "net.safetensors"
    with pytest.raises(ValueError, match=r"be named W1, b1, W2, b2, got W1, W2, b1$"):
        save(path, {k: v for k, v in plan.params.items() if k != "b2"})
    with pytest.raises(TypeError, match="must be float32 or float64, got complex128"):
        save(path, {k: v.astype(complex) for k, v in plan.params.items()})
    assert [*tmp_path.iterdir()] == []


def test_the_command_saves_every_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dtype: str
) -> None:
    for name in TRAINABLE:
        load_or_skip(name)
    folder = tmp_path / "new" / "trained"
    arguments = ["train", "--dataset", "digits", "--steps", "20", "--dtype", dtype]
    monkeypatch.setattr(sys, "argv", ["gradparity", *arguments, "--save", str(folder)])
    folder.mkdir(parents=True)
    (folder / f"torch-{dtype}.safetensors").write_text("replaced")
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    assert {path.name for path in folder.iterdir()} == {
        f"{name}-{dtype}.safetensors" for name in TRAINABLE
    }
    plan = Plan.of(load_dataset("digits"), 20)
    for name in TRAINABLE:
        _, trajectory = train(plan, dtype, load_or_skip(name), None)
        assert_same(load(folder / f"{name}-{dtype}.safetensors"), trajectory.params[-1])
