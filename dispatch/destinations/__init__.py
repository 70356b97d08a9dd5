"""Failure destinations, which get the document of a discarded batch before the batch is settled."""

from __future__ import annotations
