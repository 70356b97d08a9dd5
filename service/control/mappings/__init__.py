"""Event source mappings of the Lambda API: the model, the effect of each call, the answers. Pure."""

from __future__ import annotations
