"""How far each lane is done, kept so that no crash loses it."""

from __future__ import annotations
