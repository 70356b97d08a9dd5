"""Log lines, metrics, the account (how many records had which fate), log tails, and log shipping."""

from __future__ import annotations
