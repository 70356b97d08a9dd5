"""Ways to invoke a function, behind one protocol (`base.Invoker`)."""

from __future__ import annotations
