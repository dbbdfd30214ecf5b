"""Layers of images, written with im2col as in the book, and mistakes in them.

The contract of an implementation has none of them: what is right stands here, too, in
small steps, so that a mistake is one of them.
"""

from typing import Any

import numpy as np

from gradparity.parity_tests.mutants.course_columns import (
    Columns,
    OverlapsOverwritten,
    PaddingNotCutOff,
    positions,
)
from gradparity.parity_tests.mutants.mutant import OF_THE_COURSE, mistakes

mistake = mistakes("reference", "layer", OF_THE_COURSE)


# --- Convolution ----------------------------------------------------------------------


class Convolution:
    """The filters at every place of the images, as one product of matrices."""

    columns: type[Columns] = Columns

    def __init__(self, W: Any, b: Any, stride: int = 1, pad: int = 0) -> None:
        self.W, self.b, self.stride, self.pad = W, b, stride, pad
        self.dW: Any = None
        self.db: Any = None

    def forward(self, x: Any) -> Any:
        height, width = self.W.shape[2:]
        self.at = self.columns(x.shape, height, width, self.stride, self.pad)
        self.col, self.col_W = self.in_columns(x), self.filters_in_columns()
        return self.to_image(self.col @ self.col_W + self.b)

    def in_columns(self, x: Any) -> Any:
        return self.at.im2col(x)

    def filters_in_columns(self) -> Any:
        return self.W.reshape(len(self.W), -1).T

    def to_image(self, out: Any) -> Any:
        at, filters = self.at, len(self.W)
        return out.reshape(at.n, at.out_h, at.out_w, filters).transpose(0, 3, 1, 2)

    def backward(self, dout: Any) -> Any:
        rows = self.from_image(dout)
        self.backward_params(rows)
        return self.at.col2im(self.to_columns(rows))

    def to_columns(self, rows: Any) -> Any:
        return rows @ self.col_W.T

    def from_image(self, dout: Any) -> Any:
        return dout.transpose(0, 2, 3, 1).reshape(-1, len(self.W))

    def backward_params(self, rows: Any) -> None:
        self.db = rows.sum(axis=0)
        self.dW = (self.col.T @ rows).T.reshape(self.W.shape)


@mistake("Convolution")
class FiltersNotTransposed(Convolution):
    """Multiplies by the filters in rows, and not in columns: with as many filters as
    there are elements in one, nothing complains.
    """

    def filters_in_columns(self) -> Any:
        return self.W.reshape(len(self.W), -1)


@mistake("Convolution")
class FiltersNotTransposedBackward(Convolution):
    """Multiplies dout by the filters as forward does, and not by their transpose: with as
    many filters as there are elements in one, nothing complains.
    """

    def to_columns(self, rows: Any) -> Any:
        return rows @ self.col_W


@mistake("Convolution")
class FiltersReshapedNotTransposed(Convolution):
    """Gives the filters the shape of columns by reshape, which leaves the numbers in
    their order: a column then has parts of several filters.
    """

    def filters_in_columns(self) -> Any:
        return self.W.reshape(-1, len(self.W))


@mistake("Convolution")
class FiltersTurnedAround(Convolution):
    """Turns the filters upside down and left to right, as mathematics does; the book, and
    every library, leaves them as they are.
    """

    def filters_in_columns(self) -> Any:
        return self.W[:, :, ::-1, ::-1].reshape(len(self.W), -1).T

    def backward_params(self, rows: Any) -> None:
        super().backward_params(rows)
        self.dW = self.dW[:, :, ::-1, ::-1]


@mistake("Convolution")
class BiasOfTheFiltersForgotten(Convolution):
    """Leaves the bias out of forward, though it gets a gradient."""

    def forward(self, x: Any) -> Any:
        out = super().forward(x)
        return out - self.b.reshape(-1, 1, 1)


@mistake("Convolution")
class FeatureMapsReshapedNotTransposed(Convolution):
    """Reshapes the product to filters, height and width at once, without the transpose:
    each feature map then mixes the filters.
    """

    def to_image(self, out: Any) -> Any:
        return out.reshape(self.at.n, -1, self.at.out_h, self.at.out_w)


