"""Running mappings and functions, and the reconciler that keeps them in step with the control plane."""

from __future__ import annotations
