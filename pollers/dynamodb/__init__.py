"""DynamoDB streams as a source."""

from __future__ import annotations
