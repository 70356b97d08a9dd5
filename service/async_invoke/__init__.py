"""Asynchronous invocation: accepted events are stored, delivered, tried again, and reported to their destination.

accept ──► stored (202) ──► due ──► invoked ──► decided ──► again, later
                                       │           └──► over ──► destinations ──► forgotten
"""

from __future__ import annotations
