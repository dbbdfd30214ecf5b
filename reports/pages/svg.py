"""From matplotlib to a page: a drawn canvas becomes an SVG that a page can take in.

Every picture has its text alternative inside and is drawn in `currentColor` on nothing,
so that it takes on the colours of the page around it; standing alone it brings its own,
for light and dark. None of this depends on what is drawn, so it is apart from the
pictures in `reports.figures`.
"""

import re
from dataclasses import dataclass
from io import StringIO
from typing import Any
from xml.etree import ElementTree

from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure as Canvas
from matplotlib.layout_engine import ConstrainedLayoutEngine

SVG = "http://www.w3.org/2000/svg"
XLINK = "{http://www.w3.org/1999/xlink}"
FONT = "'DejaVu Sans'"
INK = "#010203"  # stands for currentColor until the SVG is written
WIDTH = 400  # of every viewBox; text of 12 is then still legible on a phone
STYLE: Any = {
    "font.size": 12,
    "font.family": "DejaVu Sans",
    "text.parse_math": False,
    "axes.titlesize": 12,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "legend.frameon": False,
    "legend.fontsize": 11,
    "lines.scale_dashes": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "gradparity",
    "svg.image_inline": True,
} | dict.fromkeys(
    ["text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"],
    INK,
)
STANDALONE = (  # `svg:root` is only there while the picture is not part of a page
    "svg:root{color-scheme:light dark;color:#22252b}"
    "@media(prefers-color-scheme:dark){svg:root{color:#e9e7e2}}"
)


@dataclass(frozen=True)
class Figure:
    """A picture and what is said about it; `name` is its file's stem."""

    name: str
    title: str
    alt: str
    caption: str
    svg: str


def blank(height: float, gap: float = 3) -> Canvas:
    """A canvas of WIDTH x height, in the units of its viewBox."""
    layout = ConstrainedLayoutEngine(h_pad=gap / 72, wspace=0.06)
    return Canvas(figsize=(WIDTH / 72, height / 72), layout=layout)


def figure(canvas: Canvas, name: str, title: str, alt: str, caption: str) -> Figure:
    """What is on the canvas, as SVG, with what is said about it."""
    written = StringIO()
    FigureCanvasSVG(canvas).print_svg(written, metadata={"Date": None})
    svg = _adapt(written.getvalue(), name, title, alt)
    return Figure(name, title, alt, caption, svg)


def _adapt(svg: str, name: str, title: str, alt: str) -> str:
    """Matplotlib's SVG, made fit to be part of a page beside others like it."""
    ElementTree.register_namespace("", SVG)
    root = ElementTree.fromstring(svg)
    used = re.findall(r'(?:url\(|href=")#([\w-]+)', svg)
    ids = {known: f"fig-{name}-{n}" for n, known in enumerate(dict.fromkeys(used))}
    for element in root.iter():
        for key, value in list(element.attrib.items()):
            del element.attrib[key]
            value = value.replace(INK, "currentColor").replace(FONT, "system-ui")
            value = re.sub(r"(?<=#)[\w-]+", lambda m: ids.get(m[0], m[0]), value)
            if key in ("d", "x", "y", "transform"):
                value = re.sub(r"\d+\.\d{3,}", lambda m: f"{float(m[0]):.2f}", value)
            if key != "id":
                element.set(key.removeprefix(XLINK), value)
            elif value in ids:
                element.set("id", ids[value])
        # What marks have in common is said once, by their group.
        styles = {child.get("style") for child in element}
        if len(styles) == 1 and {child.tag for child in element} == {f"{{{SVG}}}use"}:
            element.set("style", (styles.pop() or "").replace(INK, "currentColor"))
            for child in element:
                child.attrib.pop("style", None)
    for metadata in root.findall(f"{{{SVG}}}metadata"):
        root.remove(metadata)
    for style in root.iter(f"{{{SVG}}}style"):
        style.text = STANDALONE + f"#fig-{name} *{{stroke-linejoin:round}}"
    for tag, text in (("desc", alt), ("title", title)):
        said = ElementTree.Element(f"{{{SVG}}}{tag}", {"id": f"fig-{name}-{tag}"})
        said.text = text
        root.insert(0, said)
    labels = f"fig-{name}-title fig-{name}-desc"
    root.attrib |= {"id": f"fig-{name}", "role": "img", "aria-labelledby": labels}
    return ElementTree.tostring(root, encoding="unicode") + "\n"
