"""Runs commands of the AWS CLI one after the other in one process, because its imports take most of a command's time.

Each line of standard input is a list of words; each line of standard output is the code, and what the command wrote to
standard output and standard error.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys

from awscli.clidriver import create_clidriver  # type: ignore[import-not-found]


def main() -> None:
    for line in sys.stdin:
        code, out, err = run(json.loads(line))
        print(json.dumps([code, out, err]), flush=True)


def run(words: list[str]) -> tuple[int, str, str]:
    """Of a driver of its own, as a command has one."""
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = create_clidriver().main(words)
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
    return code, *(stream.buffer.getvalue().decode() for stream in (out, err))


if __name__ == "__main__":
    main()
