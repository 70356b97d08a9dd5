"""The control plane: the functions and mappings of the Lambda API, the effect of each call on them, their store."""

from __future__ import annotations
