"""Values of variables, where `NAME_FILE` may name a file that holds the value of `NAME`. A leaf.

It is how container engines hand out secrets. One line end at the file's end is dropped.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from .user_text import NotText, text_of

_LONGEST = 64 * 1024


class SecretFileError(ValueError):
    """The file cannot be read; the message names variable and file."""


def value_of(environ: Mapping[str, str], name: str) -> str | None:
    """The value of a variable, else the content of the file that `<name>_FILE` names. Raises SecretFileError."""
    if name in environ:
        return environ[name]
    file = environ.get(f"{name}_FILE")
    return _content(f"{name}_FILE", file) if file else None


def expanded(environ: Mapping[str, str], prefix: str) -> dict[str, str]:
    """All variables with that prefix, those of files included. Raises SecretFileError, also for one that is given in
    both ways."""
    mine = {name: value for name, value in environ.items() if name.upper().startswith(prefix)}
    for name, file in list(mine.items()):
        bare = name[: -len("_FILE")]
        if not name.upper().endswith("_FILE") or not file:
            continue
        if mine.get(bare):
            raise SecretFileError(f"{bare} and {name} are both set: unset one")
        del mine[name]
        mine[bare] = _content(name, file)
    return mine


def _content(variable: str, file: str) -> str:
    try:
        with Path(file).open("rb") as stream:
            data = stream.read(_LONGEST + 1)
        text = text_of(data)
    except (OSError, ValueError) as fault:
        reason = (
            fault.strerror
            if isinstance(fault, OSError)
            else f"it {fault.what}"
            if isinstance(fault, NotText)
            else fault
        )
        raise SecretFileError(f"{variable} names the file {file}, which cannot be read: {reason}") from fault
    if len(data) > _LONGEST:
        raise SecretFileError(f"{variable} names the file {file}, which is larger than {_LONGEST} bytes")
    return text.removesuffix("\n").removesuffix("\r")
