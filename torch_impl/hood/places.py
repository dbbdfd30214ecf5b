"""Where in the source a call stands."""

import inspect
import traceback
from pathlib import Path

HANDLERS = ("line_in_source", "__torch_function__", "__torch_dispatch__")
PASSED_OVER = ("", "torch", "jaxtyping", "beartype")  # modules that are no user's code
ROOM = __package__.rpartition(".")[0]
# Whatever stands between a recorder and the function that it runs.
TESTS = f"{ROOM.rpartition('.')[0]}.parity_tests"
CALLERS = (f"{ROOM}.", f"{TESTS}.functions.", f"{TESTS}.implementations.")


def line_in_source() -> str:
    """`file.py:12`, the line that runs of the function looked into; "" if none."""
    for frame, line in traceback.walk_stack(inspect.currentframe()):
        module = frame.f_globals.get("__name__", "")
        ours = module.startswith(f"{__package__}.")
        if ours and frame.f_code.co_name not in HANDLERS:
            break
        ours = ours or (module.startswith(CALLERS[1:]) and ".suite." not in module)
        if not ours and module.partition(".")[0] not in PASSED_OVER:
            return place(frame.f_code.co_filename, line)
    return ""


def line_of_user() -> str:
    """The same for whoever runs a function out of `program.py`."""
    recorder = f"{ROOM}.program"
    for frame, line in traceback.walk_stack(inspect.currentframe()):
        module = frame.f_globals.get("__name__", "")
        if module == recorder and frame.f_code.co_name in ("record", "finished"):
            break
        ours = module.startswith(CALLERS) and ".suite." not in module
        if not ours and module.partition(".")[0] not in PASSED_OVER:
            return place(frame.f_code.co_filename, line)
    return ""


def place(file: str, line: int) -> str:
    """The file, from this project's root if it is one of its own, and the line."""
    root = Path(__file__).parents[2]
    path = Path(file)
    path = path.relative_to(root) if path.is_relative_to(root) else Path(path.name)
    return f"{path.as_posix()}:{line}"
