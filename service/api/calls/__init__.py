"""The calls of the Lambda API that are served here, one module per group: parameters, control plane, answer."""

from __future__ import annotations
