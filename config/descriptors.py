"""File descriptors: how many this process may have, and how it is recognised that there are none left.

A system that is out of them says so in many ways: a connection is not made, a host name is not found, a file does not
open, a process does not start. Each looks like another part's fault, and the user would search there.

    limit of the process  ──────────────────────────────────┐
    limit of everybody but the listener  ──────────┐        │ RESERVED: `lifted` alone gives them out
"""

from __future__ import annotations

import errno
import os
import resource
import socket
from collections.abc import Iterator
from contextlib import contextmanager

RESERVED = 16
"""Descriptors that are reserved for liveness checks; an eighth when there are few."""
_NONE_LEFT = frozenset({errno.EMFILE, errno.ENFILE})
_full: int | None = None
"""The limit, where a part of it is reserved."""


def limit() -> int:
    """How many this process may have."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0] if _full is None else _full


def raise_limit(wanted: int) -> int:
    """Ask for so many, as far as that is allowed; the limit then."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return limit()


def reserve() -> None:
    """From now on only `lifted` may use the last of them."""
    global _full
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if _full is None and soft != resource.RLIM_INFINITY:
        _full = soft
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft - min(RESERVED, soft // 8), hard))


def release() -> None:
    """Sets the limit back to its value before `reserve`."""
    global _full
    if _full is not None:
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (_full, hard))
        _full = None


@contextmanager
def lifted() -> Iterator[None]:
    """What opens a descriptor in the body may use those that are reserved. Nothing may wait in it."""
    if _full is None:
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (_full, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def spent(error: BaseException) -> bool:
    """Whether a missing descriptor caused this failure, however it is wrapped."""
    return any(_is_spent(each) for each in _within(error))


def advice() -> str:
    """In words, with what to do."""
    return (
        f"no file descriptor is left, of the {limit()} that this process may have: raise the limit "
        "(ulimit -n, LimitNOFILE=, --ulimit nofile=)"
    )


def none_left() -> bool:
    """Whether nothing can be opened at this moment."""
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError as error:
        return error.errno in _NONE_LEFT
    return False


def _is_spent(error: BaseException) -> bool:
    if isinstance(error, socket.gaierror):
        return none_left()  # the resolver has no word for it
    return isinstance(error, OSError) and error.errno in _NONE_LEFT


def _within(error: BaseException) -> Iterator[BaseException]:
    """An error and what it comes from, as it says itself, in whatever way; what was being handled meanwhile may be an
    older failure."""
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        each = waiting.pop()
        if not isinstance(each, BaseException) or id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        kwargs = getattr(each, "kwargs", None)
        waiting += [each.__cause__, getattr(each, "os_error", None)]
        waiting += [kwargs.get("error")] if isinstance(kwargs, dict) else []
        waiting += each.exceptions if isinstance(each, BaseExceptionGroup) else []
