"""Asynchronous invocation: events that were accepted are kept, delivered, tried again, and told of.

accept ──► stored (202) ──► due ──► invoked ──► decided ──► again, later
                                       │           └──► over ──► destinations ──► forgotten
"""

from __future__ import annotations
