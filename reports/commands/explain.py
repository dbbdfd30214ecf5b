"""`gradparity explain`: what happens under the hood, as pages."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Exit, Option

from gradparity.parity_tests import DTYPES
from gradparity.reports.commands import choices
from gradparity.reports.commands.options import AsJson, DataDir, takes

TOPICS = (
    *("buy_fruit", "relu", "sigmoid", "affine", "softmax_with_loss"),
    *("two_layer_net", "training"),
)
FORMATS = {".txt": "text", ".md": "md", ".html": "html", ".ipynb": "ipynb"}


@dataclass(frozen=True, kw_only=True)
class Options:
    """How `explain` is called."""

    topic: Annotated[
        str | None,
        Argument(
            metavar="TOPIC",
            help=f"{', '.join(TOPICS)}; or a function of your own, module:function or "
            "file.py:function, in NumPy, PyTorch or JAX, or several with commas between.",
        ),
    ] = None
    every: Annotated[
        bool, Option("--all", help="All topics in both languages, as a site.")
    ] = False
    kind: Annotated[
        str | None,
        Option(
            "--format",
            metavar="text|md|html|ipynb",
            help="[default: what --output ends in, else text]",
        ),
    ] = None
    output: Annotated[
        Path | None, Option(help="The file to write; with --all the directory.")
    ] = None
    lang: Annotated[str, Option(metavar="en|ja", help="The language.")] = "en"
    given: Annotated[
        list[str] | None,
        Option(
            "--input",
            metavar="NAME=VALUE",
            help="Numbers of your own, x=[1,-2] or x=values.npy; for each input once.",
        ),
    ] = None
    shapes: Annotated[
        list[str] | None,
        Option(
            "--shape",
            metavar="NAME=SIZES",
            help="Numbers drawn, x=4,5; or x=4:positive, i=3:int<10, m=3:bool.",
        ),
    ] = None
    dtype: Annotated[str, Option(metavar="NAME", help="float32 or float64.")] = (
        "float32"
    )
    dataset: Annotated[
        str, Option(metavar="auto|mnist|digits", help="What `training` trains on.")
    ] = "digits"
    data_dir: DataDir = None
    as_json: AsJson = False


@takes(Options)
def explain(options: Options) -> None:
    """Show what NumPy by hand, PyTorch and JAX do under the hood, on the same numbers.
    Exit status 1 if functions of your own are not the same.
    """
    choices.require_report("gradparity explain")
    choices.choose("language", [options.lang], ("en", "ja"))
    choices.choose("dtype", [options.dtype], DTYPES)
    if options.every:
        explain_all(options)
        return
    from gradparity.parity_tests.functions.inputs import parse
    from gradparity.reports.console import print_json, say, working
    from gradparity.reports.explain import making, publishing

    topic, kind = chosen(options)
    given, shapes, output = options.given or [], options.shapes or [], options.output
    inputs: Mapping[str, Any] = (
        parse(given, shapes)
        if ":" in topic
        else making.parse_inputs(given, options.dtype, shapes)
    )
    data = None
    if topic == "training":
        data = choices.load_dataset(options.dataset, options.data_dir)
    with working("Running and looking"):
        page = making.run(topic, inputs, options.dtype, data)(options.lang)
    options_given = [f"--input {g}" for g in given] + [f"--shape {s}" for s in shapes]
    command = " ".join(["gradparity explain", topic, *options_given])
    if options.as_json:
        print_json(**making.plain(page.facts()))
    elif output is None:
        publishing.show(page, kind, command)
    else:
        publishing.save(page, kind, output, command)
        if page.answer:
            say(page.answer)
    raise Exit(0 if page.same else 1)


def chosen(options: Options) -> tuple[str, str]:
    """The topic and the format. Raises `Unusable` if there is no such topic or format,
    and `UnusableTarget` if the page cannot be written where it should be.
    """
    from gradparity.reports.writing import check_place

    topic, kind, output = options.topic, options.kind, options.output
    if topic is None:
        raise choices.Unusable(f"expected a topic, {', '.join(TOPICS)}, or --all")
    for text in topic.split(","):
        choices.require_name(text.strip())
    if ":" not in topic:
        choices.choose("topic", [topic], TOPICS)
    check_options(options, topic)
    if kind is not None:
        choices.choose("format", [kind], FORMATS.values())
    if output is not None:
        kind = kind_of(output, kind)
        check_place("--output", output)
    return topic, kind or "text"


def check_options(options: Options, topic: str) -> None:
    """Raise if the options contradict each other or the topic."""
    if options.as_json and (options.kind or options.output):
        raise choices.Unusable("--json goes without --format and --output")
    if topic == "training":
        if options.dtype != "float32":
            raise choices.Unusable(
                f"training is shown in float32, got --dtype {options.dtype}"
            )
    elif options.data_dir is not None or options.dataset != "digits":
        raise choices.Unusable(
            f"--dataset and --data-dir go with training, got {topic}"
        )


def kind_of(output: Path, kind: str | None) -> str | None:
    """The format that the file's ending and --format agree on. Raises `Unusable` if they
    do not; a name without an ending agrees with every format.
    """
    endings = [e for e, named in FORMATS.items() if kind in (None, named)]
    ending = output.suffix.lower()
    if ending and ending not in endings:
        raise choices.Unusable(
            f"--output must end in {', '.join(endings)}, got {output}"
        )
    return FORMATS.get(ending, kind)


def explain_all(options: Options) -> None:
    """Write the site with all topics in both languages."""
    from gradparity.reports.console import bar, say
    from gradparity.reports.explain import publishing
    from gradparity.reports.writing import check_target

    output = options.output
    single = any(
        (options.topic, options.kind, options.given, options.shapes, options.as_json)
    )
    if single or options.lang != "en" or output is None:
        raise choices.Unusable(
            "--all needs --output DIR, and goes without a topic, "
            "--format, --lang, --input, --shape and --json"
        )
    data = choices.load_dataset(options.dataset, options.data_dir)
    target = check_target(output, publishing.MARK, "site")
    with bar("Making pages", 2 * len(TOPICS)) as advance:
        publishing.write_site(target, data, options.dtype, advance)
    say(str(output / "index.html"), is_path=True)
