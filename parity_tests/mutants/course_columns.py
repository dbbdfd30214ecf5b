"""im2col and col2im, in small steps, and mistakes, each of which is one of these steps."""

from typing import Any

import numpy as np

from gradparity.parity_tests.mutants.mutant import OF_THE_COURSE, mistakes

in_functions = mistakes("reference", "function", OF_THE_COURSE)


def positions(size: int, filter_size: int, stride: int, pad: int) -> int:
    """How many places of a filter there are along an axis."""
    return (size + 2 * pad - filter_size) // stride + 1


class Columns:
    """Images as a matrix: a row for each place of the filter, in it channel, height and
    width; and back, where what comes from one place is added up.
    """

    def __init__(
        self, shape: Any, filter_h: int, filter_w: int, stride: int, pad: int
    ) -> None:
        self.n, self.c, self.h, self.w = shape
        self.filter_h, self.filter_w, self.stride, self.pad = (
            *(filter_h, filter_w, stride, pad),
        )
        self.out_h = positions(self.h, filter_h, self.stride, self.pad)
        self.out_w = positions(self.w, filter_w, self.stride, self.pad)

    def padded(self, x: Any) -> Any:
        p = self.pad
        return np.pad(x, [(0, 0), (0, 0), (p, p), (p, p)])

    def seen(self, y: int, x: int) -> tuple[Any, ...]:
        """What one element of the filter sees, in all its places."""
        s = self.stride
        down = slice(y, y + s * self.out_h, s)
        return ..., down, slice(x, x + s * self.out_w, s)

    def in_rows(self, col: Any) -> Any:
        """From axes n, c, filter_h, filter_w, out_h, out_w."""
        return col.transpose(0, 4, 5, 1, 2, 3).reshape(
            self.n * self.out_h * self.out_w, -1
        )

    def from_rows(self, col: Any) -> Any:
        shape = (self.n, self.out_h, self.out_w, self.c, self.filter_h, self.filter_w)
        return col.reshape(shape).transpose(0, 3, 4, 5, 1, 2)

    def im2col(self, x: Any) -> Any:
        padded = self.padded(x)
        filters = (self.filter_h, self.filter_w)
        col = np.zeros((self.n, self.c, *filters, self.out_h, self.out_w), x.dtype)
        for i, j in np.ndindex(*filters):
            col[:, :, i, j] = padded[self.seen(i, j)]
        return self.in_rows(col)

    def put(self, image: Any, place: Any, value: Any) -> None:
        image[place] += value

    def elements(self) -> list[tuple[int, ...]]:
        """Those of the filter."""
        return [*np.ndindex(self.filter_h, self.filter_w)]

    def col2im(self, col: Any) -> Any:
        col, p = self.from_rows(col), self.pad
        image = np.zeros((self.n, self.c, self.h + 2 * p, self.w + 2 * p), col.dtype)
        for i, j in self.elements():
            self.put(image, self.seen(i, j), col[:, :, i, j])
        return self.without_padding(image)

    def without_padding(self, image: Any) -> Any:
        p = self.pad
        return image[:, :, p : p + self.h, p : p + self.w]


def to_columns(of: type[Columns]) -> Any:
    """im2col by a class."""

    def im2col(
        x: Any, filter_h: int, filter_w: int, stride: int = 1, pad: int = 0
    ) -> Any:
        return of(x.shape, filter_h, filter_w, stride, pad).im2col(x)

    return im2col


def to_images(of: type[Columns]) -> Any:
    """col2im by a class."""

    def col2im(
        col: Any,
        input_shape: Any,
        filter_h: int,
        filter_w: int,
        stride: int = 1,
        pad: int = 0,
    ) -> Any:
        return of(input_shape, filter_h, filter_w, stride, pad).col2im(col)

    return col2im


im2col, col2im = to_columns(Columns), to_images(Columns)


class ColumnsWithoutTranspose(Columns):
    """Reshapes the six axes into rows as they are, without the transpose: a row then
    mixes what several places see.
    """

    def in_rows(self, col: Any) -> Any:
        return col.reshape(self.n * self.out_h * self.out_w, -1)


