"""The control plane: the functions and mappings that the Lambda API made, what each call does to them, their store."""

from __future__ import annotations
