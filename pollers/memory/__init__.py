"""The shipped fakes: queues and streams in memory, behind the protocols that the real sources fulfil."""

from __future__ import annotations
