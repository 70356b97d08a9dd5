"""What must not be printed, and what is printed in its place. A leaf."""

from __future__ import annotations

import re

MASK = "********"

_SECRET = re.compile(
    r"passw|passphrase|secret|token|credential|api_?key|access_?key|private_?key|signing_?key|connection_?string"
    r"|access_?config",  # where a secret's name belongs, and where users sometimes write the secret
    re.IGNORECASE,
)
_USER = re.compile(r"(?<=://)[^/@\s]+(?=@)")


def is_secret(name: str) -> bool:
    """Whether a value under that name, or path of names, is likely to be a secret."""
    return bool(_SECRET.search(name))


def masked(value: object, name: str = "") -> object:
    """The value, fit to be printed: secrets by their names, and the user part of every URL, are masked."""
    match value:
        case dict():
            return {key: masked(member, str(key)) for key, member in value.items()}
        case list() | tuple():
            return [masked(item, name) for item in value]
        case None | "":
            return value
        case _ if is_secret(name):
            return MASK
        case str():
            return _USER.sub(MASK, value)
        case _:
            return value
