"""What is inside of a Kinesis record. Pure."""

from __future__ import annotations
