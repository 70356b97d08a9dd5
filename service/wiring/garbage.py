"""How often Python looks for garbage that refers to itself. Records make none, and a look at all that lives costs more
than a batch.
"""

from __future__ import annotations

import gc

from . import freed_memory

NEW = 50_000
"""Objects that were made and are still there, after which it looks at them. By default 700."""
OLD = (20, 100)
"""Looks at the young objects for one at those that outlived it, and so on."""


def seldom() -> None:
    """From now on, seldom."""
    gc.set_threshold(NEW, *OLD)


def leave_alone() -> None:
    """What is there now, modules most of all, is there to stay: it is looked at no more."""
    gc.collect()
    gc.freeze()
    freed_memory.give_back()
