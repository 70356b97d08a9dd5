"""Kinesis streams as a source, by GetRecords or by enhanced fan-out."""

from __future__ import annotations
