"""Small SQLite files of the state directory that no crash and no loss of power damages. Knows nothing of their rows."""

from __future__ import annotations
