"""What is in the way of a call and lies in the settings of the daemon, as it is told to a caller. Pure."""

from __future__ import annotations

from ...config.errors import ConfigError


def of_settings(error: ConfigError) -> str:
    """What is wrong, and that it is changed where Headrace runs, not in the call."""
    what = "; ".join(problem.what for problem in error.problems)
    hints = "; ".join(dict.fromkeys(problem.hint for problem in error.problems if problem.hint))
    return f"{what}. Whoever runs Headrace can change that: {hints}." if hints else f"{what}."
