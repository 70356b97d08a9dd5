"""The exit codes, all of them; docs/cli.md has the same table."""

from __future__ import annotations

from enum import IntEnum

from ...config.errors import HeadraceError


class Exit(IntEnum):
    """How the program ended. A second signal ends it with 128 + the signal's number, as a shell reports a kill."""

    OK = 0
    FAILURE = 1
    """The command did not succeed: the function failed, the port is in use, the daemon is not ready."""
    USAGE = 2
    """The command line itself is wrong."""
    NOT_IDLE = 3
    """`--until-idle` ran out of time; the reason is on standard error."""
    DISCARDED = 4
    """Idle, but records were discarded and `--fail-on-discard` was given."""
    CONFIG = 78
    """The configuration is wrong (EX_CONFIG of sysexits); nothing was started."""
    INTERRUPTED = 130
    """Ctrl-C in a verb that has no stop in phases."""


class UsageError(HeadraceError):
    """The command line names something that does not exist."""
