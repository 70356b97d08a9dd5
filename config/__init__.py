"""The user's configuration, its problems, and the connections to the servers that it names."""

from __future__ import annotations
