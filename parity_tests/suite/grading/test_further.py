"""What is further in the course: what is right passes, and each mistake is named."""

import pytest

from gradparity.parity_tests.grading.cautions import OF_THE_BOOK
from gradparity.parity_tests.grading.course import SUBJECTS, subject_of
from gradparity.parity_tests.grading.findings import Findings
from gradparity.parity_tests.grading.judging import judge
from gradparity.parity_tests.grading.outcomes import GRADED
from gradparity.parity_tests.mutants import MUTANTS, OF_THE_COURSE, Mutant
from gradparity.parity_tests.suite.grading.test_grading import (
    as_one_file,
    graded,
    offered_by,
    ran,
    warned,
)
from gradparity.parity_tests.suite.support import HANDED_OUT, SUBMISSIONS

FURTHER = {
    path.stem: path.read_text(encoding="utf-8")
    for path in sorted((SUBMISSIONS / "further").glob("*.py"))
}
# Those of chapter 4's network go with what that is held against.
PLANTED = [mutant for mutant in OF_THE_COURSE if mutant.layer in SUBJECTS]


@pytest.mark.parametrize("name", FURTHER)
def test_what_is_right_passes(name: str) -> None:
    found = graded(FURTHER[name])
    assert found.status == "pass", found.diagnosis
    assert found.warnings == found.diagnosis == []
    for each in found.classes:
        for row in each.quantities:
            assert row.cases > 0
            assert row.bound_ratio is not None
            assert row.bound_ratio <= 1


def test_all_of_it_is_tried() -> None:
    tried = {name for source in FURTHER.values() for name in offered_by(source)}
    apart = ("network", "optimizer")  # whose right ones have files of their own
    planted = {m.layer for m in PLANTED if SUBJECTS[m.layer].kind not in apart}
    assert planted <= tried
    assert len(planted) >= 9


def test_nobody_is_told_that_he_does_not_have_it() -> None:
    found = graded("def relu(x):\n    return x * (x > 0)\n")
    assert found.status == "pass"
    assert not any(SUBJECTS[name].further for name in found.missing)


@pytest.mark.parametrize("mutant", PLANTED, ids=lambda m: f"{m.layer}-{m.name}")
def test_a_planted_mistake_is_named(mutant: Mutant) -> None:
    found = judge("", ran({mutant.layer: mutant.definition}))
    assert found.status == "fail"
    (named,) = found.diagnosis
    assert (named.mistake, named.known) == (mutant.name, True)
    assert mutant.sentence[1:] in named.sentence


def test_the_catalogue_of_the_course() -> None:
    assert not {m.name for m in MUTANTS} & {m.name for m in OF_THE_COURSE}
    for mutant in OF_THE_COURSE:
        assert mutant.layer not in SUBJECTS or SUBJECTS[mutant.layer].further
        assert mutant.sentence[0].isupper(), mutant.name
        assert mutant.sentence.endswith("."), mutant.name


@pytest.mark.parametrize(
    ("name", "is_class", "subject"),
    [
        ("step_func", False, "step_function"),
        ("ReLU", False, "relu"),
        ("num_diff", False, "numerical_diff"),
        ("MSE", False, "mean_squared_error"),
        ("im2Col", False, "im2col"),
    ],
)
def test_it_is_known_by_the_names_that_people_use(
    name: str, is_class: bool, subject: str
) -> None:
    found = subject_of(name, is_class=is_class)
    assert found is not None
    assert found.name == subject


# --- Functions ------------------------------------------------------------------------


def mistake_in(source: str) -> list[str | None]:
    return [d.mistake for d in graded("import numpy as np\n" + source).diagnosis]


def test_a_step_function_of_numbers_alone_is_one() -> None:
    found = graded(
        "def step_function(x):\n    if x > 0:\n        return 1\n    return 0\n"
    )
    assert found.status == "pass"
    assert warned(found) == {("step_function", "arrays")}


def test_a_relu_of_arrays_alone_is_one() -> None:
    found = graded("def relu(x):\n    x[x < 0] = 0\n    return x\n")
    assert found.status == "pass"
    assert ("relu", "one number") in warned(found)


@pytest.mark.parametrize(
    "value", ["0.5 * {}.sum()", "{}.mean()", "{}.sum() / 2 / len(y)"]
)
def test_a_mean_squared_error_is_any_that_goes_by_that_name(value: str) -> None:
    error = f"(y, t):\n    return {value.format('((y - t) ** 2)')}\n"
    assert graded("def mean_squared_error" + error).status == "pass"
    is_sum = graded("def sum_squared_error" + error).status == "pass"
    assert is_sum == value.startswith("0.5")


