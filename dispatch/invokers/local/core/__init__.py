"""What local functions share that decides: the lines of the platform, and which environments stay warm. Pure."""

from __future__ import annotations
