"""Runs the commands and the fast tests on other versions of Python and the frameworks.

`make test-stacks`, or `python .ci/stacks.py STACK...`. A stack whose Python is not on
PATH or under pyenv is skipped, and named. Environments and logs stay in `.stacks/`.
"""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / ".stacks"
UV = shutil.which("uv", path=str(Path(sys.executable).parent)) or "uv"

# The Python of a stack, and which versions of the dependencies it has.
STACKS = {
    "lowest": ("3.11", "--resolution=lowest-direct"),
    "locked": ("3.12", "--constraint=requirements.lock"),
    "newest": ("3.13", "--resolution=highest"),
}
FAST = (
    *("test_layers.py", "test_network.py", "test_training.py"),
    *("suite/catalogue/test_edges.py", "suite/checking/test_products.py"),
    *("suite/implementations", "suite/jax_impl", "suite/torch_impl"),
    *("suite/reference/test_hood_reference.py", "suite/reference/test_parameters.py"),
    *("suite/reference/test_reference.py", "suite/reference/test_rounding.py"),
    *("suite/reports/test_cli.py", "suite/reports/test_explain.py"),
    *("suite/reports/test_results.py", "suite/training/test_checkpoints.py"),
)
GRADPARITY = ["-m", "gradparity"]
SHORT = ["--steps=200", "--dataset=digits"]
STEPS = {
    "check": [*GRADPARITY, "check", "--implementations=all"],
    "edges": [*GRADPARITY, "check", "--edges"],
    "report": [*GRADPARITY, "report", *SHORT, "--output=.stacks/report"],
    "train": [*GRADPARITY, "train", *SHORT, "--implementations=all"],
    "explain": [*GRADPARITY, "explain", "--all", "--output=.stacks/docs"],
    "grade": [*GRADPARITY, "grade", "parity_tests/submissions/lecture"],
    "help": [*GRADPARITY, "check", "--help"],
    "tests": [
        *("-m", "pytest", "-q", "-n", "auto", "-m", "not browser and not deep"),
        # What old packages use of others is deprecated in the newest of those.
        *("-W", "default::DeprecationWarning"),
        *(f"parity_tests/{path}" for path in FAST),
    ],
}


def interpreter(version: str) -> str | None:
    """A Python of this version that runs, if there is one."""
    pyenv = Path.home().glob(f".pyenv/versions/{version}.*/bin/python")
    named = shutil.which(f"python{version}")
    for found in filter(None, (sys.executable, named, *map(str, pyenv))):
        code = "import sys; print('%d.%d' % sys.version_info[:2])"
        ran = subprocess.run([found, "-c", code], capture_output=True, text=True)
        if ran.stdout.strip() == version:
            return found
    return None


def install(name: str, python: str, which: str) -> Path:
    """The Python of the stack's environment, with exactly what it should have."""
    place = FOLDER / name
    inside = place / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    if not inside.exists():
        uv("venv", "--python", python, str(place))
    versions = f"{place}.txt"
    uv(
        *("pip", "compile", "--python", str(inside)),
        *("--extra=all", "--extra=test", which),
        *("--no-header", "pyproject.toml", "--output-file", versions),
    )
    uv("pip", "sync", "--python", str(inside), versions)
    uv("pip", "install", "--python", str(inside), "--no-deps", "--editable", ".")
    return inside


def uv(*arguments: str) -> None:
    subprocess.run([UV, "--quiet", *arguments], cwd=ROOT, check=True)


def run(name: str, step: str, python: Path) -> str:
    """Whether a step succeeds, and in how many seconds; its output goes into a log."""
    start = time.monotonic()
    with open(FOLDER / f"{name}-{step}.log", "w", encoding="utf-8") as log:
        ran = subprocess.run(
            [python, *STEPS[step]], cwd=ROOT, stdout=log, stderr=subprocess.STDOUT
        )
    seconds = f"{time.monotonic() - start:.0f} s"
    return seconds if ran.returncode == 0 else f"FAIL ({ran.returncode}), {seconds}"


def versions(python: Path) -> str:
    """Those of Python and the three frameworks."""
    shown = subprocess.run(
        [python, *GRADPARITY, "env", "--json"], cwd=ROOT, capture_output=True, text=True
    )
    found = json.loads(shown.stdout or "{}")
    names = ("python", "numpy", "torch", "jax")
    return " ".join(f"{name} {found.get(name)}" for name in names)


def main(chosen: list[str]) -> int:
    """Run the chosen stacks, or all; 1 if any step fails, 2 if a stack is unknown."""
    if unknown := set(chosen) - set(STACKS):
        print(f"expected stacks of {', '.join(STACKS)}, got {', '.join(unknown)}")
        return 2
    FOLDER.mkdir(exist_ok=True)
    lines, failed = [], False
    for name in chosen or STACKS:
        version, which = STACKS[name]
        python = interpreter(version)
        if python is None:
            lines.append(f"{name}: skipped, no Python {version} was found")
            continue
        inside = install(name, python, which)
        lines.append(f"{name}: {versions(inside)}")
        print(lines[-1], flush=True)
        for step in STEPS:
            outcome = run(name, step, inside)
            failed |= outcome.startswith("FAIL")
            lines.append(f"  {step:<8} {outcome}")
            print(lines[-1], flush=True)
    print("", *lines, f"The logs are in {FOLDER}.", sep="\n")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