class ColumnsWithHeightAndWidthExchanged(Columns):
    """Lists the places column by column, where they go row by row."""

    def in_rows(self, col: Any) -> Any:
        turned = col.transpose(0, 5, 4, 1, 2, 3)
        return turned.reshape(self.n * self.out_h * self.out_w, -1)


class ColumnsWithChannelsLast(Columns):
    """Has the channel after height and width in a row, where the filters, reshaped, have
    it before.
    """

    def in_rows(self, col: Any) -> Any:
        turned = col.transpose(0, 4, 5, 2, 3, 1)
        return turned.reshape(self.n * self.out_h * self.out_w, -1)


class ColumnsTransposed(Columns):
    """Gives the transpose: a column for each place of the filter, and not a row."""

    def in_rows(self, col: Any) -> Any:
        return super().in_rows(col).T


class PaddingOnOneSideOnly(Columns):
    """Puts all of the padding after the image, and none before it."""

    def padded(self, x: Any) -> Any:
        p = 2 * self.pad
        return np.pad(x, [(0, 0), (0, 0), (0, p), (0, p)])


class PaddingAroundEveryAxis(Columns):
    """Pads samples and channels as well, and so sees zeros in the place of images."""

    def padded(self, x: Any) -> Any:
        return np.pad(x, self.pad)[: self.n, : self.c]


class StrideForgottenInColumns(Columns):
    """Leaves the stride out of the slices: places that should be apart are side by side."""

    def seen(self, y: int, x: int) -> tuple[Any, ...]:
        return ..., slice(y, y + self.out_h), slice(x, x + self.out_w)


class OverlapsOverwritten(Columns):
    """Assigns where it should add: of what the elements of the filter give to a pixel,
    that of the last element is left.
    """

    def put(self, image: Any, place: Any, value: Any) -> None:
        image[place] = value


class OverlapsOverwrittenByLaterPlaces(OverlapsOverwritten):
    """Assigns where it should add: of what the places of the filter give to a pixel, that
    of the last place is left.
    """

    def elements(self) -> list[tuple[int, ...]]:
        return super().elements()[::-1]


class PaddingNotCutOff(Columns):
    """Returns the padding as well: the gradient is larger than the image."""

    def without_padding(self, image: Any) -> Any:
        return image


class PaddingCutOffBehind(Columns):
    """Cuts all of the padding off behind, and so returns the image moved."""

    def without_padding(self, image: Any) -> Any:
        return image[:, :, : self.h, : self.w]


class ImagesWithoutTranspose(Columns):
    """Reshapes the rows to samples, channels, filter and places at once, without the
    transpose that these axes need.
    """

    def from_rows(self, col: Any) -> Any:
        shape = (self.n, self.c, self.filter_h, self.filter_w, self.out_h, self.out_w)
        return col.reshape(shape)


class StrideForgottenInImages(StrideForgottenInColumns):
    """Leaves the stride out of the slices: what should be apart is added side by side."""


def named(of: type[Columns], function: Any) -> Any:
    """The function, with the name and the sentence of the class that it is made of."""
    function.__name__, function.__doc__ = of.__name__, of.__doc__
    return function


WRONG_COLUMNS: tuple[type[Columns], ...] = (
    *(ColumnsWithoutTranspose, ColumnsWithHeightAndWidthExchanged),
    *(ColumnsWithChannelsLast, ColumnsTransposed, PaddingOnOneSideOnly),
    *(PaddingAroundEveryAxis, StrideForgottenInColumns),
)
WRONG_IMAGES: tuple[type[Columns], ...] = (
    *(
        OverlapsOverwritten,
        OverlapsOverwrittenByLaterPlaces,
        PaddingNotCutOff,
        PaddingCutOffBehind,
    ),
    *(ImagesWithoutTranspose, StrideForgottenInImages),
)
for wrong in WRONG_COLUMNS:
    in_functions("im2col")(named(wrong, to_columns(wrong)))
for wrong in WRONG_IMAGES:
    in_functions("col2im")(named(wrong, to_images(wrong)))
