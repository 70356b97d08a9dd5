"""Starts a Python function inside its own interpreter. Run as a script by the function's Python, never imported by us.

    python python_start.py HANDLER FIRST… -- LAST…

The module search path becomes: the code (the working directory), FIRST (layers), what the interpreter has, LAST (the
runtime client and boto3, so that the function's own copies win). Then AWS's runtime client takes over.
"""

from __future__ import annotations

import os
import sys


def main() -> None:
    handler, *paths = sys.argv[1:]
    border = paths.index("--")
    here = os.path.dirname(os.path.abspath(__file__))
    inherited = [path for path in sys.path if os.path.abspath(path or ".") != here]
    first = dict.fromkeys(paths[:border])  # layers that are one tree have the same paths
    sys.path[:] = [os.getcwd(), *first, *inherited, *paths[border + 1 :]]
    sys.argv[:] = ["awslambdaric", handler]
    from awslambdaric.__main__ import main as run

    run(sys.argv)


if __name__ == "__main__":
    main()