def test_arguments_of_im2col_are_given_by_their_names() -> None:
    inner = FURTHER["functions"].replace("def im2col", "def inner")
    source = inner + (
        "def im2col(x, pad, stride, FW, FH):\n"
        "    return inner(x, FH, FW, stride, pad)\n"
    )
    found = judge("", ran({"im2col": offered_by(source)["im2col"]}))
    assert found.status == "pass", found.diagnosis


def test_known_mistakes_in_functions_are_named_as_they_are_written() -> None:
    assert mistake_in("def relu(x):\n    return np.abs(x)\n") == [
        "absolute-value-taken"
    ]
    assert mistake_in(
        "def numerical_diff(f, x):\n    return (f(x + 1e-4) - f(x - 1e-4)) / 2 * 1e-4\n"
    ) == ["divided-and-then-multiplied"]
    source = FURTHER["functions"].replace("fw] += next", "fw] = next")
    found = judge("", ran({"col2im": offered_by(source)["col2im"]}))
    assert [d.mistake for d in found.diagnosis] == [
        "overlaps-overwritten-by-later-places"
    ]


# --- Layers, as the lecture hands them out --------------------------------------------


def handed_out() -> str:
    """The lecture's layers of chapters 6 and 7, and what they are built from."""
    return as_one_file(HANDED_OUT / "common", "util", "functions", "layers")


def mistakes_with(name: str, old: str, new: str) -> list[str | None]:
    """The names of what is wrong with a layer in which a text is another one."""
    before, layer = handed_out().split(f"class {name}:")
    assert old in layer, old
    names = offered_by(f"{before}class {name}:{layer.replace(old, new, 1)}")
    return [d.mistake for d in judge("", ran({name: names[name]})).diagnosis]


def test_what_is_handed_out_is_right() -> None:
    names = offered_by(handed_out())
    of_it = {n: names[n] for n in GRADED if SUBJECTS[n].further and n in names}
    found = judge("", ran(of_it))
    assert found.status == "pass", found.diagnosis
    assert {"Dropout", "BatchNormalization", "Convolution", "Pooling", "im2col"} <= {
        each.name for each in found.classes
    }
    said = {warning.sentence for warning in found.warnings}
    about = {one: SUBJECTS[one.split("`")[1]] for one in OF_THE_BOOK}
    assert said == {
        one
        for one, subject in about.items()
        if subject.further and subject.kind != "network"
    }


