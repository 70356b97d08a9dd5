"""What a user may say, what is wrong with it, and how to reach what was named."""

from __future__ import annotations
