"""Functions as warm processes on this machine, behind a Lambda Runtime API server on loopback."""

from __future__ import annotations