COL_W = "self.col_W = self.W.reshape(FN, -1).T"
CONV_OUT = "out.reshape(N, out_h, out_w, FN).transpose(0, 3, 1, 2)"
CONV_DW = "np.dot(self.col.T, dout).T.reshape(FN, C, FH, FW)"
CONV_DB = "np.sum(dout, axis=0)"
OUT_W = "out_w = int((W - FW + 2*self.pad) / self.stride) + 1"
CONV_COL = "im2col(x, FH, FW, self.stride, self.pad)"
DMAX = "dmax[np.arange(dout.size), self.arg_max] = dout.flatten()"
POOLED_W = "out_w = int((W - self.pool_w) / self.stride) + 1"
WINDOWS = "        col = col.reshape(-1, self.pool_h * self.pool_w)\n"
MASK = "        self.mask = np.random.rand(*x.shape) > self.dropout_ratio\n"
IN_LAYERS = [
    ("feature-maps-as-wide-as-high", "Convolution", OUT_W, OUT_W.replace("(W", "(H")),
    ("filters-not-transposed", "Convolution", COL_W, COL_W.removesuffix(".T")),
    ("filters-reshaped-not-transposed", "Convolution", COL_W,
     "self.col_W = self.W.reshape(-1, FN)"),
    ("bias-of-the-filters-forgotten", "Convolution", " + self.b\n", "\n"),
    ("feature-maps-reshaped-not-transposed", "Convolution", CONV_OUT,
     "out.reshape(N, FN, out_h, out_w)"),
    ("feature-maps-with-filters-last", "Convolution", CONV_OUT,
     CONV_OUT.removesuffix(".transpose(0, 3, 1, 2)")),
    ("feature-maps-of-the-gradient-not-transposed", "Convolution",
     "dout.transpose(0, 2, 3, 1).reshape(-1, FN)", "dout.reshape(-1, FN)"),
    ("filter-gradient-transposed", "Convolution", CONV_DW, CONV_DW.replace(".T.re", ".re")),
    ("filter-bias-gradient-averaged", "Convolution", CONV_DB, "np.mean(dout, axis=0)"),
    ("filter-bias-gradient-of-one-number", "Convolution", CONV_DB, "np.sum(dout)"),
    ("filters-not-transposed-backward", "Convolution", "self.col_W.T)", "self.col_W)"),
    ("stride-and-padding-not-handed-on", "Convolution", CONV_COL, "im2col(x, FH, FW)"),
    ("padding-forgotten", "Convolution", CONV_COL, "im2col(x, FH, FW, self.stride)"),
    ("stride-of-one", "Convolution", CONV_COL, "im2col(x, FH, FW, pad=self.pad)"),
    ("gradient-shared-in-the-window", "Pooling", DMAX,
     "dmax += dout.flatten()[:, None] / dmax.shape[1]"),
    ("largest-over-the-wrong-axis", "Pooling", "argmax(col, axis=1)",
     "argmax(col, axis=0)"),
    ("largest-over-the-wrong-axis", "Pooling", "np.max(col, axis=1)",
     "np.max(col, axis=0)"),
    ("channels-pooled-together", "Pooling", WINDOWS, ""),
    ("pooled-images-with-channels-last", "Pooling", "out.transpose(0, 3, 1, 2)", "out"),
    ("windows-side-by-side", "Pooling", "self.stride, self.pad)\n        col",
     "1, 0)\n        col"),
    ("pooled-images-reshaped-not-transposed", "Pooling",
     "reshape(N, out_h, out_w, C)",
     "reshape(N, C, out_h, out_w).transpose(0, 2, 3, 1)"),
    ("mean-of-every-sample", "BatchNormalization", "np.mean(x, axis=0)",
     "np.mean(x, axis=1)"),
    ("mean-of-all-features", "BatchNormalization", "np.mean(x, axis=0)", "np.mean(x)"),
    ("variance-of-every-sample", "BatchNormalization", "** 2, axis=0", "** 2, axis=1"),
    ("variance-of-every-sample", "BatchNormalization", "** 2, axis=0",
     "** 2, axis=1, keepdims=True"),
    ("variance-of-all-features", "BatchNormalization", "** 2, axis=0", "** 2"),
    ("deviation-not-squared-backward", "BatchNormalization", "/ self.std ** 2",
     "/ self.std"),
    ("gradient-of-the-variance-added", "BatchNormalization", "= -np.sum", "= np.sum"),
    ("gradient-of-the-mean-not-divided", "BatchNormalization", "dxc, axis=0) / n",
     "dxc, axis=0)"),
    ("running-statistics-as-they-began", "BatchNormalization", "m = self.momentum",
     "m = 1"),
    ("dropout-mask-turned-around-backward", "Dropout", "return dout * self.mask",
     "return dout * (1 - self.mask)"),
    ("dropout-mask-turned-around-forward", "Dropout", "return x * self.mask",
     "return x * (1 - self.mask)"),
    ("dropout-scaled-backward-only", "Dropout", "return dout * self.mask",
     "return dout * self.mask / (1 - self.dropout_ratio)"),
    ("dropout-mask-forgotten-backward", "Dropout", "return dout * self.mask",
     "return dout"),
    ("dropout-mask-drawn-again", "Dropout", "return dout * self.mask",
     "return dout * (np.random.rand(*dout.shape) > self.dropout_ratio)"),
    ("dropout-not-scaled", "Dropout", "x * (1.0 - self.dropout_ratio)", "x"),
    ("dropout-scaled-twice", "Dropout", MASK,
     MASK + "        self.mask = self.mask / (1 - self.dropout_ratio)\n"),
    ("dropout-scaled-by-the-share-dropped", "Dropout", "(1.0 - self.dropout_ratio)",
     "self.dropout_ratio"),
    ("dropout-ratio-of-those-kept", "Dropout", "rand(*x.shape) > self",
     "rand(*x.shape) < self"),
    ("dropout-at-test-time", "Dropout", "if not train_flg:", "if False:"),
    ("nothing-dropped", "Dropout", "return x * self.mask", "self.mask = 1; return x"),
    ("variance-of-a-sample", "BatchNormalization", "var = np.mean(self.xc ** 2, axis=0)",
     "var = np.var(x, axis=0, ddof=1)"),
    ("divided-by-the-variance", "BatchNormalization", "np.sqrt(var + 10e-7)", "var + 1e-7"),
    ("scale-forgotten-backward", "BatchNormalization", "dxn = dout * self.gamma",
     "dxn = dout"),
    ("gradient-of-the-mean-forgotten", "BatchNormalization",
     "return dxc - np.sum(dxc, axis=0) / n", "return dxc"),
    ("gradient-of-the-variance-forgotten", "BatchNormalization",
     "        dxc += 2 * self.xc * dvar / n\n", ""),
    ("gradient-of-the-variance-not-divided", "BatchNormalization", "* dvar / n", "* dvar"),
    ("scale-gradient-not-summed", "BatchNormalization",
     "np.sum(dout * self.xn, axis=0)", "dout * self.xn"),
    ("scale-gradient-from-the-input", "BatchNormalization",
     "np.sum(dout * self.xn, axis=0)", "np.sum(dout * self.xc, axis=0)"),
    ("shift-gradient-not-summed", "BatchNormalization",
     "self.dbeta = np.sum(dout, axis=0)", "self.dbeta = dout"),
    ("shift-forgotten", "BatchNormalization", "return self.gamma * self.xn + self.beta",
     "return self.gamma * self.xn"),
    ("statistics-of-the-batch-at-test-time", "BatchNormalization", "if not train_flg:",
     "if False:"),
    ("statistics-of-the-last-batch", "BatchNormalization", "m = self.momentum", "m = 0"),
    ("gradient-spread-to-all-of-the-window", "Pooling",
     DMAX, "dmax += dout.flatten()[:, None]"),
    ("largest-at-the-first-place", "Pooling",
     "[np.arange(dout.size), self.arg_max]", "[:, 0]"),
    ("pooled-images-as-wide-as-high", "Pooling", POOLED_W, POOLED_W.replace("(W", "(H")),
    ("average-in-place-of-the-largest", "Pooling", "np.max(col, axis=1)",
     "np.mean(col, axis=1)"),
    ("pooled-gradient-not-transposed", "Pooling", "dout.flatten()",
     "dout.transpose(0, 3, 1, 2).flatten()"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("mistake", "name", "old", "new"),
    IN_LAYERS,
    ids=[f"{m}-{i}" for i, (m, *_) in enumerate(IN_LAYERS)],
)
def test_a_mistake_in_a_layer_is_named(
    mistake: str, name: str, old: str, new: str
) -> None:
    assert mistakes_with(name, old, new) == [mistake]


def test_test_time_may_be_an_attribute_and_must_be_somewhere() -> None:
    source = FURTHER["layers"].replace("self.training = True", "self.frozen = False")
    names = offered_by(source.replace("not self.training", "self.frozen"))
    (out, *rest) = (
        judge("", ran({"BatchNormalization": names["BatchNorm"]})).classes[0].quantities
    )
    assert out.verdict == "FAIL"
    assert "takes no `train_flg`: there is no test time" in str(out.note)
    assert all(row.verdict == "pass" for row in rest)


def test_whether_it_trains_may_be_an_attribute_of_the_class() -> None:
    source = (
        "import numpy as np\n"
        "class Dropout:\n"
        "    train = True\n"
        "    def __init__(self, p):\n"
        "        self.p = p\n"
        "    def forward(self, x):\n"
        "        if not self.train:\n"
        "            return x * (1 - self.p)\n"
        "        self.mask = np.random.rand(*x.shape) > self.p\n"
        "        return x * self.mask\n"
        "    def backward(self, dout):\n"
        "        return dout * self.mask\n"
    )
    found = graded(source)
    assert found.status == "pass", found.diagnosis
    assert found.warnings == []


def test_chance_condemns_nobody() -> None:
    """The bound on the share of elements kept is far from what chance does in a class."""
    for source in (
        "np.random.rand(*x.shape)",
        "(np.random.rand(x.shape[1]) + 0 * x)",  # the same neurons for all samples
    ):
        before, layer = handed_out().split("class Dropout:")
        layer = layer.replace("np.random.rand(*x.shape)", source, 1)
        names = offered_by(f"{before}class Dropout:{layer}")
        found = [judge("", ran({"Dropout": names["Dropout"]})) for _ in range(10)]
        assert {each.status for each in found} == {"pass"}


LAYER = """
import numpy as np
class {name}:
    def __init__(self, {arguments}):
        {made}
    def forward(self, x, train_flg=True):
        {forward}
        return out
"""
OUT = "self.s = np.sqrt(x.var(0)); out = self.gamma * (x - x.mean(0)) / self.s + self.beta"


@pytest.mark.parametrize(
    ("name", "arguments", "made", "kept"),
    [
        ("BatchNormalization", "size",
         "self.gamma, self.beta = np.ones(size), np.zeros(size)", "dgamma"),
        ("BatchNormalization", "size, momentum=0.9",
         "self.gamma, self.beta = np.ones(size), np.zeros(size)", "dgamma"),
        ("BatchNormalization", "gamma, beta", "self.gamma, self.beta = gamma, beta",
         "dgamma"),
    ],
)  # fmt: skip
def test_a_constructor_may_know_less(
    name: str, arguments: str, made: str, kept: str
) -> None:
    """Than the momentum, or the numbers; what is asked without them is right."""
    source = LAYER.format(name=name, arguments=arguments, made=made, forward=OUT)
    found = Findings.of(name, ran(offered_by(source)).outcomes).found
    of_training = [f for f in found if f.group == "batch" and f.quantity == "out"]
    assert of_training
    assert all(f.right for f in of_training)


def test_a_convolution_without_a_stride_is_asked_without_one() -> None:
    old, new = "padding=0, stride=1):", "padding=0):\n        stride = 1"
    names = offered_by(FURTHER["layers"].replace(old, new))
    found = Findings.of("Convolution", ran({"Convolution": names["Conv2D"]}).outcomes)
    wrong = {f.case for f in found.found if not f.right}
    assert wrong == {"stride of 2", "stride of 2, padding"}


def test_windows_may_be_square_only() -> None:
    old = "pool_h, pool_w, stride=2, pad=0):"
    new = "size, stride=2):\n        pool_h, pool_w, pad = size, size, 0"
    names = offered_by(FURTHER["layers"].replace(old, new))
    found = judge("", ran({"Pooling": names["MaxPool"]}))
    assert found.status == "pass", found.diagnosis
    assert warned(found) == {("Pooling", "windows that are no squares")}


def test_an_output_as_wide_as_high_is_named_in_a_loop_too() -> None:
    old = "rows, columns = 1 + places[-1][0], 1 + places[-1][1]"
    new = old.replace("1 + places[-1][1]", (
        "(self.x.shape[2] - self.weight.shape[3]) // self.stride + 1\n"
        "        places = [place for place in places if place[1] < columns]"
    ))  # fmt: skip
    assert old in FURTHER["layers"]
    names = offered_by(FURTHER["layers"].replace(old, new))
    (first, *_) = judge("", ran({"Convolution": names["Conv2D"]})).diagnosis
    assert first.mistake == "feature-maps-as-wide-as-high"


def test_a_share_that_chance_does_not_make_is_told() -> None:
    source = handed_out().replace(
        "np.random.rand(*x.shape) >", "np.random.randn(*x.shape) >"
    )
    (said,) = judge("", ran({"Dropout": offered_by(source)["Dropout"]})).diagnosis
    assert said.mistake == "share-kept"
    assert said.sentence.endswith("% of the elements where 75% is right.")


@pytest.mark.parametrize("h", ["1e-3", "1e-5"])
def test_a_difference_to_one_side_is_told_whatever_its_step(h: str) -> None:
    source = f"def numerical_diff(f, x):\n    return (f(x + {h}) - f(x)) / {h}\n"
    (said,) = graded(source).diagnosis
    assert said.mistake == "one-sided-difference"


def test_what_follows_from_col2im_is_not_blamed_on_the_layer() -> None:
    before, col2im = handed_out().split("def col2im")
    wrong = f"{before}def col2im{col2im.replace('] += col', '] = col', 1)}"
    names = offered_by(wrong)
    names = {n: names[n] for n in ("im2col", "col2im", "Convolution", "Pooling")}
    told = {d.class_: d.mistake for d in judge("", ran(names)).diagnosis}
    assert told == {
        "col2im": "overlaps-overwritten",
        "Convolution": "follows-from-its-parts",
        "Pooling": "follows-from-its-parts",
    }
    alone = judge("", ran({"Convolution": names["Convolution"]})).diagnosis
    assert [d.mistake for d in alone] == ["gradient-of-images-overwritten"]