@mistake("Convolution")
class FeatureMapsWithFiltersLast(Convolution):
    """Leaves the filters on the last axis, where the next layer looks for the width."""

    def to_image(self, out: Any) -> Any:
        return out.reshape(self.at.n, self.at.out_h, self.at.out_w, -1)


@mistake("Convolution")
class FeatureMapsOfTheGradientNotTransposed(Convolution):
    """Reshapes dout into rows as it is, without the transpose that forward has."""

    def from_image(self, dout: Any) -> Any:
        return dout.reshape(-1, len(self.W))


def in_columns_of(stride: int | None, pad: int | None) -> type[Convolution]:
    """A convolution that hands another stride or padding on to im2col."""

    class HandedOn(Convolution):
        def in_columns(self, x: Any) -> Any:
            height, width = self.W.shape[2:]
            step, border = stride or self.stride, self.pad if pad is None else pad
            return self.columns(x.shape, height, width, step, border).im2col(x)

    return HandedOn


@mistake("Convolution")
class StrideAndPaddingNotHandedOn(in_columns_of(1, 0)):  # type: ignore[misc]
    """Does not hand stride and padding on to im2col."""


@mistake("Convolution", also=[in_columns_of(1, None)])
class StrideOfOne(Convolution):
    """Takes steps of one, whatever the stride is."""

    def forward(self, x: Any) -> Any:
        self.stride = 1
        return super().forward(x)


@mistake("Convolution", also=[in_columns_of(None, 0)])
class PaddingForgotten(Convolution):
    """Does not pad the images, whatever pad is: the output is smaller."""

    def forward(self, x: Any) -> Any:
        self.pad = 0
        return super().forward(x)


class AsWideAsHighWithAnyNumberOfFilters(Convolution):
    """`FeatureMapsAsWideAsHigh`, where the number of filters is left to reshape."""

    filters_left = -1

    def to_image(self, out: Any) -> Any:
        at, filters = self.at, self.filters_left or len(self.W)
        wrong = positions(at.h, at.filter_w, at.stride, at.pad)
        return out.reshape(at.n, at.out_h, wrong, filters).transpose(0, 3, 1, 2)


class AsWideAsHighInALoop(Convolution):
    """`FeatureMapsAsWideAsHigh`, of that which fills its output place by place."""

    def to_image(self, out: Any) -> Any:
        wrong = positions(self.at.h, self.at.filter_w, self.at.stride, self.at.pad)
        return super().to_image(out)[..., :wrong]


@mistake("Convolution", also=[AsWideAsHighWithAnyNumberOfFilters, AsWideAsHighInALoop])
class FeatureMapsAsWideAsHigh(AsWideAsHighWithAnyNumberOfFilters):
    """Computes out_w from the height of the images, which is right for square ones only."""

    filters_left = 0


@mistake("Convolution")
class FilterGradientTransposed(Convolution):
    """Reshapes col.T @ dout to the shape of W without the transpose: the gradients of the
    filters are mixed.
    """

    def backward_params(self, rows: Any) -> None:
        super().backward_params(rows)
        self.dW = (self.col.T @ rows).reshape(self.W.shape)


@mistake("Convolution")
class FilterGradientAveraged(Convolution):
    """Divides dW by the batch size, which the loss has already done."""

    def backward_params(self, rows: Any) -> None:
        super().backward_params(rows)
        self.dW = self.dW / self.at.n


@mistake("Convolution")
class FilterBiasGradientAveraged(Convolution):
    """Averages db over samples and places, where it should sum it."""

    def backward_params(self, rows: Any) -> None:
        super().backward_params(rows)
        self.db = rows.mean(axis=0)


@mistake("Convolution")
class FilterBiasGradientOverTheBatchSize(Convolution):
    """Divides db by the batch size, which the loss has already done."""

    def backward_params(self, rows: Any) -> None:
        super().backward_params(rows)
        self.db = self.db / self.at.n


