"""The picture of how much of the rounding bound is used."""

from collections.abc import Iterable, Sequence

from matplotlib.axes import Axes

from gradparity.parity_tests.measuring.records import Check, Verdict
from gradparity.reports.figures.styles import handle, listed, look, unique
from gradparity.reports.pages.svg import INK, Figure, blank, figure

LOWEST, OVER = 1e-5, 6.0  # bound ratios are drawn between these


def bound_ratios(checks: Iterable[Check]) -> Figure | None:
    """For each layer and implementation: how much of the rounding bound is used."""
    rated = [c for c in checks if c.bound_ratio is not None]
    if not rated:
        return None
    layers = unique(c.layer for c in rated)
    names = unique(c.implementation for c in rated)
    canvas = blank(95 + len(layers) * (10 + 6 * len(names)))
    shares, strip = canvas.subplots(1, 2, sharey=True, width_ratios=[1, 4])
    for row, layer in enumerate(layers):
        if row % 2:
            for axes in (shares, strip):
                axes.axhspan(row - 0.5, row + 0.5, color=INK, alpha=0.06, lw=0)
        for lane, name in enumerate(names):
            y = row + (lane - (len(names) - 1) / 2) / (len(names) + 0.8)
            own = [c for c in rated if (c.layer, c.implementation) == (layer, name)]
            _lane(shares, strip, y, own, 0.6 / len(names))
    shares.set(xlim=(0, 1), xticks=[0, 1], xticklabels=["0", "1"])
    shares.set(yticks=range(len(layers)), yticklabels=layers)
    shares.set_ylim(len(layers) - 0.5, -0.5)
    shares.set_xlabel("exact\n(share)")
    shares.tick_params(axis="y", length=0)
    over = any((c.bound_ratio or 0) > 1 for c in rated)
    strip.set(xscale="log", xlim=(LOWEST * 0.7, OVER * 1.4 if over else 1.5))
    ticks = [LOWEST, 1e-4, 1e-3, 1e-2, 1e-1, 1]
    strip.set_xticks(
        ticks + [OVER] * over, ["≤10⁻⁵", "", "10⁻³", "", "10⁻¹", "1"] + ["over"] * over
    )
    strip.minorticks_off()
    strip.tick_params(axis="y", length=0)
    strip.axvline(1, color=INK, lw=1.2, dashes=(5, 3))
    strip.set_xlabel("others: difference ÷\nrounding bound")
    handles = [handle(name, *look(name)) for name in names]
    dtypes = unique(c.dtype for c in rated)
    if len(dtypes) > 1:
        fill = {"float64": INK}
        handles += [handle(d, "o", INK, mfc=fill.get(d, "none")) for d in dtypes]
    canvas.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure(
        canvas,
        "bound-ratios",
        "How much of the rounding bound is used",
        _ratios_in_words(rated, layers, names),
        "Each mark is one tensor of one case: its worst difference from the truth as a "
        "share of what rounding alone can explain. The bars on the left are the share "
        "of tensors with no difference at all; marks at “over” are documented "
        "divergences or failures.",
    )


def _lane(
    shares: Axes, strip: Axes, y: float, checks: Sequence[Check], height: float
) -> None:
    """One implementation in one layer: a bar of exact tensors, marks for the others."""
    if not checks:
        return
    marker, colour = look(checks[0].implementation)
    exact = sum(c.bound_ratio == 0 for c in checks) / len(checks)
    shares.barh(y, exact, height=height, color=colour, lw=0)
    for narrow in (False, True):
        ratios = [c.bound_ratio for c in checks if (c.dtype != "float64") == narrow]
        # An infinite or undefined ratio is over the bound.
        x = [OVER if not r <= 1 else max(r, LOWEST) for r in ratios if r]
        fill = "none" if narrow else colour
        strip.plot(x, [y] * len(x), marker, ms=3.6, mew=0.8, mec=colour, mfc=fill)
        strip.lines[-1].set_alpha(0.85)


def _ratios_in_words(
    rated: Sequence[Check], layers: Sequence[str], names: Sequence[str]
) -> str:
    exact = sum(c.bound_ratio == 0 for c in rated)
    inside = [c for c in rated if (c.bound_ratio or 0) <= 1]
    documented = sum(c.verdict == Verdict.DOCUMENTED for c in rated)
    failed = sum(c.verdict == Verdict.FAIL for c in rated)
    largest = max(inside, key=lambda c: c.bound_ratio or 0, default=None)
    most = (
        f" The largest share of the bound used by any other is "
        f"{largest.bound_ratio:.2f} ({largest.layer} {largest.quantity}, "
        f"{largest.implementation}, {largest.dtype})."
        if largest
        else ""
    )
    return (
        f"Strip chart of {len(rated):,} compared tensors of {len(layers)} layers and "
        f"{listed(names)}. {exact:,} have no difference from the truth; {documented} "
        f"are documented divergences and {failed} fail.{most}"
    )
