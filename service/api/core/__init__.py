"""The support of each call and of each field, and the check of the caller. Pure."""

from __future__ import annotations