@mistake("Convolution")
class FilterBiasGradientNotSummedOverPlaces(Convolution):
    """Sums db over the samples alone: every place used the same bias, so all count."""

    def backward_params(self, rows: Any) -> None:
        super().backward_params(rows)
        at = self.at
        self.db = rows.reshape(at.n, at.out_h, at.out_w, -1).sum(0).transpose(2, 0, 1)


@mistake("Convolution")
class FilterBiasGradientOfOneNumber(Convolution):
    """Sums db over the filters, too: one number, which the update then subtracts from
    every bias.
    """

    def backward_params(self, rows: Any) -> None:
        super().backward_params(rows)
        self.db = rows.sum()


@mistake("Convolution")
class GradientOfImagesOverwritten(Convolution):
    """Gives a pixel the gradient of one place of the filter: all that it was seen from
    have to be added up.
    """

    columns, of_part = OverlapsOverwritten, "col2im"


@mistake("Convolution")
class GradientOfImagesWithPadding(Convolution):
    """Leaves the padding around dx: the gradient is larger than the image."""

    columns, of_part = PaddingNotCutOff, "col2im"


# --- Pooling --------------------------------------------------------------------------


class Pooling:
    """The largest of every window, and its place."""

    columns: type[Columns] = Columns

    def __init__(self, pool_h: int, pool_w: int, stride: int = 1, pad: int = 0) -> None:
        self.pool_h, self.pool_w, self.stride, self.pad = pool_h, pool_w, stride, pad

    def forward(self, x: Any) -> Any:
        self.at = self.columns(x.shape, self.pool_h, self.pool_w, self.stride, self.pad)
        self.windows = self.in_windows(self.at.im2col(x))
        return self.to_image(self.pooled())

    def in_windows(self, col: Any) -> Any:
        return col.reshape(-1, self.pool_h * self.pool_w)

    def pooled(self) -> Any:
        return self.windows.max(axis=1)

    def to_image(self, out: Any) -> Any:
        at = self.at
        return out.reshape(at.n, at.out_h, at.out_w, at.c).transpose(0, 3, 1, 2)

    def backward(self, dout: Any) -> Any:
        windows = self.to_windows(self.from_image(dout))
        rows = self.at.n * self.at.out_h * self.at.out_w
        return self.at.col2im(windows.reshape(rows, -1))

    def from_image(self, dout: Any) -> Any:
        return dout.transpose(0, 2, 3, 1).reshape(-1)

    def to_windows(self, dout: Any) -> Any:
        windows = np.zeros_like(self.windows)
        windows[np.arange(len(windows)), self.windows.argmax(axis=1)] = dout
        return windows


@mistake("Pooling")
class GradientSpreadToAllOfTheWindow(Pooling):
    """Gives dout to every element of the window: it belongs to the largest alone."""

    def to_windows(self, dout: Any) -> Any:
        return np.zeros_like(self.windows) + dout[:, np.newaxis]


@mistake("Pooling")
class GradientSharedInTheWindow(Pooling):
    """Shares dout between the elements of the window, as the average does: it belongs to
    the largest alone.
    """

    def to_windows(self, dout: Any) -> Any:
        return np.zeros_like(self.windows) + dout[:, np.newaxis] / len(self.windows[0])


@mistake("Pooling")
class AverageInPlaceOfTheLargest(Pooling):
    """Takes the mean of every window, forward and backward: that is another pooling."""

    def pooled(self) -> Any:
        return self.windows.mean(axis=1)

    def to_windows(self, dout: Any) -> Any:
        return np.zeros_like(self.windows) + dout[:, np.newaxis] / len(self.windows[0])


@mistake("Pooling")
class SmallestInPlaceOfTheLargest(Pooling):
    """Takes the smallest of every window."""

    def forward(self, x: Any) -> Any:
        return -super().forward(-x)


@mistake("Pooling")
class LargestAtTheFirstPlace(Pooling):
    """Gives dout to the first element of every window, wherever the largest was."""

    def to_windows(self, dout: Any) -> Any:
        windows = np.zeros_like(self.windows)
        windows[:, 0] = dout
        return windows


