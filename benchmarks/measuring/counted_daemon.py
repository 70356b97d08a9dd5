"""The daemon, which also notes each durable commit of its positions: a line with the monotonic clock in the file that
COMMITS names. A program; the arguments are the daemon's."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from typing import Any

from headrace.config.durable.writer import GroupWriter
from headrace.service.cli.main import program

NOTES = os.open(os.environ["COMMITS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)


class Noted(GroupWriter):
    """A writer whose commits are noted."""

    def _transaction(self, group: Sequence[Any]) -> None:
        before = self.commits
        super()._transaction(group)
        if self.commits > before and "positions" in self.what:
            os.write(NOTES, b"%f 1\n" % time.monotonic())


def main() -> None:
    import headrace.pollers.checkpoints.sqlite as positions

    vars(positions)["GroupWriter"] = Noted
    sys.argv[0] = "headrace"
    program()


if __name__ == "__main__":
    main()
