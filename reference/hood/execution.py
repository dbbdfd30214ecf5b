"""Every statement with the number that it gave, and the source that it stands in."""

import inspect
import textwrap
from collections.abc import Callable
from typing import Any

import numpy as np

from gradparity.reference.hood.recording import NAMES, Step, place_of, record
from gradparity.reference.hood.running import Arrays, copied, run_recorded
from gradparity.reference.networks import Chain

METHODS = ("forward", "backward", "backward_params", "trace")  # what `listing` shows


def steps(layer: Any, inputs: Arrays, dout: np.ndarray) -> dict[str, list[Step]]:
    """Every statement of forward and of backward with its value, as `statements` has it.

    `layer`, `inputs` and `dout` are as for `graph`; or `layer` is a plain function that
    takes the inputs by name, and `dout` is not used. Backward is all that is finished
    after a layer's backward was first called.
    """
    run = run_recorded(layer, copied(inputs), dout)
    every = [step for step, _ in run.steps]
    turn = len(every) if run.turn is None else run.turn
    return {"forward": every[:turn], "backward": every[turn:]}


def listing(layer: Any) -> list[dict[str, Any]]:
    """The source as it stands of what `steps` runs of a layer: its own methods, those
    of the layers inside, and the functions they use, each once.

    For each: owner (the class or function), file, start (its first line) and text.
    """
    found = []
    owners = [layer]
    for owner in owners:  # which grows meanwhile
        members = {"": owner}
        if inspect.isclass(owner):
            classes = reversed(owner.__mro__)
            members = {k: v for each in classes for k, v in vars(each).items()}
        for name, member in members.items():
            if not inspect.isfunction(member):
                continue
            function = inspect.unwrap(member)
            if name in ("", *METHODS):
                lines, start = inspect.getsourcelines(function)
                found.append(
                    {
                        "owner": owner.__name__,
                        "file": place_of(function.__code__.co_filename),
                        "start": start,
                        "text": textwrap.dedent("".join(lines)),
                    }
                )
            for used in map(function.__globals__.get, function.__code__.co_names):
                if isinstance(used, Chain):
                    parts = [*(part.kind for part in used.layers), used.last]
                else:
                    parts = [used]
                for part in parts:
                    module = f"{getattr(part, '__module__', '')}."
                    if module.startswith(NAMES) and part not in owners:
                        owners.append(part)
    return found


def statements(call: Callable[[], Any]) -> list[Step]:
    """Run `call()` and tell every statement of this room that it executed.

    They come in the order in which they were finished: one that calls a layer comes
    after the layer's own. Each has code, name (what it assigned, or "return"), value (a
    copy, made at that moment; None where there is no number), owner (the class or the
    function) and where. A statement that gives several values is several steps.

    The trace function that was set before is set again, whatever happens.
    """
    return [step for step, _ in record(call).steps]
