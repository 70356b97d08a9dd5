"""The exit codes, all of them; docs/cli.md has the same table. A leaf."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """How the program ended. A second signal ends it with 128 + the signal's number, as a shell reports a kill."""

    OK = 0
    FAILURE = 1
    """What was asked for did not work: the function failed, the port is taken, the daemon is not ready."""
    USAGE = 2
    """The command line itself is wrong."""
    NOT_IDLE = 3
    """`--until-idle` ran out of time; the reason is on standard error."""
    DISCARDED = 4
    """Idle, but records were discarded and `--fail-on-discard` was given."""
    INTERRUPTED = 130
    """Ctrl-C before or beside the daemon, which itself stops in phases."""
    CONFIG = 78
    """The configuration is wrong (EX_CONFIG of sysexits); nothing was started."""
