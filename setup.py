"""Where the folders go: into one package, `gradparity`, whose face is `reports/face`.

Everything else about the project is in `pyproject.toml`. Setuptools cannot be told there
that a package's folder holds modules that stay at home, and tests do.
"""

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

FACE = "face"
ROOMS = ("reference", "torch_impl", "jax_impl", "parity_tests", "reports")


class WithoutTests(build_py):
    """What is installed holds no tests, whatever folder they stand in."""

    def find_package_modules(self, package: str, package_dir: str) -> list[tuple]:
        return [
            found
            for found in super().find_package_modules(package, package_dir)
            if found[1] != "conftest" and not found[1].startswith("test_")
        ]


setup(
    package_dir={
        "gradparity": f"reports/{FACE}",
        **{f"gradparity.{room}": room for room in ROOMS},
    },
    packages=[
        "gradparity",
        *(f"gradparity.{room}" for room in ROOMS),
        *(
            f"gradparity.{room}.{sub}"
            for room in ROOMS
            for sub in find_packages(room, exclude=[FACE])
        ),
    ],
    cmdclass={"build_py": WithoutTests},
)
