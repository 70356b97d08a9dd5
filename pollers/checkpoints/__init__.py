"""The position of each lane, stored so that no crash loses it."""

from __future__ import annotations
