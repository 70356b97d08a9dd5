"""SQS queues as a source: receivers, visibility, settlement, and how many receivers there are."""

from __future__ import annotations
