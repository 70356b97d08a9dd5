"""Kafka topics as a source: the members of a consumer group."""

from __future__ import annotations
