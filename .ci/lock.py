"""Resolves what pyproject.toml and requirements/*.in ask for into the hashed lock files. Called by `make lock`.

uv does it, from an environment that is thrown away. Versions that are locked stay, unless --upgrade is given.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
UV = "uv>=0.9,<1"
FORM = """
    --quiet --generate-hashes --universal --python-version 3.11 --no-emit-index-url --no-annotate --no-header
""".split()  # noqa: SIM905, it reads as the command line that it is
LOCKS = {
    "requirements/dev.lock": "pyproject.toml --group dev --all-extras",
    # What the wheel and the image are installed with: the versions that the tests ran with.
    "requirements/runtime.lock": "pyproject.toml --all-extras --constraint requirements/dev.lock",
    "requirements/build.lock": "requirements/build.in --constraint requirements/dev.lock",
    "requirements/emulators.lock": "requirements/emulators.in",
    "tests/support/sdks/aws_cli_package/requirements.lock": "tests/support/sdks/aws_cli_package/requirements.in",
    "tests/support/sdks/deployers_package/requirements.lock": "tests/support/sdks/deployers_package/requirements.in",
    "tests/support/sdks/sam_package/requirements.lock": "tests/support/sdks/sam_package/requirements.in",
    "requirements/ministack.lock": "requirements/ministack.in --constraint requirements/emulators.lock",
}


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        venv.create(directory, with_pip=True)
        tools = Path(directory) / "bin"
        run(str(tools / "python"), "-m", "pip", "--quiet", "--disable-pip-version-check", "install", UV)
        for lock, inputs in LOCKS.items():
            print(f"resolving {lock}", flush=True)
            run(str(tools / "uv"), "pip", "compile", *FORM, *sys.argv[1:], *inputs.split(), "--output-file", lock)


def run(*command: str) -> None:
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
