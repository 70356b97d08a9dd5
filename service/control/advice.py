"""The text for a caller about an obstacle that lies in the daemon's settings. Pure."""

from __future__ import annotations

from ...config.errors import ConfigError


def of_settings(error: ConfigError) -> str:
    """The problem, and the advice that the operator must change a setting, not the caller."""
    what = "; ".join(problem.what for problem in error.problems)
    hints = "; ".join(dict.fromkeys(problem.hint for problem in error.problems if problem.hint))
    return f"{what}. The operator of Headrace can change that: {hints}." if hints else f"{what}."