class OutOverTheWrongAxis(Pooling):
    """`LargestOverTheWrongAxis`, forward already."""

    def pooled(self) -> Any:
        return self.windows.max(axis=0)


@mistake("Pooling", also=[OutOverTheWrongAxis])
class LargestOverTheWrongAxis(Pooling):
    """Looks for the place of the largest along axis=0: that is over the windows, and not
    in each of them.
    """

    def to_windows(self, dout: Any) -> Any:
        windows = np.zeros_like(self.windows)
        largest = self.windows.argmax(axis=0)
        windows[np.arange(largest.size), largest.flatten()] = dout.flatten()
        return windows


class ChannelsPooledTogetherInTheirShape(Pooling):
    """`ChannelsPooledTogether`, with all channels in the shape of the output."""

    def in_windows(self, col: Any) -> Any:
        return col


@mistake("Pooling", also=[ChannelsPooledTogetherInTheirShape])
class ChannelsPooledTogether(Pooling):
    """Does not separate the channels: the largest of all of them is left of a window."""

    def in_windows(self, col: Any) -> Any:
        return col

    def to_image(self, out: Any) -> Any:
        at = self.at
        return out.reshape(at.n, at.out_h, at.out_w, -1).transpose(0, 3, 1, 2)

    def to_windows(self, dout: Any) -> Any:
        return super().to_windows(dout[: len(self.windows)])


@mistake("Pooling")
class PooledImagesReshapedNotTransposed(Pooling):
    """Reshapes to channels, height and width at once, without the transpose: the channels
    are mixed.
    """

    def to_image(self, out: Any) -> Any:
        return out.reshape(self.at.n, self.at.c, self.at.out_h, self.at.out_w)


@mistake("Pooling")
class PooledImagesWithChannelsLast(Pooling):
    """Leaves the channels on the last axis, where the next layer looks for the width."""

    def to_image(self, out: Any) -> Any:
        return out.reshape(self.at.n, self.at.out_h, self.at.out_w, self.at.c)


@mistake("Pooling")
class PooledGradientNotTransposed(Pooling):
    """Takes dout in the order in which it lies, without the transpose that forward has:
    the channels get one another's gradients.
    """

    def from_image(self, dout: Any) -> Any:
        return dout.reshape(-1)


class StrideNotHandedOn(Pooling):
    """`WindowsSideBySide`, which gives the output the size that is right."""

    def in_windows(self, col: Any) -> Any:
        at = self.at
        return super().in_windows(
            self.columns(
                (at.n, at.c, at.h, at.w), self.pool_h, self.pool_w, 1, 0
            ).im2col(self.x)
        )

    def forward(self, x: Any) -> Any:
        self.x = x
        return super().forward(x)


@mistake("Pooling", also=[StrideNotHandedOn])
class WindowsSideBySide(Pooling):
    """Takes steps of one, whatever the stride is."""

    def forward(self, x: Any) -> Any:
        self.stride = 1
        return super().forward(x)


class PooledAsWideAsHighInALoop(Pooling):
    """`PooledImagesAsWideAsHigh`, of that which fills its output place by place."""

    def to_image(self, out: Any) -> Any:
        wrong = positions(self.at.h, self.pool_w, self.at.stride, self.at.pad)
        return super().to_image(out)[..., :wrong]


@mistake("Pooling", also=[PooledAsWideAsHighInALoop])
class PooledImagesAsWideAsHigh(Pooling):
    """Computes out_w from the height of the images, which is right for square ones only."""

    def to_image(self, out: Any) -> Any:
        at = self.at
        wrong = positions(at.h, self.pool_w, at.stride, at.pad)
        return out.reshape(at.n, at.out_h, wrong, at.c).transpose(0, 3, 1, 2)


@mistake("Pooling")
class OverlappingWindowsOverwritten(Pooling):
    """Gives a pixel the gradient of one window: all in which it is the largest have to be
    added up.
    """

    columns, of_part = OverlapsOverwritten, "col2im"
