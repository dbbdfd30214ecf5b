"""What is graded: the classes and functions of the course, a row for each.

The rows stand in the order in which they are shown. A submission may call them otherwise,
as people do: `subject_of` finds the row for a name as somebody has written it. This is
read in the submission's own process too, and imports nothing.
"""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["function", "layer", "network", "optimizer"]
BOOK = "K. Saitoh, Deep Learning from Scratch (O'Reilly Japan, 2016)"


@dataclass(frozen=True)
class Subject:
    """A class or function that is graded.

    `section` is where the book has it, and `topic` its page of `gradparity explain`;
    `holds` are the arrays that the constructor takes, `built_from` the subjects that it is
    built from where a submission offers them, and `also` the other names that it goes by,
    as `folded` gives them. `settings` are what a constructor or a function takes that is
    no array, such as a stride, and `modes` what forward does, such as whether it trains.
    What `differentiates` is given a function; `arguments` are how many a function without
    settings is given. Of what is `further` in the course it is not
    told that a submission does not have it.
    """

    name: str
    kind: Kind
    section: str
    topic: str | None = None
    holds: tuple[str, ...] = ()
    built_from: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    modes: tuple[str, ...] = ()
    differentiates: bool = False
    arguments: int = 1
    further: bool = False


SUBJECTS = {
    subject.name: subject
    for subject in (
        Subject("sigmoid", "function", "section 3.2.4", "sigmoid"),
        Subject("softmax", "function", "section 3.5", "softmax_with_loss"),
        Subject(
            "cross_entropy_error",
            "function",
            "section 4.2",
            "softmax_with_loss",
            also=("crossentropy", "crossentropyloss"),
            arguments=2,
        ),
        Subject(
            "numerical_gradient",
            "function",
            "sections 4.3, 4.4 and 5.7.3",
            also=("numericalgrad", "numgrad", "numericgradient"),
            differentiates=True,
            arguments=2,
        ),
        Subject("AddLayer", "layer", "section 5.4.2", "buy_fruit", also=("add",)),
        Subject(
            "MulLayer",
            "layer",
            "section 5.4.1",
            "buy_fruit",
            also=("mul", "multiply", "multiplylayer", "mult", "multlayer"),
        ),
        Subject("Relu", "layer", "section 5.5.1", "relu"),
        Subject(
            "Sigmoid", "layer", "section 5.5.2", "sigmoid", built_from=("sigmoid",)
        ),
        Subject(
            "Affine",
            "layer",
            "sections 5.6.1 and 5.6.2",
            "affine",
            holds=("W", "b"),
            also=("linear", "dense", "fullyconnected", "fc", "fullconnect"),
        ),
        Subject(
            "SoftmaxWithLoss",
            "layer",
            "section 5.6.3",
            "softmax_with_loss",
            built_from=("softmax", "cross_entropy_error"),
            also=(
                "softmaxcrossentropy",
                "softmaxcrossentropyloss",
                "softmaxwithcrossentropy",
                "softmaxwithcrossentropyloss",
                "softmaxloss",
                "softmaxandloss",
            ),
        ),
        Subject(
            "TwoLayerNet",
            "network",
            "section 5.7.2",
            "two_layer_net",
            built_from=(
                *("Affine", "Relu", "Sigmoid", "SoftmaxWithLoss"),
                *("sigmoid", "softmax", "cross_entropy_error"),
            ),
            also=("twolayernetwork", "twolayersnet"),
        ),
        Subject(
            "MultiLayerNet",
            "network",
            "sections 6.2 and 6.4.2",
            built_from=(
                *("Affine", "Relu", "Sigmoid", "SoftmaxWithLoss"),
                *("sigmoid", "softmax", "cross_entropy_error"),
            ),
            also=("multilayernetwork", "multilayersnet"),
            further=True,
        ),
        Subject(
            "SimpleConvNet",
            "network",
            "section 7.5",
            built_from=(
                *("Convolution", "Pooling", "Affine", "Relu", "SoftmaxWithLoss"),
                *("im2col", "col2im", "softmax", "cross_entropy_error"),
            ),
            also=("simpleconvnetwork", "simplecnn", "convnet"),
            further=True,
        ),
        Subject(
            *("SGD", "optimizer", "section 6.1.2"),
            also=("sgdoptimizer", "stochasticgradientdescent", "gradientdescent"),
            further=True,
        ),
        Subject(
            *("Momentum", "optimizer", "section 6.1.4"),
            also=("momentumoptimizer", "momentumsgd", "sgdmomentum", "sgdwithmomentum"),
            further=True,
        ),
        Subject(
            *("Nesterov", "optimizer", "section 6.1"),
            also=("nesterovoptimizer", "nesterovmomentum", "nag"),
            further=True,
        ),
        Subject(
            *("AdaGrad", "optimizer", "section 6.1.5"),
            also=("adagradoptimizer",),
            further=True,
        ),
        Subject(
            *("RMSprop", "optimizer", "section 6.1.5"),
            also=("rmspropoptimizer",),
            further=True,
        ),
        Subject(
            *("Adam", "optimizer", "section 6.1.6"),
            also=("adamoptimizer",),
            further=True,
        ),
        Subject(
            "step_function",
            "function",
            "section 3.2.2",
            also=("step", "stepfunc"),
            further=True,
        ),
        Subject("relu", "function", "section 3.2.7", "relu", further=True),
        Subject(
            "numerical_diff",
            "function",
            "section 4.3.1",
            also=("numdiff", "numericaldifferentiation", "numericaldifference"),
            differentiates=True,
            further=True,
            arguments=2,
        ),
        Subject(
            "mean_squared_error",
            "function",
            "section 4.2.1",
            also=("mse", "meansquarederror"),
            further=True,
            arguments=2,
        ),
        Subject(
            "sum_squared_error",
            "function",
            "section 4.2.1",
            also=("sse", "sumofsquarederror", "sumofsquarederrors", "sumofsquares"),
            further=True,
            arguments=2,
        ),
        Subject(
            "sigmoid_grad",
            "function",
            "section 5.5.2",
            "sigmoid",
            also=("sigmoidgradient",),
            further=True,
        ),
        Subject(
            "im2col",
            "function",
            "section 7.4.2",
            also=("imgtocol", "imagetocol", "imtocol"),
            settings=("filter_h", "filter_w", "stride", "pad"),
            further=True,
        ),
        Subject(
            "col2im",
            "function",
            "section 7.4.3",
            also=("coltoimg", "coltoimage", "coltoim"),
            settings=("input_shape", "filter_h", "filter_w", "stride", "pad"),
            further=True,
        ),
        Subject(
            "Dropout",
            "layer",
            "section 6.4.3",
            settings=("dropout_ratio",),
            modes=("train_flg",),
            further=True,
        ),
        Subject(
            "BatchNormalization",
            "layer",
            "section 6.3.1",
            holds=("gamma", "beta"),
            settings=("momentum",),
            modes=("train_flg",),
            also=(
                "batchnorm",
                "bn",
                "batchnormalize",
                "batchnorm1d",
                "batchnormalisation",
            ),
            further=True,
        ),
        Subject(
            "Convolution",
            "layer",
            "section 7.4.3",
            holds=("W", "b"),
            settings=("stride", "pad"),
            built_from=("im2col", "col2im"),
            also=("conv", "conv2d", "convolution2d", "convolutional"),
            further=True,
        ),
        Subject(
            "Pooling",
            "layer",
            "section 7.4.4",
            settings=("pool_h", "pool_w", "stride", "pad"),
            built_from=("im2col", "col2im"),
            also=(
                "maxpooling",
                "maxpool",
                "pool",
                "maxpool2d",
                "maxpooling2d",
                "pool2d",
            ),
            further=True,
        ),
    )
}
# Arguments that are numbers, tuples or truth values of Python.
SETTINGS = frozenset(n for s in SUBJECTS.values() for n in (*s.settings, *s.modes))
FUNCTIONS = tuple(name for name, s in SUBJECTS.items() if s.kind == "function")


def folded(name: str) -> str:
    """The name in small letters, without underscores and without `layer` at its end.

    >>> folded("ReLULayer"), folded("cross_entropy_error")
    ('relu', 'crossentropyerror')
    """
    small = name.lower().replace("_", "")
    return small.removesuffix("layer") or small


def subject_of(name: str, *, is_class: bool) -> Subject | None:
    """The subject that a class or function of this name is, or None.

    A class is a layer, a network or the like, whatever letters its name is in, and a
    function is a function: `class sigmoid` is the layer, and `def Sigmoid` the function.
    What begins with an underscore is for its author alone.
    """
    if name.startswith("_"):
        return None
    small = folded(name)
    for subject in SUBJECTS.values():
        if is_class is not (subject.kind == "function") and small in (
            folded(subject.name),
            *subject.also,
        ):
            return subject
    return None
