"""The HTTP server: liveness, readiness, metrics, status, and the Lambda API."""

from __future__ import annotations
