"""Where in the source a call stands."""

import inspect
import traceback
from pathlib import Path

HANDLERS = ("line_in_source", "__torch_function__", "__torch_dispatch__")
PASSED_OVER = ("", "torch", "jaxtyping", "beartype")  # modules that are no user's code


def line_in_source() -> str:
    """`file.py:12`, the line that runs of the function looked into; "" if none."""
    root = Path(__file__).parents[2]
    for frame, line in traceback.walk_stack(inspect.currentframe()):
        module = frame.f_globals.get("__name__", "")
        ours = module.startswith(f"{__package__}.")
        if ours and frame.f_code.co_name not in HANDLERS:
            break
        if not ours and module.partition(".")[0] not in PASSED_OVER:
            path = Path(frame.f_code.co_filename)
            inside = path.is_relative_to(root)
            path = path.relative_to(root) if inside else Path(path.name)
            return f"{path.as_posix()}:{line}"
    return ""
