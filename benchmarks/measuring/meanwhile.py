"""Work that goes on in a thread for as long as something is measured."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def meanwhile(work: Callable[..., object], *arguments: Any) -> Iterator[None]:
    """Let `work` go on while the block runs. Its last argument is an event that says when it is over."""
    over = threading.Event()
    working = threading.Thread(target=work, args=(*arguments, over))
    working.start()
    try:
        yield
    finally:
        over.set()
        working.join()
