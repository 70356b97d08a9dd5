"""The content of a Kinesis record. Pure."""

from __future__ import annotations
