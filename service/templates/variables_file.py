"""A file of environment variables in SAM's format, as `--env-vars` names it."""

from __future__ import annotations

import json
from pathlib import Path

from ...config.errors import ConfigError, Problem
from ...config.user_text import text_of


def read(path: str) -> dict[str, dict[str, str]]:
    """The variables by function; none where no file is named. Raises ConfigError."""
    if not path:
        return {}
    try:
        content = json.loads(text_of(Path(path).read_bytes()))
    except OSError as fault:
        raise ConfigError([Problem(f"cannot be read: {fault.strerror or fault}", "--env-vars", path)]) from None
    except ValueError as fault:
        raise ConfigError([Problem(f"is not JSON: {fault}", "--env-vars", path)]) from None
    if not isinstance(content, dict) or not all(isinstance(each, dict) for each in content.values()):
        hint = 'write {"LogicalId": {"NAME": "value"}}, or {"Parameters": {…}} for all functions'
        raise ConfigError(
            [Problem("must hold a mapping of variables for each function", "--env-vars", path, hint=hint)]
        )
    return {name: {key: _as_text(value) for key, value in each.items()} for name, each in content.items()}


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
